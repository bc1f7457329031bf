from odoo import api, fields, models


class ReportNoticeLetter(models.AbstractModel):
    _name = "report.onergy_residents.notice_letter"
    _description = "Letter about works or an outage"

    @api.model
    def _get_report_values(self, docids, data=None):
        return {
            "docs": self.env["onergy.notice.delivery"].browse(docids),
            "address": self.env["onergy.letter"]._get_address_lines,
            "today": fields.Date.context_today(self),
        }
