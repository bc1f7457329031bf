import base64
import binascii
import io

from odoo import fields, models
from odoo.exceptions import UserError

from ..parsers import FileError
from ..parsers.containers import decompressed


class OnergyDegreeDayUpload(models.TransientModel):
    """Upload a daily file of the KNMI."""

    _name = "onergy.degree.day.upload"
    _description = "Upload temperatures"

    file = fields.Binary(required=True, attachment=False)
    filename = fields.Char()
    date_from = fields.Date(
        default=lambda self: fields.Date.subtract(
            fields.Date.context_today(self), years=5
        ),
        help="Older days in the file are left out.",
    )

    def action_import(self):
        self.ensure_one()
        count = self.env["onergy.degree.day"]._load_file(
            self._get_stream(), self.date_from
        )
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "success",
                "message": self.env._("%s days are new or changed.", count),
                "next": {"type": "ir.actions.act_window_close"},
            },
        }

    def _get_stream(self):
        # The web client asks for the size of binaries instead of their contents.
        content = self.with_context(bin_size=False).file
        try:
            stream = io.BytesIO(base64.b64decode(content, validate=True))
            return decompressed(stream, "csv")
        except (binascii.Error, FileError):
            raise UserError(self.env._("The file did not arrive whole.")) from None
