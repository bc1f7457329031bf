from dateutil.relativedelta import relativedelta
from markupsafe import Markup

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_date

#: GDPR, article 12(3): an answer within one month.
ANSWER_MONTHS = 1


class OnergyErasure(models.Model):
    """A resident asks us to delete his data; a person decides (GDPR, article 17)."""

    _name = "onergy.erasure"
    _description = "Deletion request"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _check_company_auto = True
    _order = "id desc"
    _rec_name = "partner_id"

    partner_id = fields.Many2one(
        "res.partner",
        "Resident",
        required=True,
        index=True,
        ondelete="restrict",
        domain="[('is_resident', '=', True)]",
    )
    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )
    reason = fields.Text(help="In the resident's own words.")
    date_asked = fields.Date(
        "Asked on", required=True, readonly=True, default=fields.Date.context_today
    )
    deadline = fields.Date(
        "Answer before", compute="_compute_deadline", store=True, index=True
    )
    state = fields.Selection(
        [
            ("new", "To decide"),
            ("done", "Deleted"),
            ("refused", "Refused"),
            ("cancelled", "Taken back"),
        ],
        required=True,
        readonly=True,
        default="new",
        tracking=True,
    )
    is_former = fields.Boolean(
        "Has left", compute="_compute_is_former", help="No contract runs any more."
    )
    preview = fields.Html(
        "What can be deleted", compute="_compute_preview", sanitize=False
    )
    answer = fields.Text(
        help="Goes to the resident with the list of what was deleted and what is kept."
    )
    result = fields.Html(readonly=True, sanitize=False, copy=False)
    decided_by_id = fields.Many2one("res.users", readonly=True)
    date_decided = fields.Date("Decided on", readonly=True, tracking=True)

    _one_open = models.UniqueIndex("(partner_id) WHERE state = 'new'")

    @api.depends("date_asked")
    def _compute_deadline(self):
        for erasure in self:
            erasure.deadline = erasure.date_asked and erasure.date_asked + (
                relativedelta(months=ANSWER_MONTHS)
            )

    @api.depends("partner_id")
    def _compute_is_former(self):
        for erasure in self:
            erasure.is_former = erasure.partner_id._onergy_has_left()

    @api.depends("partner_id", "state")
    def _compute_preview(self):
        for erasure in self:
            erasure.preview = erasure.partner_id and erasure._get_summary()

    # ------------------------------------------------------------------ the resident

    @api.model
    def _get_open(self, partner):
        # sudo: a resident has no rights on this model, his own request is his
        return self.sudo().search(
            [("partner_id", "=", partner.id), ("state", "=", "new")], limit=1
        )

    @api.model
    def _ask(self, partner, reason):
        """Take in the request of a resident; a second one adds nothing."""
        erasure = self._get_open(partner)
        if erasure:
            return erasure
        # sudo: as above
        erasure = self.sudo().create(
            {
                "partner_id": partner.id,
                "company_id": partner._onergy_get_company().id,
                "reason": reason,
            }
        )
        erasure._plan_answer()
        erasure._send("mail_template_erasure_received")
        return erasure

    def _plan_answer(self):
        user = self.company_id.onergy_request_user_id
        if user:
            self.activity_schedule(
                "mail.mail_activity_data_todo",
                date_deadline=self.deadline,
                summary=self.env._("Decide on the deletion request"),
                user_id=user.id,
            )

    def _cancel_by_resident(self):
        self.filtered(lambda erasure: erasure.state == "new").write(
            {"state": "cancelled", "date_decided": fields.Date.context_today(self)}
        )
        self.activity_unlink(["mail.mail_activity_data_todo"])

    def _send(self, template, partner_email=None):
        email = partner_email or self.partner_id.email
        if email:
            # sudo: a resident may not read mail templates
            self.env.ref(f"onergy_residents.{template}").sudo().send_mail(
                self.id, force_send=True, email_values={"email_to": email}
            )

    # ------------------------------------------------------------------ the decision

    def _get_summary(self):
        """Return what goes and what stays, with until when, as HTML."""
        partner = self.partner_id
        lang = partner.lang or self.env.lang
        erasure = self.with_context(lang=lang)
        partner = partner.with_context(lang=lang)
        kept = Markup().join(
            Markup("<li>%s</li>") % erasure._get_kept_line(what, until)
            for what, until in partner._onergy_get_kept()
        )
        gone = Markup().join(
            Markup("<li>%s</li>") % line for line in partner._onergy_get_erasable()
        )
        return Markup("<p>%s</p><ul>%s</ul><p>%s</p><ul>%s</ul>") % (
            erasure.env._("This is deleted:"),
            gone or Markup("<li>%s</li>") % erasure.env._("nothing"),
            erasure.env._("This has to be kept:"),
            kept or Markup("<li>%s</li>") % erasure.env._("nothing"),
        )

    def _get_kept_line(self, what, until):
        if not until:
            return self.env._("%(what)s: as long as your contract runs", what=what)
        return self.env._(
            "%(what)s: until %(date)s",
            what=what,
            date=format_date(self.env, until, date_format="d MMMM y"),
        )

    def _check_may_decide(self):
        if not self.env.user.has_group("onergy_residents.group_customer_service"):
            raise UserError(self.env._("Only customer service decides on this."))
        if self.filtered(lambda erasure: erasure.state != "new"):
            raise UserError(self.env._("This request has been decided already."))

    def action_erase(self):
        """Delete what need not be kept, and tell the resident what was done."""
        self._check_may_decide()
        for erasure in self:
            email = erasure.partner_id.email
            erasure._decide("done", erasure._get_summary())
            erasure._send("mail_template_erasure_done", email)
            # sudo: users, bank accounts and messages are not a clerk's to delete
            erasure.partner_id.sudo()._onergy_erase()

    def action_refuse(self):
        """Say no; the reason is owed to the resident."""
        self._check_may_decide()
        for erasure in self:
            if not erasure.answer:
                raise UserError(self.env._("Write in the answer why not."))
            erasure._decide("refused", False)
            erasure._send("mail_template_erasure_refused")

    def _decide(self, state, result):
        self.write(
            {
                "state": state,
                "result": result,
                "decided_by_id": self.env.uid,
                "date_decided": fields.Date.context_today(self),
            }
        )
        self.activity_feedback(["mail.mail_activity_data_todo"])

    def _forget(self):
        """Remove what was said; that it was asked and decided stays. As superuser."""
        erasures = self.with_context(tracking_disable=True)
        erasures.write({"reason": False, "answer": False})
        erasures.message_ids.unlink()
