from odoo import models
from odoo.tools import SQL


class OnergyWorkbookBuilder(models.AbstractModel):
    _inherit = "onergy.workbook.builder"

    def _get_open_items(self, workbook):
        """SQL: each line on a receivable account with what was open on the day."""
        Item = self.env["onergy.open.item"]
        return SQL(
            "%s AND l.company_id = %s",
            Item._get_items(workbook.as_of),
            workbook.company_id.id,
        )

    def _get_receivable_balance(self, workbook):
        return SQL(
            """
            SELECT sum(l.balance) FROM account_move_line l
              JOIN account_account a ON a.id = l.account_id
             WHERE a.account_type = 'asset_receivable' AND l.parent_state = 'posted'
               AND l.company_id = %s AND l.date <= %s
            """,
            workbook.company_id.id,
            workbook.as_of,
        )

    def _get_open_items_hint(self):
        return self.env._(
            "Look for items that were matched with an item of another account or "
            "company."
        )

    def _write_open_items(self, workbook, book):
        _ = self.env._
        return self._write_list(
            workbook,
            book,
            (_("2 Open items"), _("Open items per invoice")),
            [
                (_("Debtor"), "text", False),
                (_("Name"), "wide", False),
                (_("Document"), "text", False),
                (_("Kind"), "text", False),
                (_("Date"), "date", False),
                (_("Due"), "date", False),
                (_("Amount"), "money", True),
                (_("Open"), "money", True),
            ],
            SQL(
                """
                SELECT p.debtor_number, p.name, m.name, k.label, i.date, i.due,
                       i.balance, i.residual
                  FROM (%s) i
                  JOIN account_move m ON m.id = i.move_id
                  LEFT JOIN res_partner p ON p.id = i.partner_id
                  LEFT JOIN (VALUES %s) k(value, label) ON k.value = m.onergy_move_kind
                 WHERE round(i.residual, 2) <> 0
                 ORDER BY p.name, i.date, i.id
                """,
                self._get_open_items(workbook),
                self._labels("account.move", "onergy_move_kind"),
            ),
            (7, self._get_receivable_balance(workbook)),
            _("Open items on the day are the balance of the debtors' accounts."),
            self._get_open_items_hint(),
        )

    def _write_ageing(self, workbook, book):
        _ = self.env._
        buckets = SQL(
            """
            sum(residual) FILTER (WHERE late <= 0),
            sum(residual) FILTER (WHERE late BETWEEN 1 AND 30),
            sum(residual) FILTER (WHERE late BETWEEN 31 AND 60),
            sum(residual) FILTER (WHERE late BETWEEN 61 AND 90),
            sum(residual) FILTER (WHERE late > 90)
            """
        )
        return self._write_list(
            workbook,
            book,
            (_("3 Ageing"), _("Age of open items per debtor")),
            [
                (_("Debtor"), "text", False),
                (_("Name"), "wide", False),
                (_("Not due"), "money", True),
                (_("1-30 days"), "money", True),
                (_("31-60 days"), "money", True),
                (_("61-90 days"), "money", True),
                (_("More than 90 days"), "money", True),
                (_("Open"), "money", True),
            ],
            SQL(
                """
                SELECT p.debtor_number, p.name, %s, sum(residual)
                  FROM (SELECT i.*, %s - i.due AS late FROM (%s) i) i
                  LEFT JOIN res_partner p ON p.id = i.partner_id
                 GROUP BY p.id, p.debtor_number, p.name
                HAVING bool_or(round(residual, 2) <> 0)
                 ORDER BY p.name, p.id
                """,
                buckets,
                workbook.as_of,
                self._get_open_items(workbook),
            ),
            (7, self._get_receivable_balance(workbook)),
            _("By due date; together they are the balance of the debtors' accounts."),
            self._get_open_items_hint(),
        )

    def _write_advances(self, workbook, book):
        _ = self.env._
        company, dates = workbook.company_id.id, (workbook.date_from, workbook.date_to)
        return self._write_list(
            workbook,
            book,
            (_("4 Advances"), _("Advances per address and month")),
            [
                (_("Address"), "wide", False),
                (_("Contract"), "text", False),
                (_("Payer"), "wide", False),
                (_("Month"), "date", False),
                (_("Document"), "text", False),
                (_("Invoiced"), "money", True),
                (_("Credited"), "money", True),
                (_("Paid or settled"), "money", True),
                (_("Open"), "money", True),
            ],
            SQL(
                """
                SELECT c.name, k.name, p.name,
                       COALESCE(m.onergy_advance_month, m.invoice_date), m.name,
                       CASE WHEN m.move_type = 'out_invoice'
                            THEN i.balance END,
                       CASE WHEN m.move_type = 'out_refund'
                            THEN i.balance END,
                       (i.balance - i.residual), i.residual
                  FROM (%s) i
                  JOIN account_move m ON m.id = i.move_id
                  JOIN onergy_contract k ON k.id = m.onergy_contract_id
                  JOIN onergy_connection c ON c.id = k.connection_id
                  JOIN res_partner p ON p.id = m.partner_id
                 WHERE m.onergy_move_kind = 'advance' AND m.date BETWEEN %s AND %s
                 ORDER BY c.name, k.id, m.date, m.id
                """,
                self._get_open_items(workbook),
                *dates,
            ),
            (
                5,
                SQL(
                    """
                    SELECT sum(amount_total_signed) FROM account_move
                     WHERE onergy_move_kind = 'advance' AND state = 'posted'
                       AND move_type = 'out_invoice' AND company_id = %s
                       AND date BETWEEN %s AND %s AND date <= %s
                    """,
                    company,
                    *dates,
                    workbook.as_of,
                ),
            ),
            _("Invoiced in the period, as of the day, is what the invoices add up to."),
            _("Look for an advance that was posted on another account than debtors."),
        )
