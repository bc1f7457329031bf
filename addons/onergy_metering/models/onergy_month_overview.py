from decimal import Decimal

from dateutil.relativedelta import relativedelta
from markupsafe import Markup

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_date, formatLang

from ..parsers.units import gj_to_kwh
from .onergy_peer_use import DELAY_DAYS

BATCH = 50
MAIL_TEMPLATE = "onergy_metering.mail_template_month_overview"
#: Size of the graph, in the units of its drawing.
GRAPH_WIDTH = 400
GRAPH_ROW = 58
#: Told apart by their words and order; colours come on top of that.
COLORS = {
    "use": "#0b5c8a",
    "corrected": "#c46210",
    "before": "#f0c9a6",
    "peers": "#52606d",
}


class OnergyMonthOverview(models.Model):
    """What a resident used in a month and what it cost, told once.

    Heat that is read remotely is accounted for every month, free of charge (Energy
    Efficiency Directive 2012/27, annex VIIa): use and cost, the weather-corrected
    comparison with a year ago as a graph, the average comparable user, sources and
    emission, and where to go with questions and complaints. The figures are kept as
    they were told.

    States::

        ready -> sent          mailed
        ready -> failed        the mail could not be made; see ``error``
        opted_out, no_email    on the portal only
        any other -> ready     sent again by staff
    """

    _name = "onergy.month.overview"
    _description = "Monthly overview"
    _inherit = ["mail.thread"]
    _mail_post_access = "read"
    _order = "month desc, contract_id"
    _rec_name = "month"

    contract_id = fields.Many2one(
        "onergy.contract", required=True, readonly=True, index=True, ondelete="cascade"
    )
    partner_id = fields.Many2one(related="contract_id.partner_id", store=True)
    complex_id = fields.Many2one(related="contract_id.complex_id", store=True)
    company_id = fields.Many2one(
        "res.company", required=True, readonly=True, index=True
    )
    currency_id = fields.Many2one(related="company_id.currency_id")
    month = fields.Date(required=True, readonly=True, help="First day of the month.")
    state = fields.Selection(
        [
            ("ready", "To send"),
            ("sent", "Sent"),
            ("opted_out", "Does not want it by e-mail"),
            ("no_email", "No e-mail address"),
            ("failed", "Failed"),
        ],
        required=True,
        readonly=True,
        default="ready",
    )
    date_sent = fields.Datetime("Sent on", readonly=True)
    error = fields.Char(readonly=True)
    use = fields.Float("Use (GJ)", digits=(16, 3), readonly=True)
    cost = fields.Monetary("Cost incl. VAT", readonly=True)
    mix_id = fields.Many2one("onergy.energy.mix", readonly=True, ondelete="restrict")
    figures = fields.Json(
        readonly=True, help="What the resident was told, kept as it was."
    )

    _month_uniq = models.UniqueIndex(
        "(contract_id, month)", "This contract has an overview of that month."
    )
    _ready = models.Index("(id) WHERE state = 'ready'")

    @api.depends("month", "contract_id.name")
    def _compute_display_name(self):
        for record in self:
            record.display_name = " – ".join(
                filter(None, [record.contract_id.name, record._get_month_name()])
            )

    # -- job -----------------------------------------------------------------------

    @api.model
    def _cron_send(self):
        """Make the overviews that can be made, and mail those that wait.

        Overviews of a batch are made, and later marked as sent with their mails, in
        one transaction each: a run that is killed and started again makes and sends
        nothing twice.
        """
        for company in self.env["res.company"].search([]):
            for month in self._get_due_months(company):
                while count := self._make_batch(company, month):
                    if not self.env["ir.cron"]._commit_progress(count):
                        return
        # Each is tried once a run: what stays ready must not make it endless.
        waiting = self.search([("state", "=", "ready")], order="id")
        self.env["ir.cron"]._commit_progress(remaining=len(waiting))
        for start in range(0, len(waiting), BATCH):
            batch = waiting[start : start + BATCH]
            batch._send_ready()
            if not self.env["ir.cron"]._commit_progress(len(batch)):
                return

    @api.model
    def _get_due_months(self, company):
        Builder = self.env["onergy.overview.builder"]
        today = fields.Date.context_today(self)
        months = [
            month
            for month in Builder._get_first_months(company, today)
            if Builder._is_due(month, today, DELAY_DAYS)
        ]
        for month in months:
            # The comparison is part of it; the second time this does nothing.
            self.env["onergy.peer.use"]._compute_month(company, month)
        return months

    @api.model
    def _make_batch(self, company, month):
        """Make some overviews of a month; return how many."""
        Builder = self.env["onergy.overview.builder"].with_company(company)
        today = fields.Date.context_today(self)
        contracts = Builder._get_complete(company, month, today, BATCH)
        if not contracts:
            return 0
        figures = Builder._get_figures(contracts, month)
        mixes = self.env["onergy.energy.mix"]._get_in_force(
            contracts.complex_id, month + relativedelta(day=31)
        )
        quiet = self.with_context(tracking_disable=True, mail_create_nolog=True)
        quiet.create(
            [
                {
                    "contract_id": contract.id,
                    "company_id": company.id,
                    "month": month,
                    "state": self._get_first_state(contract),
                    "figures": figures[contract.id],
                    "use": float(figures[contract.id]["use"]),
                    "cost": float(self._get_total(figures[contract.id]) or 0),
                    "mix_id": mixes[contract.complex_id].id
                    if contract.complex_id in mixes
                    else False,
                }
                for contract in contracts
            ]
        )
        return len(contracts)

    @api.model
    def _get_first_state(self, contract):
        if not contract.overview_wanted:
            return "opted_out"
        return "ready" if contract.partner_id.email else "no_email"

    def _send_ready(self):
        """Mail the overviews that wait and that no other run is mailing."""
        overviews = self.try_lock_for_update(allow_referencing=True).filtered(
            lambda overview: overview.state == "ready"
        )
        for state in ("opted_out", "no_email"):
            # Chosen, or lost his address, after the overview was made.
            gone = overviews.filtered(
                lambda o, state=state: self._get_first_state(o.contract_id) == state
            )
            gone.state = state
            overviews -= gone
        if overviews:
            overviews._send()

    def _send(self):
        try:
            with self.env.cr.savepoint():
                self._send_mails()
        except UserError as error:
            if len(self) == 1:
                self.write({"state": "failed", "error": str(error)})
                return
            # One that cannot be made must not hold up the others.
            for record in self:
                record._send()

    def _send_mails(self):
        self.env.ref(MAIL_TEMPLATE).send_mail_batch(self.ids)
        self.write(
            {"state": "sent", "date_sent": fields.Datetime.now(), "error": False}
        )

    def action_resend(self):
        """Send again, by hand: the resident asked for it, or it had failed."""
        self.check_access("write")
        unwanted = self.filtered(lambda o: not o.contract_id.overview_wanted)
        if unwanted:
            raise UserError(
                self.env._(
                    "%(resident)s does not want the overview by e-mail. Change this on "
                    "the contract first.",
                    resident=unwanted[0].partner_id.display_name,
                )
            )
        for record in self:
            record._message_log(body=self.env._("To be sent again."))
        self.write({"state": "ready", "error": False})
        # sudo: triggering a cron is for administrators
        self.env.ref("onergy_metering.ir_cron_month_overview").sudo()._trigger()

    # -- what it tells -------------------------------------------------------------

    def _get_month_name(self, years_ago=0):
        self.ensure_one()
        day = self.month - relativedelta(years=years_ago)
        return format_date(self.env, day, date_format="MMMM y")

    @api.model
    def _get_total(self, figures):
        """Cost of the month, ``None`` unless all of it is known."""
        if figures["heat_cost"] is None or figures["fixed_cost"] is None:
            return None
        return Decimal(figures["heat_cost"]) + Decimal(figures["fixed_cost"])

    def _format_gj(self, text):
        return f"{formatLang(self.env, float(text), digits=2)} GJ"

    def _get_content(self):
        """Everything in words, for page, document and mail alike.

        The caller has checked that the user may read the overview.
        """
        self.ensure_one()
        # sudo: the resident reads no complexes, companies or mixes; only what is said
        # of his own month leaves here
        record = self.sudo()
        figures = record.figures
        bars = record._get_bars()
        company = record.company_id
        return {
            "title": self.env._(
                "Your heat in %(month)s", month=record._get_month_name()
            ),
            "address": record.contract_id.connection_id.name,
            "contract": record.contract_id.name,
            "period": record._get_period_text(),
            "use": record._format_gj(figures["use"]),
            "use_kwh": formatLang(
                self.env, float(gj_to_kwh(Decimal(figures["use"]))), digits=0
            ),
            "estimated": figures["estimated"],
            "costs": record._get_cost_rows(),
            "price": figures["price"]
            and record.contract_id._format_cost(Decimal(figures["price"])),
            "bars": bars,
            "graph_height": len(bars) * GRAPH_ROW,
            "conclusion": record._get_conclusion(),
            "sources": [
                (
                    dict(line._fields["source"]._description_selection(self.env))[
                        line.source
                    ],
                    f"{formatLang(self.env, line.share, digits=1)} %",
                )
                for line in record.mix_id.line_ids
            ],
            "emission": record.mix_id
            and formatLang(self.env, record.mix_id.emission, digits=1),
            "co2": figures["co2"]
            and formatLang(self.env, float(figures["co2"]), digits=0),
            "supplier": ", ".join(
                filter(None, [company.name, company.phone, company.email])
            ),
            "advice_body": company.onergy_advice_body,
            "consumer_body": company.onergy_consumer_body,
            "dispute_body": record.complex_id.dispute_body
            or company.onergy_dispute_body,
            "base_url": record.contract_id.get_base_url(),
            "contract_id": record.contract_id.id,
        }

    def _get_period_text(self):
        """The days it is about, where these are not the whole month."""
        last = self.month + relativedelta(day=31)
        first = max(self.month, self.contract_id.date_start)
        until = min(last, self.contract_id.date_end or last)
        if (first, until) == (self.month, last):
            return ""
        return self.env._(
            "This is about the days from %(first)s until %(until)s.",
            first=format_date(self.env, first, date_format="d MMMM"),
            until=format_date(self.env, until, date_format="d MMMM y"),
        )

    def _get_cost_rows(self):
        """[(label, amount)], empty where the price is not known."""
        figures, contract = self.figures, self.contract_id
        if figures["heat_cost"] is None:
            return []
        rows = [(self.env._("Heat"), Decimal(figures["heat_cost"]))]
        total = self._get_total(figures)
        if total is not None:
            rows += [
                (self.env._("Fixed costs"), Decimal(figures["fixed_cost"])),
                (self.env._("Together, including VAT"), total),
            ]
        return [(label, contract._format_cost(amount)) for label, amount in rows]

    def _get_bars(self):
        """Rows of the graph, with their place in the drawing."""
        before = self._get_month_name(years_ago=1)
        labels = {
            "use": self._get_month_name(),
            "corrected": self.env._("%(month)s, if it had been as cold", month=before),
            "before": before,
            "peers": self.env._("Homes like yours, on average"),
        }
        values = {
            name: Decimal(self.figures[name])
            for name in labels
            if self.figures[name] is not None
        }
        largest = max(values.values()) or Decimal(1)
        return [
            {
                "label": labels[name],
                "text": self._format_gj(value),
                "color": COLORS[name],
                "percent": round(100 * value / largest),
                "width": float(round(GRAPH_WIDTH * value / largest, 1)),
                "label_y": number * GRAPH_ROW + 18,
                "y": number * GRAPH_ROW + 26,
            }
            for number, (name, value) in enumerate(values.items())
        ]

    def _get_conclusion(self):
        """The corrected comparison in a sentence."""
        figures = self.figures
        if figures["before"] is None:
            return self.env._(
                "We cannot compare with a year ago, because we do not know your use "
                "then."
            )
        if figures["corrected"] is None:
            return self.env._(
                "We do not know yet how cold this month was. That is why the "
                "comparison is not corrected for the weather."
            )
        corrected = Decimal(figures["corrected"])
        if not corrected:
            return ""
        percent = round(100 * (Decimal(figures["use"]) - corrected) / corrected)
        return self.contract_id._describe_corrected_percent(percent)

    def _render_mail_body(self):
        """The content as it stands in a mail, in the language of the context."""
        self.ensure_one()
        return Markup(
            self.env["ir.qweb"]._render(
                "onergy_metering.month_overview_content",
                {"overview": self._get_content(), "for_mail": True},
            )
        )
