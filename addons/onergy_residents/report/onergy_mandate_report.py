from odoo import api, models


class ReportMandateLetter(models.AbstractModel):
    _name = "report.onergy_residents.mandate_letter"
    _description = "Letter about a mandate"

    @api.model
    def _get_report_values(self, docids, data=None):
        return {
            "docs": self.env["onergy.mandate"].browse(docids),
            "address": self.env["onergy.letter"]._get_address_lines,
        }
