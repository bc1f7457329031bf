from odoo import api, fields, models
from odoo.exceptions import UserError

from .onergy_meter import REGISTERS
from .unchecked import UncheckedMany2one

ORIGINS = [
    ("file", "File"),
    ("push", "Push"),
    ("upload", "Upload"),
    ("cli", "Command line"),
    ("placement", "Placement"),
    ("manual", "Entered by staff"),
    ("portal", "Entered by resident"),
    ("estimate", "Estimated"),
    ("demo", "Demonstration"),
]
STATUSES = [("ok", "OK"), ("warn", "Warning"), ("error", "Error, accepted")]


class OnergyReading(models.Model):
    """The value of a register at a moment, as received.

    A lean table: no audit columns, no row is ever edited. A wrong value is superseded
    by another row; ``onergy.reading.revision`` tells by whom and why. Written by
    ``onergy.reading.loader`` only, which joins the meters set-based; checking them
    again row by row would double the cost of a load. A trigger keeps meters that
    have readings.
    """

    _name = "onergy.reading"
    _description = "Meter reading"
    _log_access = False
    _order = "moment desc, meter_id, register"
    _rec_name = "moment"

    meter_id = UncheckedMany2one("onergy.meter", required=True, readonly=True)
    register = fields.Selection(REGISTERS, required=True, readonly=True)
    moment = fields.Datetime(required=True, readonly=True)
    value = fields.Float(digits=(16, 6), required=True, readonly=True, aggregator="max")
    unit = fields.Char(required=True, readonly=True)
    origin = fields.Selection(ORIGINS, required=True, readonly=True)
    status = fields.Selection(STATUSES, required=True, readonly=True)
    import_id = UncheckedMany2one("onergy.reading.import", readonly=True)
    line = fields.Integer(readonly=True, aggregator=None)
    superseded = fields.Boolean(
        readonly=True, help="Another reading has taken the place of this one."
    )

    # Covers the season of a meter and its last reading without touching the table.
    _uniq = models.UniqueIndex(
        "(meter_id, register, moment DESC) INCLUDE (value) "
        "WHERE superseded IS NOT TRUE",
        "This meter already has a reading at this moment.",
    )
    # The few estimates that wait for a real reading.
    _estimate = models.Index(
        "(meter_id, register) WHERE origin = 'estimate' AND superseded IS NOT TRUE"
    )
    # 64 kB for millions of rows, as readings arrive in order of time.
    _moment_brin = models.Index("USING brin (moment)")

    def init(self):
        result = super().init()
        self.env.cr.execute(
            """
            CREATE OR REPLACE FUNCTION onergy_reading_keep_meter() RETURNS trigger AS $$
            BEGIN
                IF EXISTS (SELECT 1 FROM onergy_reading WHERE meter_id = OLD.id) THEN
                    RAISE foreign_key_violation
                    USING MESSAGE = 'meter ' || OLD.serial || ' has readings';
                END IF;
                RETURN OLD;
            END
            $$ LANGUAGE plpgsql;
            CREATE OR REPLACE TRIGGER onergy_reading_keep_meter
                BEFORE DELETE ON onergy_meter
                FOR EACH ROW EXECUTE FUNCTION onergy_reading_keep_meter();
            """
        )
        return result

    @api.depends("meter_id.serial", "moment")
    def _compute_display_name(self):
        for record in self:
            moment = fields.Datetime.context_timestamp(record, record.moment)
            record.display_name = f"{record.meter_id.serial} {moment:%d-%m-%Y %H:%M}"

    def _get_in_force(self):
        """The reading in force of the same register at the same moment, or none."""
        self.ensure_one()
        return self.search(
            [
                ("meter_id", "=", self.meter_id.id),
                ("register", "=", self.register),
                ("moment", "=", self.moment),
                ("superseded", "=", False),
            ]
        )

    # Neither goes on to the ORM: the loader alone writes, and with SQL.
    def create(self, vals_list):  # pylint: disable=method-required-super
        raise UserError(self._get_immutable_message())

    def write(self, vals):  # pylint: disable=method-required-super
        raise UserError(self._get_immutable_message())

    @api.ondelete(at_uninstall=False)
    def _unlink_never(self):
        raise UserError(self._get_immutable_message())

    @api.model
    def _get_immutable_message(self):
        return self.env._(
            "Readings are kept as they were received. Import a file, or enter a "
            "reading on the meter to put another in its place."
        )
