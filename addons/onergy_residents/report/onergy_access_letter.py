from base64 import b64encode
from urllib.parse import urlencode

from odoo import api, models
from odoo.exceptions import UserError
from odoo.tools.image import image_data_uri


class ReportAccessLetter(models.AbstractModel):
    _name = "report.onergy_residents.access_letter"
    _description = "Letter with an activation code"

    @api.model
    def _get_report_values(self, docids, data=None):
        """:param dict data: ``codes``, id of an access code -> the code in clear"""
        codes = (data or {}).get("codes")
        if not codes or set(codes) != set(docids):
            raise UserError(
                self.env._(
                    "A code is printed once, when it is issued. Invite the resident "
                    "again for a new letter."
                )
            )
        docs = self.env["onergy.access.code"].browse(docids)
        return {
            "docs": docs,
            "codes": codes,
            "address": self.env["onergy.letter"]._get_address_lines,
            "activation_url": self._activation_url,
            "qr_code": self._qr_code,
        }

    @api.model
    def _activation_url(self, code, *, login=False):
        url = f"{code.company_id.get_base_url()}/onergy/activate"
        return f"{url}?{urlencode({'login': code.login})}" if login else url

    @api.model
    def _qr_code(self, code):
        """Return a QR code of the page, with the name filled in and never the code."""
        png = self.env["ir.actions.report"].barcode(
            "QR", self._activation_url(code, login=True), width=240, height=240
        )
        return image_data_uri(b64encode(png))
