from odoo import models
from odoo.tools import SQL

from ..onergy_accrual import BATCH


class OnergyWorkbookBuilder(models.AbstractModel):
    _inherit = "onergy.workbook.builder"

    def _write_accrual(self, workbook, book):
        _ = self.env._
        sheet = (_("7 To be settled"), _("Delivered and not yet settled"))
        page = self._add_sheet(
            workbook,
            book,
            sheet,
            [
                (_("Address"), "wide", False),
                (_("Contract"), "text", False),
                (_("Payer"), "wide", False),
                (_("From"), "date", False),
                (_("Until"), "date", False),
                (_("Use (GJ)"), "number", True),
                (_("Delivered without VAT"), "money", True),
                (_("Advances invoiced without VAT"), "money", True),
                (_("To be received"), "money", True),
                (_("Advances received incl. VAT"), "money", True),
                (_("Remark"), "note", False),
            ],
        )
        Accrual = self.env["onergy.accrual"]
        groups = Accrual._get_periods(workbook.company_id, workbook.as_of)
        ids = []
        for start in range(0, len(groups), BATCH):
            for values in Accrual._work_out(
                sum(groups[start : start + BATCH], []), workbook.as_of
            ):
                page.add_row(self._get_accrual_row(values))
                ids += values["move_ids"]
            book.tell(sheet[0], page.count)
            self.env.invalidate_all()
        ledger = self._value(
            SQL(
                """
                SELECT -sum(l.balance) FROM account_move_line l
                 WHERE l.move_id = ANY(%s) AND l.display_type = 'product'
                """,
                ids,
            )
        )
        return self._finish(
            book,
            page,
            sheet,
            7,
            ledger,
            _(
                "Advances without VAT are what their invoices put in the books as "
                "turnover. Delivered is worked out like a bill, at the prices that are "
                "known now; a remark tells where that could not be done."
            ),
            _("Look for an advance invoice with a line without VAT."),
        )

    def _get_accrual_row(self, values):
        contract = self.env["onergy.contract"].browse(values["contract_id"])
        return [
            contract.connection_id.name,
            contract.name,
            contract.partner_id.name,
            *(
                values[name]
                for name in (
                    "date_from",
                    "date_to",
                    "use",
                    "delivered",
                    "advances",
                    "balance",
                    "received",
                    "remark",
                )
            ),
        ]
