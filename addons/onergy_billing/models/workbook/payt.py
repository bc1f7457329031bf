from decimal import Decimal

from odoo import models
from odoo.tools import SQL


class OnergyWorkbookBuilder(models.AbstractModel):
    _inherit = "onergy.workbook.builder"

    def _write_payt(self, workbook, book):
        """What Odoo and Payt have open, as the addon of Payt knows it."""
        _ = self.env._
        sheet = (_("12 Payt"), _("Open at Payt against open in Odoo"))
        columns = [
            (_("Debtor"), "text", False),
            (_("Name"), "wide", False),
            (_("Document"), "text", False),
            (_("Date"), "date", False),
            (_("Odoo"), "money", True),
            (_("Payt"), "money", True),
            (_("Difference"), "money", True),
            (_("Explanation"), "note", False),
        ]
        query = self._get_payt_query(workbook)
        if query is None:
            page = self._add_sheet(workbook, book, sheet, columns)
            explanation = _("Payt is not connected to this database.")
            return self._finish(book, page, sheet, 5, Decimal(0), explanation)
        return self._write_list(
            workbook,
            book,
            sheet,
            columns,
            SQL(
                """
                SELECT p.debtor_number, p.name, m.name, m.invoice_date,
                       d.odoo_amount, d.payt_amount, d.odoo_amount - d.payt_amount,
                       CASE WHEN d.odoo_amount <> d.payt_amount THEN k.label END
                  FROM (%s) d
                  JOIN account_move m ON m.id = d.move_id
                  LEFT JOIN res_partner p ON p.id = m.commercial_partner_id
                  LEFT JOIN (VALUES %s) k(value, label) ON k.value = d.kind
                 ORDER BY d.odoo_amount = d.payt_amount, m.invoice_date, m.id
                """,
                query,
                self._get_payt_kinds(),
            ),
            (
                5,
                SQL(
                    "SELECT sum(i.residual) FROM (%s) i WHERE i.move_id IN "
                    "(SELECT d.move_id FROM (%s) d)",
                    self._get_open_items(workbook),
                    query,
                ),
            ),
            _(
                "Payt has open what the ledger has open of the invoices that belong "
                "there. For a day in the past Payt's amount is worked out from the "
                "payments that it has reported until then."
            ),
            _("The lines with a difference come first, each with its kind."),
        )

    def _get_payt_query(self, workbook):
        """SQL: move_id, odoo_amount, payt_amount, kind; None without Payt."""
        if "payt.difference" not in self.env:
            return None
        return self.env["payt.difference"]._get_open_amounts(
            workbook.company_id, workbook.as_of
        )

    def _get_payt_kinds(self):
        return self._labels("payt.difference", "kind")
