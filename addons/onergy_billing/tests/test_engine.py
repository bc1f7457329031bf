from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from odoo.tests import BaseCase, tagged

from ..engine import (
    Advance,
    Bill,
    MeterPeriod,
    MissingPrice,
    MissingReading,
    Price,
    Supply,
    Timeline,
    Weights,
    advance_advice,
    advance_band,
    difference,
    net_of,
    outage_compensation,
    rate_supply,
    round_cent,
    spread,
)
from ..engine.money import round_to
from .engine_cases import (
    VAT,
    D,
    case_a,
    case_a_meters,
    case_a_prices,
    per_gj,
    readings,
    yearly,
)


@tagged("post_install", "-at_install")
class TestCaseA(BaseCase):
    """The worked example of a whole year: tariff change and meter exchange."""

    def setUp(self):
        super().setUp()
        self.lines = rate_supply(case_a())

    def advances(self, net, vat):
        return tuple(
            Advance(date(2024, 7, 1), D(net), D(vat), D(21)) for _month in range(12)
        )

    def test_lines(self):
        self.assertEqual(
            [(line.component, str(line.amount)) for line in self.lines],
            [
                ("heat", "495.85"),
                ("standing", "293.00"),
                ("metering", "15.93"),
                ("delivery_set", "73.09"),
                ("heat", "587.66"),
                ("standing", "286.37"),
                ("metering", "16.27"),
                ("delivery_set", "74.63"),
            ],
        )

    def test_use_and_days(self):
        heat = [line for line in self.lines if line.component == "heat"]
        self.assertEqual([line.quantity for line in heat], [D("10.620"), D("13.420")])
        self.assertEqual({line.basis for line in heat}, {"measured"})
        standing = [line for line in self.lines if line.component == "standing"]
        self.assertEqual(
            [(line.quantity, line.year_days) for line in standing],
            [(184, 366), (181, 365)],
        )

    def test_to_pay(self):
        bill = Bill(tuple(self.lines), self.advances("123.97", "26.03"))
        self.assertEqual(bill.supply_total, D("1842.80"))
        (part,) = bill.supply
        self.assertEqual((part.net, part.vat), (D("1522.98"), D("319.82")))
        self.assertEqual(
            (bill.total, bill.net, bill.vat), (D("42.80"), D("35.34"), D("7.46"))
        )

    def test_vat_of_the_lines_adds_up(self):
        bill = Bill(tuple(self.lines))
        self.assertEqual(sum(bill.line_vat()), D("319.82"))

    def test_a3_refund(self):
        bill = Bill(tuple(self.lines), self.advances("132.23", "27.77"))
        self.assertEqual(
            (bill.total, bill.net, bill.vat), (D("-77.20"), D("-63.78"), D("-13.42"))
        )

    def test_a4_corrected_tariff(self):
        before = rate_supply(case_a(prices=case_a_prices("618.82")))
        self.assertEqual(Bill(tuple(before)).total, D("1860.90"))
        correction = difference(self.lines, before)
        self.assertEqual([line.amount for line in correction], [D("-18.10")])
        bill = Bill(tuple(correction))
        self.assertEqual((bill.net, bill.vat), (D("-14.96"), D("-3.14")))
        # Once more changes nothing.
        self.assertEqual(difference(self.lines, before + correction), [])

    def test_next_advance(self):
        prices = {
            name: timeline.at(date(2025, 6, 30))
            for name, timeline in case_a_prices().items()
        }
        advice = advance_advice({"heat": D("24.040")}, prices)
        self.assertEqual(advice, D("151.12"))
        self.assertEqual(
            advance_band(advice, D(10), D(100)), (D("136.01"), D("302.24"))
        )


@tagged("post_install", "-at_install")
class TestMeters(BaseCase):
    def meter(self, *rows, **values):
        return MeterPeriod("M", date(2020, 1, 1), None, readings(*rows), **values)

    def test_boundary_without_reading_follows_the_weather(self):
        # Four days of 0.3, 0.1, 0.1 and 0.1 of the cold.
        start = date(2024, 12, 30)
        cold = {start + timedelta(days=i): D(w) for i, w in enumerate((3, 1, 1, 1))}
        meter = self.meter(("2024-12-30", "10.000"), ("2025-01-03", "16.000"))
        mark = meter.mark(date(2024, 12, 31), Weights(cold))
        self.assertEqual((mark.value, mark.basis), (D("13.000"), "calculated"))

    def test_hot_water_is_spread_evenly(self):
        start = date(2024, 12, 30)
        cold = {start + timedelta(days=i): D(w) for i, w in enumerate((3, 1, 1, 1))}
        meter = self.meter(("2024-12-30", "10.000"), ("2025-01-03", "18.000"))
        mark = meter.mark(date(2024, 12, 31), Weights(cold, D(1)))
        self.assertEqual(mark.value, D("12.000"))
        half = meter.mark(date(2024, 12, 31), Weights(cold, D("0.5")))
        self.assertEqual(half.value, D("13.000"))

    def test_unknown_weather_is_spread_evenly(self):
        meter = self.meter(("2024-12-30", "10.000"), ("2025-01-03", "16.000"))
        cold = {date(2024, 12, 30): D(3)}
        mark = meter.mark(date(2024, 12, 31), Weights(cold))
        self.assertEqual(mark.value, D("11.500"))

    def test_summer_without_degree_days_is_spread_evenly(self):
        days = [date(2025, 7, 1) + timedelta(days=i) for i in range(4)]
        meter = self.meter(("2025-07-01", "1.000"), ("2025-07-05", "1.400"))
        mark = meter.mark(date(2025, 7, 3), Weights(dict.fromkeys(days, D(0))))
        self.assertEqual(mark.value, D("1.200"))

    def test_parts_of_a_gap_add_up(self):
        meter = self.meter(("2024-12-30", "10.000"), ("2025-01-09", "13.337"))
        days = [date(2024, 12, 30) + timedelta(days=i) for i in range(11)]
        parts = [
            meter.use(first, until, Weights())[0]
            for first, until in zip(days, days[1:], strict=False)
        ]
        self.assertEqual(sum(parts), D("3.337"))

    def test_estimated_reading_stays_marked(self):
        meter = self.meter(("2025-01-01", "1"), ("2025-02-01", "2", "estimate"))
        use = meter.use(date(2025, 1, 1), date(2025, 2, 1), Weights())
        self.assertEqual(use, (D(1), "estimated"))

    def test_register_that_starts_again_at_zero(self):
        meter = self.meter(
            ("2025-01-01", "9999.000"), ("2025-02-01", "2.000"), capacity=D(10000)
        )
        use = meter.use(date(2025, 1, 1), date(2025, 2, 1), Weights())
        self.assertEqual(use, (D("3.000"), "measured"))
        self.assertEqual(meter.mark(date(2025, 2, 1), Weights()).value, D("2.000"))

    def test_nothing_is_made_up_beyond_the_last_reading(self):
        meter = self.meter(("2025-01-01", "1.000"))
        with self.assertRaises(MissingReading) as caught:
            meter.use(date(2025, 1, 1), date(2025, 2, 1), Weights())
        self.assertEqual(caught.exception.day, date(2025, 2, 1))


@tagged("post_install", "-at_install")
class TestRating(BaseCase):
    def heat(self, start, end, used, prices, **values):
        meter = MeterPeriod(
            "M",
            start,
            None,
            readings(
                (start.isoformat(), "0"),
                ((end + timedelta(days=1)).isoformat(), used),
            ),
        )
        supply = Supply(start, end, (meter,), {"heat": prices}, VAT, **values)
        return rate_supply(supply)

    def tiers(self, bound="31"):
        return Timeline.of(
            [
                (
                    date(2025, 1, 1),
                    (
                        Price("heat", "gj", D("40"), D(0), D(bound)),
                        Price("heat", "gj", D("50"), D(bound)),
                    ),
                )
            ]
        )

    def test_tiers(self):
        year = (date(2025, 1, 1), date(2025, 12, 31))
        lines = self.heat(*year, "35.5", self.tiers())
        self.assertEqual(
            [(line.quantity, line.amount) for line in lines],
            [(D("31.000"), D("1240.00")), (D("4.5"), D("225.00"))],
        )
        (line,) = self.heat(*year, "31", self.tiers())
        self.assertEqual(line.amount, D("1240.00"))

    def test_tier_of_a_part_of_a_year(self):
        half = (date(2025, 1, 1), date(2025, 3, 14))  # 73 of 365 days, a fifth
        lines = self.heat(*half, "10", self.tiers("30"))
        self.assertEqual([line.quantity for line in lines], [D("6.000"), D("4")])
        (line,) = self.heat(*half, "10", self.tiers("30"), tier_proration="none")
        self.assertEqual(line.quantity, D("10"))

    def changing_tiers(self):
        """Tiers up to 31 GJ, dearer from July on, and once more the year after."""
        return Timeline.of(
            (
                day,
                (
                    Price("heat", "gj", D(low), D(0), D(31)),
                    Price("heat", "gj", D(low) + 10, D(31)),
                ),
            )
            for day, low in (
                (date(2025, 1, 1), "40"),
                (date(2025, 7, 1), "42"),
                (date(2026, 1, 1), "44"),
            )
        )

    def use_by_tier(self, tier_proration):
        meter = MeterPeriod(
            "M",
            date(2025, 1, 1),
            None,
            readings(
                ("2025-01-01", "0"),
                ("2025-07-01", "20"),
                ("2026-01-01", "40"),
                ("2026-07-01", "60"),
            ),
        )
        lines = rate_supply(
            Supply(
                date(2025, 1, 1),
                date(2026, 6, 30),
                (meter,),
                {"heat": self.changing_tiers()},
                VAT,
                tier_proration=tier_proration,
            )
        )
        return [(line.price, line.quantity) for line in lines]

    def test_whole_tiers_count_the_use_of_the_year(self):
        """A price that changes in July does not begin the tier anew; a year does."""
        self.assertEqual(
            self.use_by_tier("none"),
            [
                (D(40), D(20)),
                (D(42), D(11)),
                (D(52), D(9)),
                (D(44), D(20)),
            ],
        )

    def test_tiers_by_days_are_those_of_each_part(self):
        # 31 GJ x 181, 184 and 181 of 365 days.
        self.assertEqual(
            self.use_by_tier("days"),
            [
                (D(40), D("15.373")),
                (D(50), D("4.627")),
                (D(42), D("15.627")),
                (D(52), D("4.373")),
                (D(44), D("15.373")),
                (D(54), D("4.627")),
            ],
        )

    def test_price_cap_of_2023(self):
        """47.38 up to 37 GJ: 35 GJ and the fixed charges were 2,379.51 (ACM: 2,380)."""
        prices = {
            "heat": (
                Price("heat", "gj", D("47.38"), D(0), D(37)),
                Price("heat", "gj", D("90.91"), D(37)),
            ),
            "standing": (Price("standing", "year", D("549.58")),),
            "metering": (Price("metering", "year", D("30.75")),),
            "delivery_set": (Price("delivery_set", "year", D("140.88")),),
        }
        start, end = date(2023, 1, 1), date(2023, 12, 31)
        meter = MeterPeriod(
            "M", start, None, readings(("2023-01-01", "0"), ("2024-01-01", "35"))
        )
        supply = Supply(
            start,
            end,
            (meter,),
            {name: Timeline.of([(start, group)]) for name, group in prices.items()},
            VAT,
        )
        total = sum(line.amount for line in rate_supply(supply))
        self.assertEqual(total, D("2379.51"))

    def test_vat_of_the_day_of_supply(self):
        """Energy was at 9 % in the second half of 2022."""
        vat = Timeline.of(
            [
                (date(2000, 1, 1), D(21)),
                (date(2022, 7, 1), D(9)),
                (date(2023, 1, 1), D(21)),
            ]
        )
        supply = Supply(
            date(2022, 1, 1),
            date(2022, 12, 31),
            (),
            {"standing": yearly("standing", (2022, "365.00"))},
            {"standing": vat},
        )
        lines = rate_supply(supply)
        self.assertEqual(
            [(line.end, line.vat_rate, line.amount) for line in lines],
            [
                (date(2022, 6, 30), D(21), D("181.00")),
                (date(2022, 12, 31), D(9), D("184.00")),
            ],
        )
        parts = Bill(tuple(lines)).supply
        self.assertEqual([part.vat for part in parts], [D("15.19"), D("31.41")])

    def test_vat_that_changes_on_the_last_day(self):
        vat = Timeline.of([(date(2000, 1, 1), D(21)), (date(2022, 7, 1), D(9))])
        lines = rate_supply(
            Supply(
                date(2022, 6, 1),
                date(2022, 7, 1),
                (),
                {"standing": yearly("standing", (2022, "365.00"))},
                {"standing": vat},
            )
        )
        self.assertEqual(
            [(line.vat_rate, line.amount) for line in lines],
            [(D(21), D("30.00")), (D(9), D("1.00"))],
        )

    def test_an_unchanged_price_is_cut_at_the_new_year(self):
        """Days of a leap year are of 366, whatever the price does."""
        lines = rate_supply(
            Supply(
                date(2024, 7, 1),
                date(2025, 6, 30),
                (),
                {"standing": yearly("standing", (2020, "1000.00"))},
                VAT,
            )
        )
        self.assertEqual(
            [(line.quantity, line.year_days, line.amount) for line in lines],
            [(D(184), 366, D("502.73")), (D(181), 365, D("495.89"))],
        )

    def test_an_unchanged_price_is_not_cut(self):
        prices = Timeline.of(
            (day, (Price("standing", "year", D(100)),))
            for day in (date(2025, 1, 1), date(2025, 7, 1))
        )
        supply = Supply(
            date(2025, 1, 1), date(2025, 12, 31), (), {"standing": prices}, VAT
        )
        self.assertEqual([line.amount for line in rate_supply(supply)], [D("100.00")])

    def test_no_price_no_bill(self):
        supply = Supply(
            date(2024, 12, 1),
            date(2025, 1, 31),
            (),
            {"standing": yearly("standing", (2025, "1"))},
            VAT,
        )
        with self.assertRaises(MissingPrice):
            rate_supply(supply)

    def test_meter_hung_during_the_period(self):
        """The first meter of a home starts later than the supply."""
        meter = MeterPeriod(
            "M",
            date(2025, 2, 1),
            None,
            readings(("2025-02-01", "3"), ("2025-03-01", "5")),
        )
        supply = Supply(
            date(2025, 1, 1),
            date(2025, 2, 28),
            (meter,),
            {"heat": per_gj((2025, "10"))},
            VAT,
        )
        (line,) = rate_supply(supply)
        self.assertEqual(line.amount, D("20.00"))

    def test_leap_year_costs_a_year(self):
        for year in (2023, 2024):
            supply = Supply(
                date(year, 1, 1),
                date(year, 12, 31),
                (),
                {"standing": yearly("standing", (2020, "582.82"))},
                VAT,
            )
            (line,) = rate_supply(supply)
            self.assertEqual(line.amount, D("582.82"))

    def test_moving_home_splits_a_year(self):
        first = rate_supply(case_a(end=date(2025, 3, 16)))
        second = rate_supply(case_a(start=date(2025, 3, 17)))
        heat = sum(line.quantity for line in first + second if line.unit == "gj")
        self.assertEqual(heat, D("24.040"))

    def test_corrected_reading_gives_a_correction(self):
        old, new = case_a_meters()
        fixed = MeterPeriod(
            new.serial,
            new.start,
            None,
            readings(("2025-03-17", "0.120"), ("2025-07-01", "4.030")),
        )
        before = rate_supply(case_a())
        after = rate_supply(case_a(meters=(old, fixed)))
        (line,) = difference(after, before)
        self.assertEqual((line.component, line.amount), ("heat", D("-43.79")))

    def test_vat_that_was_wrong_is_put_right(self):
        """The same amount at another rate: back at the one, charged at the other."""
        lines = rate_supply(case_a())
        right = [replace(line, vat_rate=D(9)) for line in lines]
        found = difference(right, lines)
        self.assertEqual(len(found), 2 * len(lines))
        self.assertEqual(sum(line.amount for line in found), 0)
        parts = {part.vat_rate: part.total for part in Bill(tuple(found)).supply}
        self.assertEqual(parts, {D(9): D("1842.80"), D(21): D("-1842.80")})

    def test_tiers_are_lines_of_their_own(self):
        line = rate_supply(case_a())[0]
        tiers = [line, replace(line, tier_from=D(31), amount=D("12.34"))]
        self.assertEqual(difference(tiers, tiers), [])
        (missing,) = difference(tiers, tiers[:1])
        self.assertEqual((missing.tier_from, missing.amount), (D(31), D("12.34")))
        self.assertEqual(missing.billed, 0)

    def test_line_that_falls_away_is_given_back(self):
        lines = rate_supply(case_a())
        without = [line for line in lines if line.component != "metering"]
        back = difference(without, lines)
        self.assertEqual([line.amount for line in back], [D("-15.93"), D("-16.27")])


@tagged("post_install", "-at_install")
class TestMoney(BaseCase):
    def test_half_up(self):
        self.assertEqual(round_cent(D("0.005")), D("0.01"))
        self.assertEqual(round_cent(D("-0.005")), D("-0.01"))
        self.assertEqual(round_cent(D("2.675")), D("2.68"))

    def test_half_a_step(self):
        """A worked out reading is rounded to the steps of its register."""
        step = D("0.001")
        for value, rounded in (
            ("0.0005", "0.001"),
            ("0.0025", "0.003"),
            ("-0.0005", "-0.001"),
            ("0.00049", "0"),
        ):
            self.assertEqual(round_to(D(value), step), D(rounded))
        self.assertEqual(round_to(D("12.5"), D(5)), D(15))

    def test_net(self):
        self.assertEqual(net_of(D("150.00"), D(21)), D("123.97"))
        self.assertEqual(net_of(D("160.00"), D(21)), D("132.23"))

    def test_spread(self):
        self.assertEqual(
            spread(D("0.10"), [D(1), D(1), D(1)]), [D("0.04"), D("0.03"), D("0.03")]
        )
        self.assertEqual(spread(D("0.01"), [D(0), D(0)]), [D("0.01"), D("0.00")])
        self.assertEqual(sum(spread(D("-1.00"), [D(-1), D(-1), D(-1)])), D("-1.00"))

    def test_outage(self):
        def due(hours, **values):
            values = {"outage_in_last_year": True, **values}
            return outage_compensation(Decimal(hours), **values)

        self.assertEqual(due("8"), 0)
        self.assertEqual(due("9.5"), 35)
        self.assertEqual(due("12"), 55)
        self.assertEqual(due("17"), 75)
        self.assertEqual(due("25"), 115)
        # A single one must take a day.
        self.assertEqual(due("23.9", outage_in_last_year=False), 0)
        self.assertEqual(due("25", outage_in_last_year=False), 115)
        self.assertEqual(due("24", outage_in_last_year=False), 115)
        self.assertEqual(due("25", announced_days=3), 0)
        self.assertEqual(due("25", announced_days=2), 115)
        self.assertEqual(due("25", own_installation=True), 0)
        self.assertEqual(due("25", force_majeure=True), 0)

    def test_compensation_bears_no_vat(self):
        bill = Bill(tuple(rate_supply(case_a())), compensation=D("35.00"))
        self.assertEqual((bill.total, bill.vat), (D("1807.80"), D("319.82")))
