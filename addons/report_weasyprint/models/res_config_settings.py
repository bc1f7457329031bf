from odoo import fields, models


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    pdf_engine = fields.Selection(
        selection=lambda self: self.env["ir.actions.report"]._get_pdf_engines(),
        string="PDF Engine",
        config_parameter="report_weasyprint.pdf_engine",
        default="weasyprint",
    )
    pdf_standard = fields.Selection(
        selection=lambda self: self.env["ir.actions.report"]._get_pdf_standards(),
        string="PDF Standard",
        config_parameter="report_weasyprint.pdf_standard",
        default="tagged",
    )
