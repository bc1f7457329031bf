from odoo import api, fields, models


class ReportMoveLetter(models.AbstractModel):
    _name = "report.onergy_residents.move_letter"
    _description = "Letter about a move"

    @api.model
    def _get_report_values(self, docids, data=None):
        return {
            "docs": self.env["onergy.move"].browse(docids),
            "address": self.env["onergy.letter"]._get_address_lines,
            "today": fields.Date.context_today(self),
        }
