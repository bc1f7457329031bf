import re

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.fields import Domain

# Four digits, two letters; the letters SA, SD and SS are not given out (PostNL).
POSTCODE = re.compile(r"\s*([1-9][0-9]{3})\s*(?!SA|SD|SS)([A-Z]{2})\s*", re.IGNORECASE)

DWELLING_TYPES = [
    ("apartment", "Apartment"),
    ("terraced", "Terraced house"),
    ("corner", "Corner house"),
    ("semi_detached", "Semi-detached house"),
    ("detached", "Detached house"),
    ("other", "Other"),
]


def normalise_postcode(vals):
    """Return ``vals`` with a Dutch postcode as 1234 AB and any other value as it is."""
    match = POSTCODE.fullmatch(vals.get("zip") or "")
    return {**vals, "zip": f"{match[1]} {match[2].upper()}"} if match else vals


def _ean_check_sql(length=18):
    """SQL that is true for an EAN whose last digit is its GS1 check digit.

    GS1 General Specifications, section 7.9: digits weigh 3 and 1 in turn, counted
    from the digit before the check digit; the sum with the check digit is a
    multiple of ten.
    """
    terms = [
        f"{3 if (length - position) % 2 else 1} * substr(ean, {position}, 1)::int"
        for position in range(1, length)
    ]
    total = " + ".join([*terms, f"substr(ean, {length}, 1)::int"])
    # CASE, for the casts must not run on what is not a digit.
    return (
        f"CASE WHEN ean IS NULL THEN true WHEN ean ~ '^[0-9]{{{length}}}$' "
        f"THEN ({total}) % 10 = 0 ELSE false END"
    )


class OnergyConnection(models.Model):
    """One dwelling's supply point in a complex."""

    _name = "onergy.connection"
    _description = "Connection"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _check_company_auto = True
    _order = "zip, street, house_number_sort, house_number, house_addition, id"
    _rec_names_search = ["name", "ean", "zip"]

    name = fields.Char(
        "Address", compute="_compute_name", store=True, index="trigram", readonly=True
    )
    active = fields.Boolean(default=True)
    complex_id = fields.Many2one(
        "onergy.complex",
        required=True,
        index=True,
        ondelete="restrict",
        check_company=True,
        tracking=True,
    )
    company_id = fields.Many2one(
        related="complex_id.company_id", store=True, index=True
    )
    street = fields.Char(required=True)
    house_number = fields.Char(required=True)
    house_addition = fields.Char("Addition")
    house_number_sort = fields.Integer(
        compute="_compute_house_number_sort",
        store=True,
        export_string_translation=False,
    )
    zip = fields.Char("Postcode", required=True, index=True)
    city = fields.Char(required=True)
    country_id = fields.Many2one(
        "res.country", default=lambda self: self.env.company.country_id
    )
    ean = fields.Char(
        "EAN",
        copy=False,
        tracking=True,
        help="The 18 digits that identify this supply point.",
    )
    bag_id = fields.Char(
        "BAG id",
        copy=False,
        help="Number of the dwelling in the Dutch register of addresses and "
        "buildings (BAG, verblijfsobject).",
    )
    service_heating = fields.Boolean("Heating", default=True, tracking=True)
    service_hot_water = fields.Boolean("Hot water", default=True, tracking=True)
    service_cooling = fields.Boolean("Cooling", tracking=True)
    dwelling_type = fields.Selection(DWELLING_TYPES, required=True, default="apartment")
    supply_start = fields.Date(
        "Supplied since",
        help="First day of supply. From here on every day needs a payer. Empty: from "
        "the first contract on.",
    )
    floor_area = fields.Float("Floor area (m²)", digits=(10, 1))
    owner_id = fields.Many2one(
        "res.partner",
        check_company=True,
        tracking=True,
        help="Who pays while the dwelling stands empty, when this is not the owner "
        "of the complex.",
    )
    # Staff only: a past resident may still read his old connection, and the record
    # rule that lets him do so leaves the contracts of his successors in the cache.
    contract_ids = fields.One2many(
        "onergy.contract", "connection_id", groups="base.group_user"
    )
    contract_count = fields.Integer(
        compute="_compute_contract_count", groups="base.group_user"
    )
    current_contract_id = fields.Many2one(
        "onergy.contract",
        compute="_compute_current_contract_id",
        search="_search_current_contract_id",
        groups="base.group_user",
    )
    current_partner_id = fields.Many2one(
        related="current_contract_id.partner_id",
        string="Current payer",
        groups="base.group_user",
    )

    _ean_check = models.Constraint(
        f"CHECK ({_ean_check_sql()})",
        "This is not a valid EAN: it has 18 digits, the last of which is a check "
        "digit. Compare it with the letter of the network operator.",
    )
    _bag_id_check = models.Constraint(
        "CHECK (bag_id ~ '^[0-9]{16}$')",
        "A BAG id has 16 digits. A spreadsheet may have dropped the zero in front.",
    )
    _ean_uniq = models.UniqueIndex(
        "(ean)", "This EAN already belongs to another connection."
    )

    @api.depends("street", "house_number", "house_addition", "zip", "city")
    def _compute_name(self):
        for record in self:
            place = " ".join(filter(None, [record.zip, record.city]))
            record.name = ", ".join(filter(None, [record._get_street_line(), place]))

    def _get_street_line(self):
        """Return the street with the house number, for example Dorpsstraat 12-2."""
        self.ensure_one()
        number = self.house_number or ""
        if self.house_addition:
            separator = "" if self.house_addition.isalpha() else "-"
            number = f"{number}{separator}{self.house_addition}"
        return " ".join(filter(None, [self.street, number]))

    @api.depends("house_number")
    def _compute_house_number_sort(self):
        for record in self:
            digits = "".join(c for c in record.house_number or "" if c.isdigit())
            record.house_number_sort = int(digits[:9] or 0)

    @api.depends("contract_ids")
    def _compute_contract_count(self):
        counts = dict(
            self.env["onergy.contract"]._read_group(
                [("connection_id", "in", self.ids)], ["connection_id"], ["__count"]
            )
        )
        for record in self:
            record.contract_count = counts.get(record, 0)

    @api.depends("contract_ids.date_start", "contract_ids.date_end")
    def _compute_current_contract_id(self):
        contracts = self.env["onergy.contract"].search(
            [("connection_id", "in", self.ids), ("state", "=", "running")]
        )
        by_connection = {contract.connection_id: contract for contract in contracts}
        for record in self:
            record.current_contract_id = by_connection.get(record, False)

    def _search_current_contract_id(self, operator, value):
        if operator == "in" and set(value) == {False}:
            running = self.env["onergy.contract"]._search([("state", "=", "running")])
            return [("contract_ids", "not any", [("id", "in", running)])]
        return [
            (
                "contract_ids",
                "any",
                [("state", "=", "running"), ("id", operator, value)],
            )
        ]

    @api.constrains("zip", "country_id")
    def _check_postcode(self):
        for record in self:
            if record.country_id.code == "NL" and not POSTCODE.fullmatch(record.zip):
                raise ValidationError(
                    self.env._(
                        "%(zip)s is not a Dutch postcode. Write it as 1234 AB.",
                        zip=record.zip,
                    )
                )

    @api.constrains("active")
    def _check_archive(self):
        today = fields.Date.context_today(self)
        in_use = self.env["onergy.contract"].search(
            [
                ("connection_id", "in", self.filtered(lambda c: not c.active).ids),
                "|",
                ("date_end", "=", False),
                ("date_end", ">=", today),
            ],
        )
        if in_use:
            raise ValidationError(
                self.env._(
                    "These connections cannot be archived, for their contract has not "
                    "ended. End the contract first:\n%(contracts)s",
                    contracts="\n".join(in_use[:10].mapped("display_name")),
                )
            )

    @api.model_create_multi
    def create(self, vals_list):
        return super().create([self._normalise(vals) for vals in vals_list])

    def write(self, vals):
        if "complex_id" in vals:
            self._check_company_change(vals["complex_id"])
        return super().write(self._normalise(vals))

    def _check_company_change(self, complex_id):
        company = self.env["onergy.complex"].browse(complex_id).company_id
        for record in self.filtered(lambda c: c.company_id != company):
            if record.with_context(active_test=False).contract_ids:
                raise ValidationError(
                    self.env._(
                        "%(connection)s has contracts, so it cannot go to a complex of "
                        "another company.",
                        connection=record.display_name,
                    )
                )

    @api.model
    def _normalise(self, vals):
        """Return ``vals`` with codes as they are written in official registers."""
        vals = dict(normalise_postcode(vals))
        for name in ("ean", "bag_id"):
            if vals.get(name):
                vals[name] = re.sub(r"[\s.-]", "", vals[name])
        return vals

    @api.model
    def get_import_templates(self):
        return [
            {
                "label": self.env._("Import template for connections"),
                "template": "/onergy_residents/static/import/connections.xlsx",
            }
        ]

    def action_open_contracts(self):
        return {
            "type": "ir.actions.act_window",
            "domain": [("connection_id", "in", self.ids)],
            "name": self.env._("Contracts"),
            "res_model": "onergy.contract",
            "view_mode": "list,kanban,form",
            "context": {"default_connection_id": self.id if len(self) == 1 else False},
        }

    @api.model
    def _get_landlord_homes(self, debtor):
        """Return the homes that a debtor owns or has a contract for, by address."""
        his = ("commercial_partner_id", "=", debtor.id)
        return self.search(
            Domain("contract_ids.partner_id", "any", [his])
            | Domain("owner_id", "any", [his])
            | (
                Domain("owner_id", "=", False)
                & Domain("complex_id.owner_id", "any", [his])
            )
        )

    def _is_owned_by(self, debtor):
        """Tell whether this debtor pays when the home stands empty."""
        self.ensure_one()
        return self._get_vacancy_payer().commercial_partner_id == debtor

    def _get_vacancy_payer(self):
        """Return who pays for this connection while nobody lives there."""
        self.ensure_one()
        return self.owner_id or self.complex_id.owner_id

    def _prepare_vacancy_contract(self, owner, date_from, date_to=False):
        """Return values of the contract by which the owner pays for these days."""
        self.ensure_one()
        return {
            "connection_id": self.id,
            "partner_id": owner.id,
            "role": "vacancy",
            "date_start": date_from,
            "date_end": date_to,
            "invoice_delivery": "email" if owner.email else "post",
        }
