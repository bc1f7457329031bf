import random
from decimal import Decimal

from odoo import fields
from odoo.tests import tagged

from .common import MeteringCase


@tagged("post_install", "-at_install")
class TestConsumption(MeteringCase):
    def _get_months(self, meter):
        return {
            str(month.month): (
                round(month.quantity, 6),
                month.days,
                month.estimated_days,
            )
            for month in self.env["onergy.consumption.month"].search(
                [("meter_id", "=", meter.id)]
            )
        }

    def test_gap_is_shared_evenly_and_exactly(self):
        self._load(("71000001", "2026-01-01", "10"), ("71000001", "2026-01-04", "11"))
        self.assertEqual(
            self._get_days(self.meter),
            {
                "2026-01-01": (0.333, "estimated"),
                "2026-01-02": (0.334, "estimated"),
                "2026-01-03": (0.333, "estimated"),
            },
        )
        self.assertEqual(self._get_months(self.meter), {"2026-01-01": (1, 3, 3)})

    def test_gap_is_shared_by_degree_days(self):
        self.env["onergy.degree.day"]._load_temperatures(
            ("999", f"2026-01-0{day}", temperature, False)
            for day, temperature in ((1, 18), (2, 8), (3, -2))
        )
        self._load(("71000001", "2026-01-01", "10"), ("71000001", "2026-01-04", "13"))
        self.assertEqual(
            [quantity for quantity, _quality in self._get_days(self.meter).values()],
            [2, 1, 0],
        )

    def test_real_readings_take_the_place_of_estimates(self):
        self._load(("71000001", "2026-01-01", "10"), ("71000001", "2026-01-04", "13"))
        self._load(("71000001", "2026-01-02", "12"), ("71000001", "2026-01-03", "12.5"))
        self.assertEqual(
            self._get_days(self.meter),
            {
                "2026-01-01": (2, "measured"),
                "2026-01-02": (0.5, "measured"),
                "2026-01-03": (0.5, "measured"),
            },
        )
        self.assertEqual(self._get_months(self.meter), {"2026-01-01": (3, 3, 0)})

    def test_units_are_converted_exactly(self):
        meter = self._create_meter("71000007", self.home, unit="kWh", step=1)
        self._load(
            ("71000007", "2026-01-01", "1000", "kWh"),
            ("71000007", "2026-01-02", "1001", "kWh"),
        )
        self.env.cr.execute(
            "SELECT quantity::text FROM onergy_consumption_day WHERE meter_id = %s",
            [meter.id],
        )
        self.assertEqual(self.env.cr.fetchall(), [("0.0036",)])

    def test_days_of_23_and_25_hours(self):
        self._load_daily("71000001", "2026-03-28", [1, 2, 3, 4])
        self._load_daily("71000001", "2026-10-24", [5, 6, 7, 8])
        days = self._get_days(self.meter)
        for day in ("2026-03-28", "2026-03-29", "2026-10-24", "2026-10-25"):
            self.assertEqual(days[day], (1, "measured"))

    def test_reading_nearest_to_midnight_counts(self):
        rows = [
            self.loader._make_row("71000001", moment, value, "GJ")
            for moment, value in (
                ("2026-01-15 08:00:00", "10.3"),
                ("2026-01-14 23:56:00", "10"),
                ("2026-01-15 22:50:00", "11"),
                ("2026-01-15 12:30:00", "10.6"),
            )
        ]
        self.loader._load_rows(rows, self.company, "file")
        self.assertEqual(self._get_days(self.meter), {"2026-01-15": (1, "measured")})

    def test_exchange_never_bridges_meters(self):
        self._load_daily("71000001", "2026-01-01", [100, 101])
        self.meter.placement_ids.write({"date_to": "2026-01-02", "end_value": 102.5})
        new = self.env["onergy.meter"].create({"serial": "72000001"})
        self.env["onergy.meter.placement"].create(
            {
                "meter_id": new.id,
                "connection_id": self.home.id,
                "date_from": "2026-01-03",
                "start_value": 0,
                "has_start_value": True,
            }
        )
        self._load_daily("72000001", "2026-01-04", [2, 3])
        self.assertEqual(
            self._get_days(self.meter),
            {"2026-01-01": (1, "measured"), "2026-01-02": (1.5, "measured")},
        )
        self.assertEqual(
            self._get_days(new),
            {"2026-01-03": (2, "measured"), "2026-01-04": (1, "measured")},
        )
        self.assertEqual(self.home.meter_count, 2)

    def test_moved_start_value_moves_the_days(self):
        placement = self.meter.placement_ids
        placement.write({"date_from": "2026-01-01", "start_value": 10})
        self._load_daily("71000001", "2026-01-03", [12])
        self.assertEqual(
            self._get_days(self.meter),
            {"2026-01-01": (1, "estimated"), "2026-01-02": (1, "estimated")},
        )
        placement.write({"date_from": "2026-01-02", "start_value": 11.5})
        self.assertEqual(self._get_days(self.meter), {"2026-01-02": (0.5, "measured")})
        self.assertEqual(self._get_months(self.meter), {"2026-01-01": (0.5, 1, 0)})

    def test_same_result_in_any_order_split_and_repetition(self):
        """The readings decide, not the way they came."""
        seed = 20260115
        rng = random.Random(seed)
        rows, value = [], 0
        for day in range(1, 60):
            value += rng.randrange(0, 900)
            if rng.random() < 0.8:
                date = fields.Date.add(fields.Date.to_date("2026-01-01"), days=day)
                rows.append((date, f"{value / 1000:.3f}"))
        self._load(*(("71000001", *row) for row in rows))
        expected = self._get_days(self.meter)
        months = self._get_months(self.meter)
        for trial in range(8):
            meter = self._create_meter(f"7300000{trial}", self.other_home)
            todo = [*rows, *rng.sample(rows, 20)]
            rng.shuffle(todo)
            while todo:
                part = [
                    todo.pop() for _i in range(min(len(todo), rng.randrange(1, 25)))
                ]
                with self._as_large(rng.random() < 0.5):
                    counts = self._load(*((meter.serial, *row) for row in part))
                self.assertFalse(counts["bad"])
            self.assertEqual(self._get_days(meter), expected, f"{seed=} {trial=}")
            self.assertEqual(self._get_months(meter), months, f"{seed=} {trial=}")
        total = sum(Decimal(str(quantity)) for quantity, _q in expected.values())
        self.assertEqual(total, Decimal(rows[-1][1]) - Decimal(rows[0][1]))

    def test_day_after_day_gives_what_one_file_gives(self):
        """Newer readings go on from the state; it must say what the readings say."""
        values = [10, 10.5, 11.5, None, None, 13, 13, 13.25, None, 15]
        rows = [
            (fields.Date.add(fields.Date.to_date("2026-03-25"), days=number), value)
            for number, value in enumerate(values)
            if value is not None
        ]
        self._load(*(("71000001", *row) for row in rows))
        for row in rows:
            with self._as_large():
                counts = self._load(("71000002", *row))
            self.assertEqual(counts["new"], 1)
        self.assertEqual(self._get_days(self.other_meter), self._get_days(self.meter))
        self.assertEqual(
            self._get_months(self.other_meter), self._get_months(self.meter)
        )
        whole, daily = (
            meter.register_ids.read(
                ["first_moment", "last_moment", "last_value", "midnight_day"]
                + ["midnight_value", "stat_day", "day_count", "estimated_since"]
            )[0]
            for meter in (self.meter, self.other_meter)
        )
        self.assertEqual({**whole, "id": 0}, {**daily, "id": 0})

    def test_state_follows_a_correction(self):
        """What comes after a rejected reading is derived from those in force."""
        self._load_daily("71000001", "2026-01-01", [10, 11, 12])
        for day in ("2026-01-01", "2026-01-02"):
            self.loader._retire_boundary(
                self.meter, "energy", fields.Date.to_date(day), "wrong"
            )
        self.env["onergy.consumption.builder"]._rebuild_meters(self.meter)
        self.assertFalse(self._get_days(self.meter))
        self._load(("71000001", "2026-01-03", "10.8"))
        self.assertEqual(
            self._get_days(self.meter),
            {"2026-01-01": (0.4, "estimated"), "2026-01-02": (0.4, "estimated")},
        )

    def test_page_of_one_meter_needs_the_index_only(self):
        self._load_daily("71000001", "2025-01-01", range(365))
        # An index answers alone only where the visibility map says so, which a
        # vacuum sets and a test transaction cannot; the plan is what counts here.
        self.env.cr.execute("SET LOCAL enable_seqscan = off")
        self.env.cr.execute("SET LOCAL enable_bitmapscan = off")
        for query in (
            "SELECT moment, value FROM onergy_reading WHERE meter_id = %s "
            "AND register = 'energy' AND superseded IS NOT TRUE "
            "AND moment BETWEEN '2025-10-01' AND '2026-04-30' ORDER BY moment DESC",
            "SELECT day, quantity, quality FROM onergy_consumption_day "
            "WHERE meter_id = %s AND register = 'energy' "
            "AND day BETWEEN '2025-10-01' AND '2026-04-30'",
        ):
            self.env.cr.execute("EXPLAIN " + query, [self.meter.id])
            plan = "\n".join(line for (line,) in self.env.cr.fetchall())
            self.assertIn("Index Only Scan", plan)
