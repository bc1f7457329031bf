import json
from datetime import timedelta
from decimal import Decimal

from odoo import api, fields, models
from odoo.tools import format_date

from .onergy_meter import REGISTERS


class OnergyReadingException(models.Model):
    """A row that was set aside, until somebody decides about it.

    Inserted by ``onergy.reading.loader``. Holds everything that could be read of the
    row, so that it can be tried again without the file.
    """

    _name = "onergy.reading.exception"
    _description = "Reading exception"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _order = "id desc"

    company_id = fields.Many2one(
        "res.company", required=True, index=True, readonly=True
    )
    import_id = fields.Many2one(
        "onergy.reading.import", index=True, ondelete="cascade", readonly=True
    )
    filename = fields.Char("File", related="import_id.filename")
    line = fields.Integer(readonly=True, aggregator=None)
    column_name = fields.Char("Column", readonly=True)
    raw = fields.Char("As written", readonly=True)
    meter_key = fields.Char("Meter number", readonly=True)
    meter_id = fields.Many2one(
        "onergy.meter", index="btree_not_null", ondelete="cascade", readonly=True
    )
    connection_id = fields.Many2one(related="meter_id.connection_id")
    register = fields.Selection(REGISTERS, readonly=True)
    moment = fields.Datetime(readonly=True)
    value = fields.Float(digits=(16, 3), readonly=True, aggregator=None)
    has_value = fields.Boolean(
        compute="_compute_has_value", export_string_translation=False
    )
    unit = fields.Char(readonly=True)
    status = fields.Char(readonly=True)
    other_value = fields.Float(
        "Compared with",
        digits=(16, 3),
        readonly=True,
        aggregator=None,
        help="The reading that this one does not agree with.",
    )
    reason = fields.Selection(
        selection="_get_reasons", required=True, readonly=True, index=True
    )
    severity = fields.Selection(
        [("info", "Information"), ("issue", "Work item"), ("terminate", "Set aside")],
        required=True,
        readonly=True,
        default="terminate",
    )
    rule_id = fields.Many2one("onergy.vee.rule", ondelete="set null", readonly=True)
    day = fields.Date(readonly=True, help="The day that a rule speaks about.")
    chart_data = fields.Text("Use per day", compute="_compute_evidence")
    neighbour_ids = fields.Many2many(
        "onergy.reading", string="Readings around it", compute="_compute_evidence"
    )
    remedy = fields.Char("What to do", compute="_compute_remedy")
    retryable = fields.Boolean(compute="_compute_retryable")
    state = fields.Selection(
        [("open", "Open"), ("resolved", "Resolved"), ("ignored", "Ignored")],
        required=True,
        readonly=True,
        default="open",
        tracking=True,
    )
    resolution = fields.Selection(
        [
            ("arrived", "Reading came in"),
            ("accepted", "Accepted"),
            ("replaced", "Other value entered"),
            ("rejected", "Rejected"),
            ("estimated", "Estimated"),
            ("muted", "Rule muted"),
            ("exchanged", "Meter exchanged"),
            ("ignored", "Ignored"),
        ],
        readonly=True,
        tracking=True,
    )
    resolution_note = fields.Char("Reason given", readonly=True, tracking=True)
    resolved_uid = fields.Many2one("res.users", "Resolved by", readonly=True)
    resolved_date = fields.Datetime("Resolved on", readonly=True)
    resolved_import_id = fields.Many2one(
        "onergy.reading.import", readonly=True, ondelete="set null"
    )
    fingerprint = fields.Char(readonly=True, export_string_translation=False)

    _fingerprint_uniq = models.UniqueIndex("(fingerprint)")
    _open_key = models.Index("(meter_key, moment) WHERE state = 'open'")
    _open_oldest = models.Index("(company_id, create_date) WHERE state = 'open'")

    @api.depends("value")
    def _compute_has_value(self):
        values = self._get_exact_values()
        for record in self:
            record.has_value = values.get(record.id) is not None

    def _get_exact_values(self):
        """{id: Decimal}, ``None`` where no value could be read, which is not zero."""
        self.flush_recordset(["value"])
        self.env.cr.execute(
            "SELECT id, value::text FROM onergy_reading_exception WHERE id = ANY(%s)",
            [self.ids],
        )
        return {
            record_id: text and Decimal(text)
            for record_id, text in self.env.cr.fetchall()
        }

    # -- evidence ------------------------------------------------------------------

    EVIDENCE_DAYS = 14

    @api.depends("meter_id", "register", "moment")
    def _compute_evidence(self):
        for record in self:
            record.chart_data = json.dumps([{"key": "", "values": []}])
            record.neighbour_ids = False
            if record.meter_id and record.moment and record.register:
                record.chart_data = record._get_chart()
                record.neighbour_ids = record._get_neighbours()

    def _get_chart(self):
        """Use per day around the moment, in the shape of ``dashboard_graph``."""
        self.ensure_one()
        middle = self.day or self.moment.date()
        margin = timedelta(days=self.EVIDENCE_DAYS)
        use = dict(
            self.env["onergy.consumption.day"]._read_group(
                [
                    ("meter_id", "=", self.meter_id.id),
                    ("register", "=", self.register),
                    ("day", ">=", middle - margin),
                    ("day", "<=", middle + margin),
                ],
                ["day:day"],
                ["quantity:sum"],
            )
        )
        days = [
            middle + timedelta(days=offset)
            for offset in range(-self.EVIDENCE_DAYS, self.EVIDENCE_DAYS + 1)
        ]
        values = [
            {
                "label": format_date(self.env, day, date_format="d MMM"),
                "value": use.get(day, 0),
                "type": "future" if day == middle else "past",
            }
            for day in days
        ]
        title = "m³" if self.register == "volume" else "GJ"
        return json.dumps([{"key": title, "values": values}])

    def _get_neighbours(self, count=4):
        """The readings just before and just after."""
        domain = [
            ("meter_id", "=", self.meter_id.id),
            ("register", "=", self.register),
            ("superseded", "=", False),
        ]
        readings = self.env["onergy.reading"]
        before = readings.search(
            [*domain, ("moment", "<=", self.moment)], order="moment desc", limit=count
        )
        after = readings.search(
            [*domain, ("moment", ">", self.moment)], order="moment", limit=count
        )
        return before | after
