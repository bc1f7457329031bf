from odoo import api, fields, models

CODES = [
    ("power", "More than the connection can draw"),
    ("high", "Much more than expected"),
    ("ratio", "Off by a factor of units"),
    ("low", "Much less than expected"),
    ("stuck", "Register stands still while water flows"),
    ("still", "No use for days"),
    ("delta_t", "Energy and volume do not fit"),
    ("gap", "No readings for days"),
    ("estimated", "Estimated for too long"),
    ("late", "Reading is old"),
    ("status", "The meter reports a fault"),
    ("exchange", "Start or end reading is missing"),
    ("sum", "Building and dwellings do not add up"),
]


class OnergyVeeRule(models.Model):
    """A threshold, in force from one day until another.

    Changing a threshold is done with a new rule from a date on, so that old data stay
    judged by what was in force then. What cannot be a matter of taste (unknown meter,
    another unit, a falling register, ...) is not a rule but part of every load.
    """

    _name = "onergy.vee.rule"
    _description = "Validation rule"
    _inherit = ["mail.thread"]
    _order = "code, date_from desc"
    _rec_name = "code"

    code = fields.Selection(CODES, "Rule", required=True, tracking=True)
    active = fields.Boolean(default=True, tracking=True)
    company_id = fields.Many2one(
        "res.company", index=True, help="Empty: for all companies without their own."
    )
    severity = fields.Selection(
        [
            ("info", "Information"),
            ("issue", "Work item"),
            ("terminate", "Set aside"),
        ],
        required=True,
        default="issue",
        tracking=True,
        help="Only what is known before a reading lands (more than the connection can "
        "draw) can be set aside; other rules judge the use of a day afterwards.",
    )
    date_from = fields.Date(
        "In force from", required=True, default="2000-01-01", tracking=True
    )
    date_to = fields.Date("Until", tracking=True)
    threshold = fields.Float(digits=(12, 4), required=True, tracking=True)
    minimum = fields.Float(
        digits=(12, 4),
        tracking=True,
        help="Below this nothing is said (GJ a day; degree days for 'much less').",
    )
    days = fields.Integer(
        tracking=True, help="For so many days in a row, in the heating months."
    )
    days_summer = fields.Integer(
        tracking=True, help="The same, from May until September."
    )
    explanation = fields.Text(compute="_compute_explanation")

    _dates_order = models.Constraint(
        "CHECK (date_to IS NULL OR date_to >= date_from)",
        "A rule cannot end before it starts.",
    )
    _set_aside_beforehand = models.Constraint(
        "CHECK (severity <> 'terminate' OR code = 'power')",
        "Only 'More than the connection can draw' can set a reading aside: the other "
        "rules judge what a reading made of the day, once it is in.",
    )
    _no_overlap = models.Constraint(
        "EXCLUDE USING gist ("
        "int4range(COALESCE(company_id, 0), COALESCE(company_id, 0), '[]') WITH &&, "
        "int4range(hashtext(code) / 4, hashtext(code) / 4, '[]') WITH &&, "
        "daterange(date_from, date_to, '[]') WITH &&) WHERE (active)",
        "This rule has another threshold on these days. End that one first.",
    )

    @api.depends("code")
    @api.depends_context("lang")
    def _compute_display_name(self):
        labels = dict(self._fields["code"]._description_selection(self.env))
        for rule in self:
            rule.display_name = labels.get(rule.code)

    @api.depends("code")
    def _compute_explanation(self):
        _ = self.env._
        texts = {
            "power": _(
                "Threshold: kW, for meters that do not name the power of their "
                "connection."
            ),
            "high": _("Threshold: times what the degree days lead to expect."),
            "ratio": _(
                "Threshold: how near to 3.6, 10, 277.8 or 1000 times the expectation "
                "(0.1 is ten percent)."
            ),
            "low": _("Threshold: part of the expectation (0.2 is a fifth)."),
            "stuck": _("Days without energy while the volume register moves."),
            "still": _("Days without any use although the weather asks for heat."),
            "delta_t": _(
                "Threshold: the highest cooling of the water that is possible, in "
                "kelvin; minimum: the lowest."
            ),
            "gap": _("Days without a reading."),
            "estimated": _(
                "Days in a row that are estimated. Threshold: bills in a row that may "
                "end with an estimate, where bills are made."
            ),
            "late": _("Threshold: hours between the reading and its arrival."),
            "status": _("A reading comes with a warning of the meter; once a month."),
            "exchange": _(
                "Days after a placement began or ended without a reading of that day."
            ),
            "sum": _(
                "Threshold: part of the building's use that the dwellings differ from "
                "it in a month (0.15 is fifteen percent). Judged once every dwelling "
                "has the month complete."
            ),
        }
        for rule in self:
            rule.explanation = texts.get(rule.code, "")
