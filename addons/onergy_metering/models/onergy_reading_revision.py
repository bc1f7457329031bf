from odoo import api, fields, models

from .onergy_meter import REGISTERS


class OnergyReadingRevision(models.Model):
    """Why a reading was put in the place of another, and by whom."""

    _name = "onergy.reading.revision"
    _description = "Reading revision"
    _order = "create_date desc, id desc"
    _rec_name = "reason"

    meter_id = fields.Many2one(
        "onergy.meter", required=True, index=True, ondelete="restrict", readonly=True
    )
    old_reading_id = fields.Many2one(
        "onergy.reading", ondelete="restrict", readonly=True
    )
    new_reading_id = fields.Many2one(
        "onergy.reading", ondelete="restrict", readonly=True
    )
    exception_id = fields.Many2one(
        "onergy.reading.exception", ondelete="set null", readonly=True
    )
    rule_id = fields.Many2one(related="exception_id.rule_id")
    register = fields.Selection(
        REGISTERS, compute="_compute_versions", compute_sudo=True
    )
    moment = fields.Datetime(
        "Reading of", compute="_compute_versions", compute_sudo=True
    )
    old_value = fields.Float("Was", related="old_reading_id.value")
    new_value = fields.Float("Became", related="new_reading_id.value")
    unit = fields.Char(compute="_compute_versions", compute_sudo=True)
    import_id = fields.Many2one(
        "onergy.reading.import",
        "Source file",
        compute="_compute_versions",
        compute_sudo=True,
    )
    line = fields.Integer("Source line", compute="_compute_versions", compute_sudo=True)
    undone = fields.Boolean(
        readonly=True, help="The decision behind this was taken back."
    )
    reason = fields.Char(required=True, readonly=True)
    create_uid = fields.Many2one("res.users", "By", readonly=True)
    create_date = fields.Datetime("On", readonly=True)

    @api.depends("old_reading_id", "new_reading_id")
    def _compute_versions(self):
        """What was read, and the line of the file that the version in force is from."""
        for record in self:
            reading = record.new_reading_id or record.old_reading_id
            record.register = reading.register
            record.moment = reading.moment
            record.unit = reading.unit
            record.import_id = reading.import_id
            record.line = reading.line

    def _undo(self, reason):
        """Put the old readings in force again, as new versions.

        Where there was none before, the new one goes out of force.
        """
        loader = self.env["onergy.reading.loader"]
        for record in self.filtered(lambda r: not r.undone):
            new, old = record.new_reading_id, record.old_reading_id
            if (new or old)._get_in_force() != new:
                # Something else has come in since; that stands.
                continue
            if old:
                loader._set_reading(
                    record.meter_id,
                    old.register,
                    old.moment,
                    old.value,
                    old.unit,
                    old.origin,
                    reason=reason,
                )
            elif new:
                loader._retire_reading(new, reason)
        self.undone = True
        self.env["onergy.consumption.builder"]._rebuild_meters(self.meter_id)
