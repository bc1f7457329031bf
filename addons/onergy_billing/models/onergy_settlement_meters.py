from collections import defaultdict
from datetime import date
from decimal import Decimal

from odoo import api, models
from odoo.tools import SQL

from odoo.addons.onergy_metering.parsers.units import UNITS

from ..engine import MeterPeriod, Reading
from ..engine.timeline import ONE_DAY, new_years

#: Components that meters measure, by the register that counts for them.
REGISTER_COMPONENTS = {"energy": "heat", "cooling": "cooling"}
MEDIUM_REGISTERS = {
    "heat": ("energy",),
    "cooling": ("cooling",),
    "heat_cooling": ("energy", "cooling"),
}


class OnergySettlementCalculator(models.AbstractModel):
    """Registers of the meters that hung at an address in a period."""

    _inherit = "onergy.settlement.calculator"

    def _get_cuts(self, period, timelines, vat):
        """Days on which registers have to be known, besides those of the meters."""
        cuts = {period.start, period.end + ONE_DAY}
        cuts.update(new_years(period.start, period.end))
        for component in REGISTER_COMPONENTS.values():
            if component in timelines:
                cuts.update(timelines[component].changes(period.start, period.end))
                cuts.update(vat[component].changes(period.start, period.end))
        return cuts

    def _get_meters(self, periods, prices, vat):
        """Per period: list of MeterPeriod with the readings that are needed."""
        placements = self._get_placements(periods)
        needs = set()
        plans = []
        for period, (timelines, _errors) in zip(periods, prices, strict=True):
            cuts = self._get_cuts(period, timelines, vat)
            plan = []
            for placement in placements[period.contract.connection_id.id]:
                first = max(placement.date_from, period.start)
                until = period.end + ONE_DAY
                if placement.date_to:
                    until = min(until, placement.date_to + ONE_DAY)
                if first >= until:
                    continue
                days = {first, until} | {day for day in cuts if first < day < until}
                for register in MEDIUM_REGISTERS.get(placement.meter_id.medium, ()):
                    plan.append((placement, register))
                    needs.update((placement.id, register, day) for day in days)
            plans.append((period, plan))
        readings = self._get_readings(needs)
        return [
            self._merge_snapshot(
                period,
                [
                    self._make_meter(placement, register, readings)
                    for placement, register in plan
                ],
            )
            for period, plan in plans
        ]

    def _get_placements(self, periods):
        found = self.env["onergy.meter.placement"].search(
            [
                (
                    "connection_id",
                    "in",
                    list({p.contract.connection_id.id for p in periods}),
                ),
                ("date_from", "<=", max(p.end for p in periods)),
                "|",
                ("date_to", "=", False),
                ("date_to", ">=", min(p.start for p in periods)),
            ],
            order="date_from, id",
        )
        result = defaultdict(list)
        for placement in found:
            result[placement.connection_id.id].append(placement)
        return result

    def _get_readings(self, needs):
        """{(placement id, register): {day: (GJ, origin, distance)}}

        For each day the reading nearest to its midnight if that is within twelve
        hours, else the one before it and the one after it. A register that starts
        again at zero is followed reading by reading.
        """
        if not needs:
            return {}
        loader = self.env["onergy.reading.loader"]
        self.env["onergy.reading"].flush_model()
        rows = self.env.execute_query(
            SQL(
                """
                SELECT n.placement_id, n.register, r.value::text, r.unit, r.origin,
                       (local + interval '12 hours')::date,
                       abs(extract(epoch FROM local
                           - (local + interval '12 hours')::date::timestamp))
                  FROM (VALUES %(needs)s) n(placement_id, register, moment)
                  JOIN onergy_meter_placement p ON p.id = n.placement_id
                  JOIN onergy_meter m ON m.id = p.meter_id
                 CROSS JOIN LATERAL (
                    (SELECT moment, value, unit, origin FROM onergy_reading
                      WHERE meter_id = p.meter_id AND register = n.register
                        AND superseded IS NOT TRUE AND moment <= n.moment::timestamp
                        AND moment >= p.date_from - interval '14 hours'
                      ORDER BY moment DESC
                      LIMIT CASE WHEN m.register_capacity > 0 THEN 400 ELSE 1 END)
                    UNION ALL
                    (SELECT moment, value, unit, origin FROM onergy_reading
                      WHERE meter_id = p.meter_id AND register = n.register
                        AND superseded IS NOT TRUE AND moment >= n.moment::timestamp
                        AND moment <= COALESCE(p.date_to + interval '34 hours',
                                               'infinity')
                      ORDER BY moment LIMIT 1)
                 ) r
                 CROSS JOIN LATERAL (
                    SELECT r.moment AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Amsterdam'
                        AS local) l
                """,
                needs=SQL(", ").join(
                    SQL("(%s, %s, %s)", placement, register, loader._day_start(day))
                    for placement, register, day in sorted(needs)
                ),
            )
        )
        result = defaultdict(dict)
        for placement, register, value, unit, origin, day, distance in rows:
            known = result[placement, register].get(day)
            if not known or distance < known[2]:
                factor = UNITS[unit][1]
                result[placement, register][day] = (
                    Decimal(value) * factor,
                    origin,
                    distance,
                )
        return result

    def _make_meter(self, placement, register, readings):
        meter = placement.meter_id
        factor = UNITS[meter._get_register_unit(register)][1]
        to_decimal = self.env["onergy.tariff"]._to_decimal
        capacity = meter.register_capacity
        return MeterPeriod(
            meter.serial,
            placement.date_from,
            placement.date_to + ONE_DAY if placement.date_to else None,
            tuple(
                Reading(day, value, origin)
                for day, (value, origin, _distance) in sorted(
                    readings.get((placement.id, register), {}).items()
                )
            ),
            to_decimal(meter.step, 6) * factor,
            to_decimal(capacity, 3) * factor if capacity else None,
            REGISTER_COMPONENTS[register],
        )

    def _merge_snapshot(self, period, meters):
        """Let readings that were billed before stand, whatever came in since."""
        if period.snapshot is None:
            return meters
        current = {(m.serial, m.start, m.component): m for m in meters}
        frozen = []
        for values in period.snapshot:
            meter = self._thaw(values)
            now = current.get((meter.serial, meter.start, meter.component))
            known = {reading.day for reading in meter.readings}
            first, last = min(known, default=None), max(known, default=None)
            extra = tuple(
                reading
                for reading in (now.readings if now else ())
                if known and reading.day not in known and first < reading.day < last
            )
            frozen.append(
                MeterPeriod(
                    meter.serial,
                    meter.start,
                    meter.end,
                    tuple(sorted(meter.readings + extra, key=lambda r: r.day)),
                    meter.step,
                    meter.capacity,
                    meter.component,
                )
            )
        return frozen

    @api.model
    def _freeze(self, meter):
        """A MeterPeriod as JSON."""
        return {
            "serial": meter.serial,
            "start": meter.start.isoformat(),
            "end": meter.end and meter.end.isoformat(),
            "step": str(meter.step),
            "capacity": meter.capacity and str(meter.capacity),
            "component": meter.component,
            "readings": [
                [reading.day.isoformat(), str(reading.value), reading.origin]
                for reading in meter.readings
            ],
        }

    @api.model
    def _thaw(self, values):
        return MeterPeriod(
            values["serial"],
            date.fromisoformat(values["start"]),
            values["end"] and date.fromisoformat(values["end"]),
            tuple(
                Reading(date.fromisoformat(day), Decimal(value), origin)
                for day, value, origin in values["readings"]
            ),
            Decimal(values["step"]),
            values["capacity"] and Decimal(values["capacity"]),
            values["component"],
        )

    def _get_marks(self, supply):
        """Register values for the bill: start, first of January, prices, end."""
        marks = []
        for meter in supply.meters:
            overlap = meter.overlap(supply.start, supply.end)
            timeline = supply.prices.get(meter.component)
            if not overlap or not timeline:
                continue
            first, until = overlap
            days = {first, until, *new_years(first, until - ONE_DAY)}
            days.update(timeline.changes(first, until - ONE_DAY))
            days.update(supply.vat[meter.component].changes(first, until - ONE_DAY))
            marks += [
                (meter.component, meter.mark(day, supply.weights))
                for day in sorted(days)
            ]
        return marks
