import json
from collections import defaultdict

from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_date

from ..parsers.units import ENERGY, UNITS, VOLUME

ENERGY_UNITS = [(unit, unit) for unit, (kind, _f) in UNITS.items() if kind == ENERGY]
VOLUME_UNITS = [("m3", "m³"), ("l", "l")]
REGISTERS = [("energy", "Heat"), ("cooling", "Cooling"), ("volume", "Volume")]
assert {unit for unit, _label in VOLUME_UNITS} == {
    unit for unit, (kind, _factor) in UNITS.items() if kind == VOLUME
}

#: In the context of a write that keeps the former unit; no client can send it.
UNIT_CHANGE = object()


class OnergyMeter(models.Model):
    """A physical meter, wherever it hangs; see ``onergy.meter.placement``."""

    _name = "onergy.meter"
    _description = "Meter"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _check_company_auto = True
    _order = "serial, id"
    _rec_name = "serial"
    _rec_names_search = ["serial", "mbus_id", "dev_eui"]

    serial = fields.Char(
        "Meter number",
        required=True,
        index="trigram",
        tracking=True,
        help="As printed on the meter and as written in reading files.",
    )
    active = fields.Boolean(default=True, tracking=True)
    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )
    kept_from = fields.Date(
        "Days kept from",
        readonly=True,
        copy=False,
        help="Daily values before this have been removed and are not derived again.",
    )
    maker = fields.Char(help="Name or three-letter code of the maker.")
    model = fields.Char("Type")
    mbus_id = fields.Char(
        "M-Bus id",
        index="btree_not_null",
        help="The eight digits that the meter sends itself, when they differ from "
        "the meter number.",
    )
    dev_eui = fields.Char("DevEUI", index="btree_not_null", help="LoRaWAN address.")
    mbus_key = fields.Char(
        "M-Bus key",
        groups="base.group_system",
        copy=False,
        help="AES-128 key of the meter's telegrams, 32 hexadecimal digits.",
    )
    medium = fields.Selection(
        [
            ("heat", "Heat"),
            ("cooling", "Cooling"),
            ("heat_cooling", "Heat and cooling"),
            ("water", "Hot tap water"),
        ],
        required=True,
        default="heat",
        tracking=True,
    )
    scope = fields.Selection(
        [("dwelling", "One dwelling"), ("building", "The whole building")],
        "Counts for",
        required=True,
        default="dwelling",
        tracking=True,
        help="The meter of a building is compared with the sum of its dwellings every "
        "month. Hang it at a connection of the complex that nobody lives at.",
    )
    unit = fields.Selection(
        ENERGY_UNITS,
        "Energy unit",
        required=True,
        default="GJ",
        tracking=True,
        help="The unit the meter was built with. A reading in another unit is set "
        "aside, never converted silently.",
    )
    volume_unit = fields.Selection(VOLUME_UNITS, required=True, default="m3")
    step = fields.Float(
        "Resolution",
        digits=(16, 6),
        required=True,
        default=0.001,
        help="The smallest step of the energy register, in its unit.",
    )
    register_capacity = fields.Float(
        digits=(16, 3),
        help="The value at which the energy register starts again at zero, in its "
        "unit; empty when it does not.",
    )
    power = fields.Float(
        "Connected power (kW)",
        digits=(10, 2),
        help="Most heat this connection can draw; more in a day is a fault.",
    )
    read_mode = fields.Selection(
        [
            ("remote", "Remote"),
            ("manual", "By hand"),
            ("refused", "By hand: resident refuses remote reading"),
        ],
        required=True,
        default="remote",
        tracking=True,
    )
    note = fields.Text()
    placement_ids = fields.One2many("onergy.meter.placement", "meter_id")
    register_ids = fields.One2many("onergy.meter.register", "meter_id")
    unit_ids = fields.One2many("onergy.meter.unit", "meter_id", string="Former units")
    revision_ids = fields.One2many(
        "onergy.reading.revision", "meter_id", string="Changed readings"
    )
    connection_id = fields.Many2one(
        "onergy.connection",
        "Hangs at",
        compute="_compute_connection_id",
        search="_search_connection_id",
    )
    last_moment = fields.Datetime(
        "Last reading", compute="_compute_last", search="_search_last_moment"
    )
    last_value = fields.Float("Last value", digits=(16, 3), compute="_compute_last")
    silent_days = fields.Integer("Days silent", compute="_compute_last")
    chart_data = fields.Text("Use per month", compute="_compute_chart_data")
    exception_count = fields.Integer(compute="_compute_exception_count")

    _serial_company_uniq = models.UniqueIndex(
        "(company_id, serial)", "A meter with this number already exists."
    )
    _step_positive = models.Constraint(
        "CHECK (step > 0)", "The resolution of a register is more than zero."
    )
    _capacity_positive = models.Constraint(
        "CHECK (register_capacity >= 0)", "A register cannot hold less than zero."
    )

    _mbus_key_format = models.Constraint(
        "CHECK (mbus_key ~ '^[0-9A-Fa-f]{32}$')",
        "The key of a meter has 32 hexadecimal digits.",
    )

    # -- compute ---------------------------------------------------------------

    @api.depends("placement_ids.date_from", "placement_ids.date_to")
    def _compute_connection_id(self):
        today = fields.Date.context_today(self)
        current = self.env["onergy.meter.placement"].search(
            [("meter_id", "in", self.ids), *self._get_placed_domain(today)]
        )
        by_meter = {placement.meter_id: placement for placement in current}
        for meter in self:
            placement = by_meter.get(meter)
            meter.connection_id = placement.connection_id if placement else False

    def _search_connection_id(self, operator, value):
        today = fields.Date.context_today(self)
        if operator == "in" and set(value) == {False}:
            return [("placement_ids", "not any", self._get_placed_domain(today))]
        return [
            (
                "placement_ids",
                "any",
                [("connection_id", operator, value), *self._get_placed_domain(today)],
            )
        ]

    @api.model
    def _get_placed_domain(self, day):
        """Domain of the placements that cover ``day``."""
        return [
            ("date_from", "<=", day),
            "|",
            ("date_to", "=", False),
            ("date_to", ">=", day),
        ]

    @api.depends("register_ids.last_moment")
    def _compute_last(self):
        now = fields.Datetime.now()
        for meter in self:
            registers = meter.register_ids.filtered("last_moment").sorted(
                lambda register: (register.register != "volume", register.last_moment)
            )
            last = registers[-1:]
            meter.last_moment = last.last_moment
            meter.last_value = last.last_value
            meter.silent_days = (now - last.last_moment).days if last else 0

    def _search_last_moment(self, operator, value):
        if operator == "in" and set(value) == {False}:
            return [("register_ids", "=", False)]
        return [("register_ids", "any", [("last_moment", operator, value)])]

    def _compute_exception_count(self):
        counts = dict(
            self.env["onergy.reading.exception"]._read_group(
                [("meter_id", "in", self.ids), ("state", "=", "open")],
                ["meter_id"],
                ["__count"],
            )
        )
        for meter in self:
            meter.exception_count = counts.get(meter, 0)

    @api.depends("serial", "maker")
    def _compute_display_name(self):
        for meter in self:
            meter.display_name = (
                f"{meter.serial} ({meter.maker})" if meter.maker else meter.serial
            )

    # -- CRUD ------------------------------------------------------------------

    def _set_unit(self, unit, step, register_capacity):
        """Another unit from now on; the caller keeps what the old one was."""
        self.with_context(onergy_unit_change=UNIT_CHANGE).write(
            {"unit": unit, "step": step, "register_capacity": register_capacity}
        )

    def write(self, vals):
        change = self.env.context.get("onergy_unit_change")
        if vals.keys() & {"unit", "volume_unit"} and change is not UNIT_CHANGE:
            changed = self.filtered(
                lambda meter: any(
                    name in vals and meter[name] != vals[name]
                    for name in ("unit", "volume_unit")
                )
            )
            if changed._has_readings():
                raise UserError(
                    self.env._(
                        "The unit of a meter with readings cannot change: its old "
                        "readings would be read in the new unit. Use the button 'Unit "
                        "changed', or register an exchange for a new meter."
                    )
                )
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_read(self):
        # A load that runs meanwhile may be about to insert readings of these meters.
        for company in self.company_id:
            self.env["onergy.reading.loader"]._lock(company)
        if self._has_readings():
            raise UserError(
                self.env._("A meter with readings is kept. Archive it instead.")
            )

    def _has_readings(self):
        return bool(
            self.env["onergy.reading"].search_count(
                [("meter_id", "in", self.ids)], limit=1
            )
        )

    # -- actions ---------------------------------------------------------------

    def action_view_readings(self):
        return self._get_related_action("onergy_metering.action_onergy_reading")

    def action_view_consumption(self):
        return self._get_related_action("onergy_metering.action_onergy_consumption_day")

    def action_view_exceptions(self):
        return self._get_related_action(
            "onergy_metering.action_onergy_reading_exception"
        )

    def _get_related_action(self, xmlid):
        action = self.env["ir.actions.act_window"]._for_xml_id(xmlid)
        action["domain"] = [("meter_id", "in", self.ids)]
        action["context"] = {"default_meter_id": self.id}
        return action

    # -- chart -----------------------------------------------------------------

    def _compute_chart_data(self):
        """Use per month of the last 13 months, in the shape of ``dashboard_graph``."""
        first = fields.Date.start_of(
            fields.Date.context_today(self) - relativedelta(months=12), "month"
        )
        use = defaultdict(float)
        for meter, register, month, quantity in self.env[
            "onergy.consumption.month"
        ]._read_group(
            [("meter_id", "in", self.ids), ("month", ">=", first)],
            ["meter_id", "register", "month:month"],
            ["quantity:sum"],
        ):
            use[meter, register, month] += quantity
        months = [first + relativedelta(months=number) for number in range(13)]
        for meter in self:
            register = meter._get_main_register()
            values = [
                {
                    "label": format_date(self.env, month, date_format="MMM yy"),
                    "value": round(use[meter, register, month], 3),
                    "type": "future" if month == months[-1] else "past",
                }
                for month in months
            ]
            title = "m³" if register == "volume" else "GJ"
            meter.chart_data = json.dumps([{"key": title, "values": values}])

    # -- registers -------------------------------------------------------------

    def _get_main_register(self):
        """The register that is billed."""
        self.ensure_one()
        return {"cooling": "cooling", "water": "volume"}.get(self.medium, "energy")

    def _get_register_unit(self, register, moment=None):
        """The unit a register counts in, or counted in at ``moment`` (naive UTC)."""
        self.ensure_one()
        if register == "volume":
            return self.volume_unit
        former = self.unit_ids.filtered(
            lambda past: (
                moment
                and moment < past.moment
                and (not past.moment_from or moment >= past.moment_from)
            )
        )
        return former.unit or self.unit
