import re

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from .onergy_connection import normalise_postcode


class OnergyComplex(models.Model):
    """A site with one heat supply: a building or a group of buildings."""

    _name = "onergy.complex"
    _description = "Complex"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _check_company_auto = True
    _order = "code, name"
    _rec_names_search = ["name", "code", "city"]

    name = fields.Char(required=True, tracking=True)
    code = fields.Char(
        required=True,
        index="trigram",
        tracking=True,
        help="Short code that staff use for the complex, unique per company.",
    )
    active = fields.Boolean(default=True)
    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )
    currency_id = fields.Many2one(related="company_id.currency_id")
    regime = fields.Selection(
        [
            ("warmtewet", "Heat Act (Warmtewet)"),
            ("servicekosten", "Service costs (landlord)"),
            ("vve", "Owners' association (VvE)"),
        ],
        required=True,
        default="warmtewet",
        tracking=True,
        help="Which rules the bill follows. The Heat Act does not cover a landlord "
        "who supplies his own tenants or an owners' association that supplies its "
        "members (Warmtewet, article 1a).",
    )
    weather_station = fields.Char(
        default="260",
        help="Number of the KNMI weather station whose temperatures count here, "
        "for example 260 for De Bilt.",
    )
    season_start = fields.Char(
        "Heating season from",
        required=True,
        default="10-01",
        help="Month and day, for example 10-01.",
    )
    season_end = fields.Char(
        "Heating season until",
        required=True,
        default="04-30",
        help="Month and day, for example 04-30.",
    )
    street = fields.Char()
    zip = fields.Char("Postcode")
    city = fields.Char()
    owner_id = fields.Many2one(
        "res.partner",
        check_company=True,
        tracking=True,
        help="Who pays for a dwelling while it stands empty, unless the connection "
        "names an owner of its own.",
    )
    daily_basis = fields.Selection(
        [
            ("none", "None: months only"),
            ("consent", "Consent of each resident"),
            ("contract", "Needed for the contract"),
        ],
        "Legal basis of daily readings",
        required=True,
        default="consent",
        tracking=True,
        help="Residents see their use per day only on this basis, else per month. "
        "With consent each resident decides on the website (GDPR, article 6).",
    )
    daily_basis_date = fields.Date(
        "Basis recorded on",
        compute="_compute_daily_basis_date",
        store=True,
        readonly=False,
        tracking=True,
    )
    daily_basis_note = fields.Char(
        "Grounds",
        tracking=True,
        help="Why this is the basis: the article of the contract, or the decision.",
    )
    connection_ids = fields.One2many("onergy.connection", "complex_id")
    connection_count = fields.Integer(compute="_compute_connection_count")
    contract_count = fields.Integer(compute="_compute_contract_count")

    _code_company_uniq = models.UniqueIndex(
        "(code, company_id)", "This code is already used by another complex."
    )

    @api.depends("name", "code")
    def _compute_display_name(self):
        for record in self:
            record.display_name = " ".join(
                filter(None, [record.code and f"[{record.code}]", record.name])
            )

    @api.depends("daily_basis")
    def _compute_daily_basis_date(self):
        for record in self:
            record.daily_basis_date = fields.Date.context_today(record)

    @api.constrains("daily_basis", "daily_basis_note")
    def _check_daily_basis(self):
        for record in self:
            if record.daily_basis == "contract" and not record.daily_basis_note:
                raise ValidationError(
                    self.env._(
                        "Say why the contract of %(complex)s needs daily readings.",
                        complex=record.display_name,
                    )
                )

    @api.depends("connection_ids")
    def _compute_connection_count(self):
        counts = dict(
            self.env["onergy.connection"]._read_group(
                [("complex_id", "in", self.ids)], ["complex_id"], ["__count"]
            )
        )
        for record in self:
            record.connection_count = counts.get(record, 0)

    @api.depends("connection_ids.contract_ids")
    def _compute_contract_count(self):
        counts = dict(
            self.env["onergy.contract"]._read_group(
                [("complex_id", "in", self.ids), ("state", "=", "running")],
                ["complex_id"],
                ["__count"],
            )
        )
        for record in self:
            record.contract_count = counts.get(record, 0)

    @api.constrains("season_start", "season_end")
    def _check_season(self):
        for record in self:
            for value in (record.season_start, record.season_end):
                if not re.fullmatch(r"(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", value):
                    raise ValidationError(
                        self.env._(
                            "%(value)s is not a month and day. Write it as 10-01.",
                            value=value,
                        )
                    )

    @api.model_create_multi
    def create(self, vals_list):
        return super().create([normalise_postcode(vals) for vals in vals_list])

    def write(self, vals):
        if "company_id" in vals:
            self._check_company_change(vals["company_id"])
        result = super().write(normalise_postcode(vals))
        if "active" in vals and not vals["active"]:
            # Its connections go with it, or say why they cannot.
            self.connection_ids.action_archive()
        return result

    def _check_company_change(self, company_id):
        for record in self.filtered(lambda c: c.company_id.id != company_id):
            if record.with_context(active_test=False).connection_ids:
                raise ValidationError(
                    self.env._(
                        "%(complex)s has connections, so it cannot go to another "
                        "company.",
                        complex=record.display_name,
                    )
                )

    @api.model
    def get_import_templates(self):
        return [
            {
                "label": self.env._("Import template for complexes"),
                "template": "/onergy_residents/static/import/complexes.xlsx",
            }
        ]

    def action_open_connections(self):
        return {
            "type": "ir.actions.act_window",
            "domain": [("complex_id", "in", self.ids)],
            "name": self.env._("Connections"),
            "res_model": "onergy.connection",
            "view_mode": "list,kanban,form,pivot,graph",
            "context": {"default_complex_id": self.id if len(self) == 1 else False},
        }

    def action_open_contracts(self):
        return {
            "type": "ir.actions.act_window",
            "domain": [("complex_id", "in", self.ids)],
            "name": self.env._("Contracts"),
            "res_model": "onergy.contract",
            "view_mode": "list,kanban,form,pivot,graph",
            "context": {"search_default_running": 1},
        }
