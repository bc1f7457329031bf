from odoo import models
from odoo.tools import SQL


class OnergyWorkbookBuilder(models.AbstractModel):
    _inherit = "onergy.workbook.builder"

    def _write_vacancy(self, workbook, book):
        _ = self.env._
        company, dates = workbook.company_id.id, (workbook.date_from, workbook.date_to)
        invoiced = SQL(
            """
            m.state = 'posted' AND m.company_id = %s AND m.date BETWEEN %s AND %s
            AND m.move_type IN ('out_invoice', 'out_refund')
            """,
            company,
            *dates,
        )
        return self._write_list(
            workbook,
            book,
            (_("11 Vacancy"), _("Empty homes and their owners")),
            [
                (_("Address"), "wide", False),
                (_("Owner"), "wide", False),
                (_("From"), "date", False),
                (_("Until"), "date", False),
                (_("Days in the period"), "integer", True),
                (_("Invoiced"), "money", True),
            ],
            SQL(
                """
                SELECT c.name, p.name, k.date_start, k.date_end,
                       GREATEST(0, LEAST(k.date_end, %(until)s)
                                   - GREATEST(k.date_start, %(first)s) + 1),
                       sum(m.amount_total_signed)
                  FROM onergy_contract k
                  JOIN onergy_connection c ON c.id = k.connection_id
                  JOIN res_partner p ON p.id = k.partner_id
                  LEFT JOIN account_move m
                    ON m.onergy_contract_id = k.id AND %(invoiced)s
                 WHERE k.role = 'vacancy' AND k.company_id = %(company)s
                 GROUP BY k.id, c.name, p.name
                HAVING count(m.id) > 0 OR (k.date_start <= %(until)s
                   AND (k.date_end IS NULL OR k.date_end >= %(first)s))
                 ORDER BY c.name, k.date_start
                """,
                first=dates[0],
                until=dates[1],
                invoiced=invoiced,
                company=company,
            ),
            (
                5,
                SQL(
                    """
                    SELECT sum(l.balance) FROM account_move_line l
                      JOIN account_account a ON a.id = l.account_id
                      JOIN account_move m ON m.id = l.move_id
                      JOIN onergy_contract k ON k.id = m.onergy_contract_id
                     WHERE a.account_type = 'asset_receivable'
                       AND k.role = 'vacancy' AND %s
                    """,
                    invoiced,
                ),
            ),
            _("Invoiced to owners is what was put on their debtors' accounts."),
            _("Look for an owner's bill that was posted on another account."),
        )
