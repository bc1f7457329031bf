import binascii
from base64 import b64decode, b64encode

from odoo import api, fields, models
from odoo.exceptions import UserError


class OnergyMoveSheetUpload(models.TransientModel):
    """A clerk reads in the spreadsheet that a landlord mailed.

    The lines are judged just as on the portal; the clerk looks at them before they
    become moves.
    """

    _name = "onergy.move.sheet.upload"
    _description = "Read a landlord's spreadsheet"

    partner_id = fields.Many2one("res.partner", "Landlord", required=True)
    home_count = fields.Integer("Homes", compute="_compute_workbook")
    workbook = fields.Binary("Workbook to fill in", compute="_compute_workbook")
    workbook_name = fields.Char(compute="_compute_workbook")
    sheet = fields.Binary("His file (.xlsx)", attachment=False)
    sheet_name = fields.Char()

    @api.depends("partner_id")
    def _compute_workbook(self):
        for wizard in self:
            homes = self.env["onergy.connection"]
            if wizard.partner_id:
                homes = homes._get_landlord_homes(
                    wizard.partner_id.commercial_partner_id
                )
            wizard.home_count = len(homes)
            content = homes and self.env["onergy.move.sheet"]._write_workbook(homes)
            wizard.workbook = content and b64encode(content)
            wizard.workbook_name = f"{self.env._('homes')}.xlsx"

    def action_read(self):
        """Show what each line of the file will do.

        :raise UserError: it is no workbook, or has nothing filled in
        """
        self.ensure_one()
        self.env["onergy.move"].check_access("create")
        try:
            content = b64decode(self.sheet or b"", validate=True)
        except binascii.Error as error:
            raise UserError(self.env._("Choose a file first.")) from error
        # sudo: nobody writes sheets but the loader; his right was checked above
        record = self.env["onergy.move.sheet"].sudo()
        record = record._read(self.partner_id, content, self.sheet_name or "xlsx")
        return {
            "type": "ir.actions.act_window",
            "res_model": "onergy.move.sheet",
            "res_id": record.id,
            "view_mode": "form",
        }
