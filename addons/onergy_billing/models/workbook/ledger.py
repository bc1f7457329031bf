from odoo import models
from odoo.tools import SQL


class OnergyWorkbookBuilder(models.AbstractModel):
    _inherit = "onergy.workbook.builder"

    def _write_vat(self, workbook, book):
        _ = self.env._
        period = (workbook.company_id.id, workbook.date_from, workbook.date_to)
        lang = self.env.lang or "en_US"
        return self._write_list(
            workbook,
            book,
            (_("8 VAT"), _("VAT per rate and month")),
            [
                (_("Month"), "date", False),
                (_("Tax"), "text", False),
                (_("Rate (%)"), "number", False),
                (_("Base"), "money", True),
                (_("VAT"), "money", True),
            ],
            SQL(
                """
                SELECT month, COALESCE(t.name ->> %(lang)s, t.name ->> 'en_US'),
                       t.amount, sum(base), sum(vat)
                  FROM (
                    SELECT date_trunc('month', l.date)::date AS month,
                           l.tax_line_id AS tax_id, 0 AS base, -l.balance AS vat
                      FROM account_move_line l
                     WHERE l.tax_line_id IS NOT NULL AND %(period)s
                     UNION ALL
                    SELECT date_trunc('month', l.date)::date,
                           rel.account_tax_id, -l.balance, 0
                      FROM account_move_line l
                      JOIN account_move_line_account_tax_rel rel
                        ON rel.account_move_line_id = l.id
                     WHERE %(period)s
                  ) rows
                  JOIN account_tax t ON t.id = rows.tax_id
                 GROUP BY month, t.id
                 ORDER BY month, t.amount, t.id
                """,
                lang=lang,
                period=self._get_line_period(workbook),
            ),
            (
                4,
                SQL(
                    """
                    SELECT -sum(l.balance) FROM account_move_line l
                     WHERE l.account_id IN (
                           SELECT r.account_id FROM account_tax_repartition_line r
                             JOIN account_tax t ON t.id = r.tax_id
                            WHERE r.repartition_type = 'tax' AND t.company_id = %s)
                       AND l.parent_state = 'posted' AND l.company_id = %s
                       AND l.date BETWEEN %s AND %s
                    """,
                    period[0],
                    *period,
                ),
            ),
            _("VAT of the documents is what the VAT accounts changed by."),
            _(
                "An entry made by hand on a VAT account, or the payment of a return, "
                "breaks this: filter sheet 9 on the VAT accounts."
            ),
        )

    def _get_account_name(self):
        lang = self.env.lang or "en_US"
        return SQL("COALESCE(a.name ->> %s, a.name ->> 'en_US')", lang)

    def _get_account_code(self, workbook):
        return SQL("a.code_store ->> %s", str(workbook.company_id.root_id.id))

    def _write_moves(self, workbook, book):
        _ = self.env._
        return self._write_list(
            workbook,
            book,
            (_("9 Ledger"), _("Entries in the period")),
            [
                (_("Date"), "date", False),
                (_("Document"), "text", False),
                (_("Account"), "text", False),
                (_("Name of the account"), "wide", False),
                (_("Debtor"), "text", False),
                (_("Text"), "wide", False),
                (_("Debit"), "money", True),
                (_("Credit"), "money", True),
            ],
            SQL(
                """
                SELECT l.date, l.move_name, %s, %s, p.debtor_number, l.name,
                       NULLIF(l.debit, 0), NULLIF(l.credit, 0)
                  FROM account_move_line l
                  JOIN account_account a ON a.id = l.account_id
                  LEFT JOIN res_partner p ON p.id = l.partner_id
                 WHERE %s
                 ORDER BY l.date, l.move_id, l.id
                """,
                self._get_account_code(workbook),
                self._get_account_name(),
                self._get_line_period(workbook),
            ),
            (
                6,
                SQL(
                    "SELECT sum(l.credit) FROM account_move_line l WHERE %s",
                    self._get_line_period(workbook),
                ),
            ),
            _("All that was debited was credited."),
            _("Odoo refuses such an entry: ask who changed the database itself."),
        )

    def _write_balances(self, workbook, book):
        _ = self.env._
        before = SQL("FILTER (WHERE l.date < %s)", workbook.date_from)
        within = SQL("FILTER (WHERE l.date >= %s)", workbook.date_from)
        return self._write_list(
            workbook,
            book,
            (_("10 Trial balance"), _("Balances of the accounts")),
            [
                (_("Account"), "text", False),
                (_("Name of the account"), "wide", False),
                (_("Opening balance"), "money", True),
                (_("Debit"), "money", True),
                (_("Credit"), "money", True),
                (_("Closing balance"), "money", True),
            ],
            SQL(
                """
                SELECT %(code)s, %(name)s, sum(l.balance) %(before)s,
                       sum(l.debit) %(within)s, sum(l.credit) %(within)s,
                       sum(l.balance)
                  FROM account_move_line l
                  JOIN account_account a ON a.id = l.account_id
                 WHERE l.parent_state = 'posted' AND l.company_id = %(company)s
                   AND l.date <= %(until)s
                 GROUP BY a.id
                 ORDER BY 1
                """,
                code=self._get_account_code(workbook),
                name=self._get_account_name(),
                before=before,
                within=within,
                company=workbook.company_id.id,
                until=workbook.date_to,
            ),
            (
                3,
                SQL(
                    "SELECT sum(l.debit) FROM account_move_line l WHERE %s",
                    self._get_line_period(workbook),
                ),
            ),
            _("Debits per account add up to those of the entries on sheet 9."),
            _("Look for an account without a code in this company."),
        )
