import base64
import binascii
import io
from itertools import islice

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..parsers import FileError


class OnergyReadingUpload(models.TransientModel):
    """Choose a file, look at what would be read, import it."""

    _name = "onergy.reading.upload"
    _description = "Upload readings"

    PREVIEW_ROWS = 20

    company_id = fields.Many2one(
        "res.company", required=True, default=lambda self: self.env.company
    )
    file = fields.Binary(attachment=False)
    filename = fields.Char()
    profile_id = fields.Many2one(
        "onergy.reading.profile",
        "Read as",
        compute="_compute_profile_id",
        store=True,
        readonly=False,
        domain="[('state', '=', 'active'), ('company_id', 'in', (False, company_id))]",
        help="Chosen by the contents of the file; change it if the preview is wrong.",
    )
    preview = fields.Html(compute="_compute_preview", sanitize=False)

    def _get_stream(self):
        # The web client asks for the size of binaries instead of their contents.
        content = self.with_context(bin_size=False).file or b""
        try:
            return io.BytesIO(base64.b64decode(content, validate=True))
        except binascii.Error:
            raise UserError(self.env._("The file did not arrive whole.")) from None

    @api.depends("file")
    def _compute_profile_id(self):
        profiles = self.env["onergy.reading.profile"]
        for wizard in self:
            wizard.profile_id = wizard.file and profiles._find_for(
                wizard._get_stream(), wizard.filename or "", wizard.company_id
            )

    @api.depends("file", "profile_id")
    def _compute_preview(self):
        for wizard in self:
            wizard.preview = wizard.file and wizard._get_preview()

    def _get_preview(self):
        profile = self.profile_id
        if not profile:
            return self.env["onergy.reading.profile"]._render_preview(
                [],
                self.env._(
                    "No profile in use can read this file. Choose one, or make a new "
                    "profile from this file."
                ),
            )
        try:
            rows = list(
                islice(
                    profile._get_rows(
                        self._get_stream(), self.filename or "", self.company_id
                    ),
                    self.PREVIEW_ROWS,
                )
            )
        except FileError as error:
            return profile._render_preview([], profile._describe_file_error(error))
        return profile._render_preview(rows)

    def action_import(self):
        self.ensure_one()
        if not self.file:
            raise UserError(self.env._("Choose a file first."))
        stream = self._get_stream()
        record = self.env["onergy.reading.import"]._import_stream(
            stream,
            self.filename or self.env._("upload"),
            "upload",
            self.company_id,
            self.profile_id,
        )
        record._attach(stream.getvalue())
        return {
            "type": "ir.actions.act_window",
            "res_model": record._name,
            "res_id": record.id,
            "view_mode": "form",
        }
