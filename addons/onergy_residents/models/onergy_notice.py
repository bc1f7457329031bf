from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import format_datetime

SERVICES = ("service_heating", "service_hot_water", "service_cooling")


class OnergyNotice(models.Model):
    """What residents of a complex are told about the supply: works, outages, news.

    Who is told is settled by ``onergy.notice.delivery``: a line for each contract,
    which is also what lets its resident read the notice on the portal.
    """

    _name = "onergy.notice"
    _description = "Notice to residents"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _check_company_auto = True
    _order = "date_start desc, id desc"

    name = fields.Char("Subject", required=True, tracking=True)
    kind = fields.Selection(
        [
            ("outage", "Outage"),
            ("planned", "Planned works"),
            ("information", "Information"),
        ],
        required=True,
        default="planned",
        tracking=True,
    )
    state = fields.Selection(
        [
            ("draft", "Draft"),
            ("published", "Published"),
            ("solved", "Over"),
            ("cancelled", "Cancelled"),
        ],
        "Status",
        required=True,
        readonly=True,
        copy=False,
        default="draft",
        index=True,
        tracking=True,
    )
    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )
    complex_ids = fields.Many2many(
        "onergy.complex", string="Complexes", required=True, check_company=True
    )
    connection_ids = fields.Many2many(
        "onergy.connection",
        string="Only these homes",
        check_company=True,
        domain="[('complex_id', 'in', complex_ids)]",
        help="Empty: every home of the complexes.",
    )
    service_heating = fields.Boolean("No heating", default=True)
    service_hot_water = fields.Boolean("No hot water")
    service_cooling = fields.Boolean("No cooling")
    date_start = fields.Datetime(
        "From", required=True, default=fields.Datetime.now, tracking=True
    )
    date_end = fields.Datetime(
        "Expected until", tracking=True, help="Empty: not known yet."
    )
    date_published = fields.Datetime("Published on", readonly=True, copy=False)
    date_solved = fields.Datetime("Over since", readonly=True, copy=False)
    body = fields.Html(
        "Text",
        sanitize_overridable=False,
        help="What residents read: what happens, what they notice, what they can do.",
    )
    delivery_ids = fields.One2many("onergy.notice.delivery", "notice_id", "Told to")
    delivery_count = fields.Integer("Homes", compute="_compute_delivery_counts")
    waiting_count = fields.Integer("Still to mail", compute="_compute_delivery_counts")
    letter_count = fields.Integer("Letters", compute="_compute_delivery_counts")
    request_ids = fields.One2many("onergy.request", "notice_id", "Reports")
    request_count = fields.Integer("Reports of it", compute="_compute_request_count")

    _dates_order = models.Constraint(
        "CHECK (date_end IS NULL OR date_end >= date_start)",
        "The end cannot be before the start.",
    )

    # ------------------------------------------------------------------ computes
    @api.depends("delivery_ids.state")
    def _compute_delivery_counts(self):
        counts = {
            (notice, state): count
            for notice, state, count in self.env["onergy.notice.delivery"]._read_group(
                [("notice_id", "in", self.ids)], ["notice_id", "state"], ["__count"]
            )
        }
        for record in self:
            by_state = {
                state: count
                for (notice, state), count in counts.items()
                if notice == record
            }
            record.delivery_count = sum(by_state.values())
            record.waiting_count = by_state.get("waiting", 0)
            record.letter_count = by_state.get("letter", 0)

    @api.depends("request_ids")
    def _compute_request_count(self):
        counts = dict(
            self.env["onergy.request"]._read_group(
                [("notice_id", "in", self.ids)], ["notice_id"], ["__count"]
            )
        )
        for record in self:
            record.request_count = counts.get(record, 0)

    # ------------------------------------------------------------------ texts
    def _get_services_text(self):
        """Return what does not work, in words, for example "heating and hot water"."""
        self.ensure_one()
        names = {
            "service_heating": self.env._("heating"),
            "service_hot_water": self.env._("hot water"),
            "service_cooling": self.env._("cooling"),
        }
        missing = [names[service] for service in SERVICES if self[service]]
        if len(missing) < 2:
            return "".join(missing)
        return self.env._(
            "%(first)s and %(last)s",
            first=", ".join(missing[:-1]),
            last=missing[-1],
        )

    def _get_period_text(self):
        """Return from when until when, as the resident reads it."""
        self.ensure_one()
        start = self._format_moment(self.date_start)
        end = self._format_moment(self.date_solved or self.date_end)
        if end and end.rpartition(" ")[0] == start.rpartition(" ")[0]:
            # The day is named once.
            end = end.rpartition(" ")[2]
        if end:
            return self.env._("%(start)s until %(end)s", start=start, end=end)
        return self.env._("since %(start)s, end not known yet", start=start)

    def _format_moment(self, moment):
        return moment and format_datetime(
            self.env,
            moment,
            tz="Europe/Amsterdam",
            dt_format="d MMMM y HH:mm",
        )

    # ------------------------------------------------------------------ actions
    def action_publish(self):
        """Show the notice to the residents it is about, and mail or write to them."""
        for record in self:
            if record.state not in ("draft", "cancelled"):
                raise UserError(
                    self.env._("%(notice)s was published before.", notice=record.name)
                )
        self.write({"state": "published", "date_published": fields.Datetime.now()})
        self._tell("published")

    def action_send_update(self):
        """Tell the same residents once more, after the text or the end changed."""
        for record in self:
            if record.state != "published":
                raise UserError(
                    self.env._("%(notice)s is not published.", notice=record.name)
                )
        self._tell("update")

    def action_solve(self):
        """Say that it is over, to the residents and in the reports about it."""
        now = fields.Datetime.now()
        for record in self.filtered(lambda notice: notice.state == "published"):
            record.write({"state": "solved", "date_solved": record.date_solved or now})
            record._answer_reports()
            record._tell("solved")

    def action_cancel(self):
        """Take it back; who was told of coming works hears that they are off."""
        for record in self.filtered(lambda notice: notice.state != "cancelled"):
            was_published = record.state == "published"
            record.state = "cancelled"
            if was_published:
                record._tell("cancelled")

    def action_reopen(self):
        """It was not over after all."""
        for record in self.filtered(lambda notice: notice.state == "solved"):
            record.write({"state": "published", "date_solved": False})

    def action_open_deliveries(self):
        return {
            **self._get_list_action(self.env._("Told to"), "onergy.notice.delivery"),
            "context": {"create": False},
        }

    def action_open_requests(self):
        return self._get_list_action(self.env._("Reports"), "onergy.request")

    def _get_list_action(self, name, model):
        return {
            "type": "ir.actions.act_window",
            "name": name,
            "res_model": model,
            "view_mode": "list,form",
            "domain": [("notice_id", "in", self.ids)],
        }

    def action_print_letters(self):
        """Print a letter for each home that has no e-mail address."""
        letters = self.delivery_ids.filtered(lambda line: line.state == "letter")
        if not letters:
            raise UserError(self.env._("Nobody has to get this notice by post."))
        return self.env.ref(
            "onergy_residents.action_report_notice_letter"
        ).report_action(letters)

    def action_letters_posted(self):
        """The letters are on their way: they no longer wait."""
        self.delivery_ids.filtered(lambda line: line.state == "letter").write(
            {"state": "posted", "date_sent": fields.Datetime.now()}
        )

    # ------------------------------------------------------------------ telling
    def _get_contract_domain(self):
        """Return the contracts that run at any moment that the notice is about."""
        self.ensure_one()
        today = fields.Date.context_today(self)
        first = min(self.date_start.date(), today) if self.date_solved else today
        last = max((self.date_end or self.date_start).date(), today)
        domain = (
            Domain("complex_id", "in", self.complex_ids.ids)
            & Domain("date_start", "<=", last)
            & (Domain("date_end", "=", False) | Domain("date_end", ">=", first))
        )
        if self.connection_ids:
            domain &= Domain("connection_id", "in", self.connection_ids.ids)
        return domain

    def _tell(self, event):
        """Put a message about ``event`` in the queue for each home, once."""
        self.env["onergy.notice.delivery"]._queue(self, event)
        # sudo: triggering a cron is for administrators
        self.env.ref("onergy_residents.ir_cron_notice").sudo()._trigger()

    def _answer_reports(self):
        """Answer the residents who reported it, in their own conversation."""
        self.ensure_one()
        waiting = self.request_ids.filtered(lambda r: r.state in ("new", "open"))
        for report in waiting:
            language = report.with_context(lang=report._get_lang())
            report.message_post(
                body=language.env._(
                    "The fault has been solved (%(moment)s). Does it still not work in "
                    "your home? Then answer this message.",
                    moment=self.with_context(lang=report._get_lang())._format_moment(
                        self.date_solved
                    ),
                ),
                message_type="comment",
                subtype_xmlid="mail.mt_comment",
            )

    @api.model
    def _get_current(self, contract):
        """Return the notices that matter now to the resident of a contract."""
        return self.search(
            Domain("delivery_ids.contract_id", "=", contract.id)
            & Domain("state", "=", "published")
            & self._get_lived_domain(contract)
            & (
                Domain("date_end", "=", False)
                | Domain("date_end", ">=", fields.Datetime.now())
                | Domain("kind", "=", "outage")
            )
        )

    @api.model
    def _get_lived_domain(self, contract):
        """Return the domain of what begins before the resident has left."""
        if not contract.date_end:
            return Domain.TRUE
        return Domain("date_start", "<", contract.date_end + timedelta(days=1))
