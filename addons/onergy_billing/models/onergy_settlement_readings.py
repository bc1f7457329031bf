from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL


class OnergySettlement(models.Model):
    """Meter readings that were corrected after they were billed.

    A settlement keeps the register values that it was made with (``reading_ids``,
    ``snapshot``) and never changes with them. What it tells here is that a correction
    run with the readings as they are now may find a difference.
    """

    _inherit = "onergy.settlement"

    readings_changed = fields.Boolean(
        "Readings corrected since",
        compute="_compute_readings_changed",
        search="_search_readings_changed",
        help="A meter reading of this period was corrected after the bill was made. "
        "The bill stands; a run of corrections with the readings as they are now bills "
        "the difference.",
    )

    @api.depends("state")
    def _compute_readings_changed(self):
        changed = self._find_with_changed_readings(SQL("s.id = ANY(%s)", self.ids))
        for record in self:
            record.readings_changed = record._origin.id in changed

    def _search_readings_changed(self, operator, value):
        if operator != "in":
            return NotImplemented
        ids = self._find_with_changed_readings(
            SQL("s.company_id = ANY(%s)", self.env.companies.ids)
        )
        wanted = Domain("id", "in", ids)
        if set(value) == {True, False}:
            return Domain.TRUE
        return wanted if True in value else ~wanted

    def _find_with_changed_readings(self, condition):
        """Ids of posted bills with a revision of their readings since.

        :param condition: SQL on the settlement ``s``
        """
        self.flush_model()
        self.env["onergy.reading.revision"].flush_model()
        return {
            settlement_id
            for (settlement_id,) in self.env.execute_query(
                SQL(
                    """
                    SELECT DISTINCT s.id
                      FROM onergy_settlement s
                      JOIN onergy_meter_placement p
                        ON p.connection_id = s.connection_id
                       AND p.date_from <= s.date_to
                       AND COALESCE(p.date_to, 'infinity') >= s.date_from
                      JOIN onergy_reading_revision v
                        ON v.meter_id = p.meter_id AND v.create_date > s.create_date
                      JOIN onergy_reading r
                        ON r.id = COALESCE(v.old_reading_id, v.new_reading_id)
                       AND r.moment >= s.date_from - interval '1 day'
                       AND r.moment < s.date_to + interval '2 days'
                     WHERE s.state = 'posted' AND s.original_id IS NULL
                       AND %s
                       -- What was corrected on the bill already is told no more.
                       AND NOT EXISTS (
                           SELECT 1 FROM onergy_settlement c
                            WHERE c.original_id = s.id AND c.state = 'posted'
                              AND c.create_date >= v.create_date)
                    """,
                    condition,
                )
            )
        }
