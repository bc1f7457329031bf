from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import SQL

#: Part of the remote meters whose reading of yesterday or later is in.
TARGET = 99.9


class OnergyMeteringOverview(models.TransientModel):
    """The day at a glance: what came in, what did not, what waits."""

    _name = "onergy.metering.overview"
    _description = "Operations"

    company_id = fields.Many2one(
        "res.company", required=True, default=lambda self: self.env.company
    )
    silent_days = fields.Integer("Silent for days", default=3, required=True)
    file_count = fields.Integer("Files today", compute="_compute_today")
    failed_count = fields.Integer("Failed files", compute="_compute_today")
    new_count = fields.Integer("New readings today", compute="_compute_today")
    bad_count = fields.Integer("Set aside today", compute="_compute_today")
    meter_count = fields.Integer("Remote meters", compute="_compute_meters")
    silent_count = fields.Integer("Silent meters", compute="_compute_meters")
    success = fields.Float("Read (%)", digits=(5, 1), compute="_compute_meters")
    target = fields.Float("Target (%)", digits=(5, 1), compute="_compute_meters")
    open_count = fields.Integer("Open exceptions", compute="_compute_open")
    oldest_date = fields.Datetime("Oldest of them", compute="_compute_open")
    line_ids = fields.One2many(
        "onergy.metering.overview.line", "overview_id", compute="_compute_line_ids"
    )

    def _compute_display_name(self):
        for overview in self:
            overview.display_name = self.env._("Operations")

    @api.depends("company_id")
    def _compute_today(self):
        for overview in self:
            start = self.env["onergy.reading.loader"]._day_start(
                fields.Date.context_today(overview)
            )
            [(files, new, bad)] = self.env["onergy.reading.import"]._read_group(
                [
                    ("company_id", "=", overview.company_id.id),
                    ("date_start", ">=", start),
                ],
                [],
                ["__count", "rows_new:sum", "rows_bad:sum"],
            )
            overview.file_count = files
            overview.new_count = new
            overview.bad_count = bad
            overview.failed_count = self.env["onergy.reading.import"].search_count(
                [
                    ("company_id", "=", overview.company_id.id),
                    ("date_start", ">=", start),
                    ("state", "=", "failed"),
                ]
            )

    @api.depends("company_id")
    def _compute_open(self):
        for overview in self:
            [(count, oldest)] = self.env["onergy.reading.exception"]._read_group(
                [
                    ("company_id", "=", overview.company_id.id),
                    ("state", "=", "open"),
                    ("severity", "!=", "info"),
                ],
                [],
                ["__count", "create_date:min"],
            )
            overview.open_count = count
            overview.oldest_date = oldest

    @api.depends("line_ids")
    def _compute_meters(self):
        for overview in self:
            meters = sum(overview.line_ids.mapped("meter_count"))
            read = sum(overview.line_ids.mapped("read_count"))
            overview.meter_count = meters
            overview.silent_count = sum(overview.line_ids.mapped("silent_count"))
            overview.success = 100 * read / meters if meters else 100
            overview.target = TARGET

    @api.depends("company_id", "silent_days")
    def _compute_line_ids(self):
        for overview in self:
            overview.line_ids = self.env["onergy.metering.overview.line"].create(
                [
                    {"overview_id": overview._origin.id, **values}
                    for values in overview._get_complex_figures()
                ]
            )

    def _get_complex_figures(self):
        """Per complex: remote meters, those read, those silent. No reading is read."""
        self.env.flush_all()
        today = fields.Date.context_today(self)
        start = self.env["onergy.reading.loader"]._day_start(today - timedelta(days=1))
        return self.env.execute_query_dict(
            SQL(
                """
                SELECT c.complex_id, count(*) AS meter_count,
                       count(*) FILTER (WHERE last >= %s) AS read_count,
                       count(*) FILTER (WHERE last IS NULL OR last < %s)
                           AS silent_count
                  FROM onergy_meter m
                  JOIN onergy_meter_placement p
                    ON p.meter_id = m.id AND p.date_from <= %s
                   AND (p.date_to IS NULL OR p.date_to >= %s)
                  JOIN onergy_connection c ON c.id = p.connection_id
                  LEFT JOIN LATERAL (
                      SELECT max(last_moment) AS last FROM onergy_meter_register st
                       WHERE st.meter_id = m.id
                  ) st ON TRUE
                 WHERE m.active AND m.read_mode = 'remote' AND m.company_id = %s
                 GROUP BY c.complex_id
                 ORDER BY count(*) FILTER (WHERE last >= %s)::float / count(*)
                """,
                start,
                start - timedelta(days=(self.silent_days or 1) - 1),
                today,
                today,
                self.company_id.id,
                start,
            )
        )

    def action_imports(self):
        return self._get_action("onergy_metering.action_onergy_reading_import")

    def action_exceptions(self):
        return self._get_action("onergy_metering.action_onergy_reading_exception")

    def action_silent(self):
        action = self._get_action("onergy_metering.action_onergy_meter")
        action["context"] = {"search_default_silent": 1}
        return action

    @api.model
    def _get_action(self, xmlid):
        return self.env["ir.actions.act_window"]._for_xml_id(xmlid)

    @api.model
    def action_open(self):
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Operations"),
            "res_model": self._name,
            "res_id": self.create({}).id,
            "view_mode": "form",
            "target": "current",
        }
