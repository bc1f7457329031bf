from odoo import api, fields, models
from odoo.fields import Domain

BATCH = 100
TEMPLATE = "onergy_residents.mail_template_notice"


class OnergyNoticeDelivery(models.Model):
    """One home that is told of a notice: what it was last told, and how.

    The line also lets the resident of the contract read the notice on the portal. A
    message is queued by setting ``event`` and the state back to "to mail", so that a
    stopped run goes on where it was and nobody is told the same twice.
    """

    _name = "onergy.notice.delivery"
    _description = "Notice to one home"
    _order = "notice_id, contract_id, id"
    _rec_name = "contract_id"

    notice_id = fields.Many2one(
        "onergy.notice", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="notice_id.company_id", store=True)
    contract_id = fields.Many2one(
        "onergy.contract", required=True, index=True, ondelete="cascade"
    )
    connection_id = fields.Many2one(related="contract_id.connection_id", string="Home")
    partner_id = fields.Many2one(
        related="contract_id.partner_id", store=True, index=True
    )
    event = fields.Selection(
        [
            ("published", "New"),
            ("update", "Changed"),
            ("solved", "Over"),
            ("cancelled", "Cancelled"),
        ],
        "Message",
        required=True,
        readonly=True,
    )
    state = fields.Selection(
        [
            ("waiting", "To mail"),
            ("sent", "Mailed"),
            ("letter", "Letter to print"),
            ("posted", "By post"),
        ],
        "Status",
        required=True,
        readonly=True,
        index=True,
    )
    date_sent = fields.Datetime("Mailed on", readonly=True)

    _contract_uniq = models.UniqueIndex(
        "(notice_id, contract_id)", "This home is already told of this notice."
    )

    @api.model
    def _queue(self, notices, event):
        """Queue a message about ``event`` to all homes of the notices.

        Homes whose contract came in later are added; those that were told before get
        a new message, except that what is published is told once.
        """
        for notice in notices:
            known = notice.delivery_ids
            known._set_event(event)
            contracts = self.env["onergy.contract"].search(
                notice._get_contract_domain()
            )
            self._add(notice, contracts - known.contract_id, event)

    def _set_event(self, event):
        by_mail = self.filtered("partner_id.email")
        by_mail.write({"event": event, "state": "waiting"})
        (self - by_mail).write({"event": event, "state": "letter"})

    @api.model
    def _add(self, notice, contracts, event):
        return self.create(
            [
                {
                    "notice_id": notice.id,
                    "contract_id": contract.id,
                    "event": event,
                    "state": "waiting" if contract.partner_id.email else "letter",
                }
                for contract in contracts
            ]
        )

    @api.model
    def _add_newcomers(self):
        """Tell who moved in after a notice was published that is still going on."""
        for notice in self.env["onergy.notice"].search([("state", "=", "published")]):
            contracts = self.env["onergy.contract"].search(
                notice._get_contract_domain()
                & Domain("id", "not in", notice.delivery_ids.contract_id.ids)
            )
            self._add(notice, contracts, "published")

    @api.model
    def _cron_send(self):
        """Mail what waits, a hundred at a time, and remember each hundred."""
        cron = self.env["ir.cron"]
        self._add_newcomers()
        waiting = self.search([("state", "=", "waiting")])
        cron._commit_progress(remaining=len(waiting))
        for start in range(0, len(waiting), BATCH):
            batch = waiting[start : start + BATCH]
            batch._send()
            if not cron._commit_progress(len(batch)):
                break

    def _send(self):
        """Mail these lines in the resident's language: one mail for all his homes."""
        lines = self | self.search(
            [
                ("state", "=", "waiting"),
                ("notice_id", "in", self.notice_id.ids),
                ("partner_id", "in", self.partner_id.ids),
            ]
        )
        # A larger batch may have told him of this home already.
        lines = lines.filtered(lambda line: line.state == "waiting")
        by_person = lines.grouped(lambda line: (line.notice_id, line.partner_id))
        self.env.ref(TEMPLATE).send_mail_batch(
            [homes[0].id for homes in by_person.values()]
        )
        lines.write({"state": "sent", "date_sent": fields.Datetime.now()})

    def _get_subject(self):
        """Return the subject of the mail about this event."""
        self.ensure_one()
        subjects = {
            "published": self.notice_id.name,
            "update": self.env._("Changed: %s", self.notice_id.name),
            "solved": self.env._("Over: %s", self.notice_id.name),
            "cancelled": self.env._("Cancelled: %s", self.notice_id.name),
        }
        return subjects[self.event]

    def _get_homes(self):
        """Return the addresses of this resident that the notice is about."""
        self.ensure_one()
        lines = self.search(
            [
                ("notice_id", "=", self.notice_id.id),
                ("partner_id", "=", self.partner_id.id),
            ]
        )
        return lines.connection_id
