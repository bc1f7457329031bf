from odoo import api, fields, models
from odoo.tools import SQL


class OnergyDataExport(models.AbstractModel):
    _inherit = "onergy.data.export"

    @api.model
    def _get_kinds(self, partner, contracts):
        return [
            *super()._get_kinds(partner, contracts),
            (
                "meters",
                ("contract", "meter", "medium", "from", "until"),
                lambda: self._get_meter_rows(contracts),
            ),
            (
                "meter_readings",
                ("contract", "meter", "register", "moment", "value", "unit", "origin"),
                lambda: self._get_reading_rows(contracts),
            ),
            (
                "heat_use_per_day",
                ("contract", "meter", "day", "gj", "quality"),
                lambda: self._get_day_rows(contracts),
            ),
        ]

    @api.model
    def _get_meter_rows(self, contracts):
        for contract in contracts:
            for placement in contract._get_placements():
                yield (
                    contract.name,
                    placement.meter_id.serial,
                    placement.meter_id.medium,
                    max(placement.date_from, contract.date_start),
                    _earliest(placement.date_to, contract.date_end),
                )

    @api.model
    def _get_day_rows(self, contracts):
        """All days we hold, also where the page shows months: he may have them."""
        for contract in contracts:
            yield from self._stream(
                SQL(
                    """
                    SELECT %s, m.serial, d.day, d.quantity::text, d.quality
                      FROM onergy_consumption_day d
                      JOIN onergy_meter m ON m.id = d.meter_id
                     WHERE d.meter_id = ANY(%s) AND d.register = 'energy'
                       AND d.connection_id = %s AND d.day >= %s
                       AND d.day <= COALESCE(%s::date, 'infinity')
                     ORDER BY d.day, m.serial
                    """,
                    contract.name,
                    contract._get_placements().meter_id.ids,
                    contract.connection_id.id,
                    contract.date_start,
                    contract.date_end or None,
                )
            )

    @api.model
    def _get_reading_rows(self, contracts):
        loader = self.env["onergy.reading.loader"]
        for contract in contracts:
            for placement in contract._get_placements():
                first = max(placement.date_from, contract.date_start)
                last = _earliest(placement.date_to, contract.date_end)
                end = last and loader._day_start(fields.Date.add(last, days=1))
                yield from self._stream(
                    SQL(
                        """
                        SELECT %s, %s, register, moment, value::text, unit, origin
                          FROM onergy_reading
                         WHERE meter_id = %s AND superseded IS NOT TRUE
                           AND moment >= %s
                           AND moment <= COALESCE(%s::timestamp, 'infinity')
                         ORDER BY moment, register
                        """,
                        contract.name,
                        placement.meter_id.serial,
                        placement.meter_id.id,
                        loader._day_start(first),
                        end or None,
                    )
                )

    @api.model
    def _stream(self, query):
        """Yield the rows of a query without holding all of them as Python objects."""
        self.env.cr.execute(query)
        while rows := self.env.cr.fetchmany(10_000):
            yield from rows


def _earliest(*dates):
    known = [date for date in dates if date]
    return min(known) if known else None
