from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command

# So many letters or mails are made well within the time of one request.
BATCH_SIZE = 100


class OnergyAccessInvite(models.TransientModel):
    """Invite residents to the portal: print or mail each of them a code.

    Codes are drawn while the letter is made and go nowhere else. Hence letters are
    not an ordinary report, of which the web client would keep the data: the button
    names the residents of the next PDF and sends the browser to a download, and that
    request draws the codes and prints them.
    """

    _name = "onergy.access.invite"
    _description = "Invite residents to the portal"

    partner_ids = fields.Many2many("res.partner", string="Residents")
    delivery = fields.Selection(
        [("letter", "Print letters"), ("email", "Send by e-mail")],
        "How",
        required=True,
        default="letter",
    )
    only_new = fields.Boolean(
        "Only who needs one",
        compute="_compute_only_new",
        store=True,
        readonly=False,
        help="Leave out who already uses the portal or still has a valid code. Without "
        "this, earlier codes stop working and everybody gets a new one.",
    )
    target_ids = fields.Many2many(
        "res.partner", string="Will be invited", compute="_compute_target_ids"
    )
    target_count = fields.Integer(compute="_compute_target_ids")
    skipped_count = fields.Integer(compute="_compute_target_ids")
    without_email_count = fields.Integer(compute="_compute_target_ids")
    batch_ids = fields.Many2many(
        "res.partner", "onergy_access_invite_batch_rel", string="In the next PDF"
    )
    done_count = fields.Integer(readonly=True)

    @api.depends("partner_ids")
    def _compute_only_new(self):
        for wizard in self:
            # One resident is somebody who lost his letter; a selection is a mailing.
            wizard.only_new = len(wizard.partner_ids) > 1

    @api.depends("partner_ids", "only_new", "delivery")
    def _compute_target_ids(self):
        for wizard in self:
            partners = wizard.partner_ids._origin.filtered("is_resident")
            if wizard.only_new:
                partners = partners.filtered(
                    lambda p: p.onergy_portal_state in ("none", "expired")
                )
            without_email = partners.filtered(lambda p: not p.email)
            if wizard.delivery == "email":
                partners -= without_email
            wizard.without_email_count = len(without_email)
            wizard.target_ids = partners
            wizard.target_count = len(partners)
            wizard.skipped_count = len(wizard.partner_ids) - len(partners)

    def action_invite(self):
        self.ensure_one()
        self.env["onergy.access.code"]._check_may_issue()
        if self.batch_ids:
            # The last download has not come through: these letters first.
            return self._download_letters()
        if not self.target_ids:
            raise UserError(self.env._("There is nobody to invite in this selection."))
        batch = self.target_ids[:BATCH_SIZE]
        batch._onergy_check_can_be_invited()
        self.write(
            {
                "partner_ids": [Command.set((self.target_ids - batch).ids)],
                "done_count": self.done_count + len(batch),
                # Not computed anew for the rest.
                "only_new": self.only_new,
            }
        )
        if self.delivery == "email":
            return self._send_mails(batch)
        self.batch_ids = batch
        return self._download_letters()

    def _download_letters(self):
        return {
            "type": "ir.actions.act_url",
            "url": f"/onergy/letters/{self.id}",
            # Without "close" the dialog stays, tells what was done and offers the rest.
            "target": "new",
        }

    def _render_letters(self):
        """Draw the codes of the residents in ``batch_ids`` and print their letters.

        The list is emptied: the same request again is refused instead of making new
        codes, which would make the letters of the first one useless.

        :return: the PDF
        :rtype: bytes
        :raise UserError: the letters have been made already
        """
        self.ensure_one()
        self.check_access("write")
        batch = self.batch_ids
        if not batch:
            raise UserError(
                self.env._(
                    "These letters have been made already. Codes are printed only "
                    "once: invite the residents again for new letters."
                )
            )
        self.batch_ids = False
        issued = self.env["onergy.access.code"]._issue(batch, "letter")
        codes = self.env["onergy.access.code"].union(*issued)
        pdf, _type = self.env["ir.actions.report"]._render_qweb_pdf(
            "onergy_residents.action_report_access_letter",
            codes.ids,
            data={"codes": {code.id: clear for code, clear in issued.items()}},
        )
        return pdf

    def _send_mails(self, partners):
        failed = self.env["onergy.access.code"]._issue_by_mail(partners)
        sent = len(partners) - len(failed)
        message = self.env._("%(count)s e-mails with a code were sent.", count=sent)
        if failed:
            message += "\n" + self.env._(
                "This failed, and the code was revoked, for: %(names)s",
                names=", ".join(failed.mapped("display_name")),
            )
        notification = {
            "type": "warning" if failed else "success",
            "message": message,
            "sticky": bool(failed),
        }
        if not self.target_ids:
            notification["next"] = {"type": "ir.actions.act_window_close"}
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": notification,
        }
