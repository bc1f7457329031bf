from collections import defaultdict
from datetime import date, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odoo.tests import BaseCase, tagged

from ..engine import (
    Bill,
    Cost,
    MeterPeriod,
    NothingMetered,
    Reading,
    Share,
    Supply,
    Weights,
    allocate,
    difference,
    rate_supply,
    round_cent,
    spread,
)
from .engine_cases import VAT, D, case_a_prices

#: How fast the machine is says nothing of the rules.
ANY_SPEED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
START, END = date(2024, 3, 1), date(2025, 2, 28)
DAYS = (END - START).days + 1

cents = st.integers(0, 5_000_000).map(lambda number: D(number) / 100)
moves = st.sets(st.integers(1, DAYS - 1), max_size=4).map(
    lambda numbers: [START + timedelta(days=number) for number in sorted(numbers)]
)


@st.composite
def meters(draw):
    """A meter that was read on some days, at least on the first and the last."""
    numbers = draw(st.sets(st.integers(1, DAYS - 1), max_size=12))
    days = [START + timedelta(days=n) for n in sorted({0, *numbers, DAYS})]
    value, rows = D(draw(st.integers(0, 500_000))) / 1000, []
    for day in days:
        rows.append(Reading(day, value))
        value += D(draw(st.integers(0, 9_000))) / 1000
    return MeterPeriod("M", START, None, tuple(rows))


@st.composite
def weights(draw):
    degrees = draw(st.lists(st.integers(0, 25), min_size=DAYS, max_size=DAYS))
    days = [START + timedelta(days=number) for number in range(DAYS)]
    even = draw(st.sampled_from([D(0), D("0.2"), D(1)]))
    return Weights(dict(zip(days, map(D, degrees), strict=True)), even)


def supply(meter, cold, start=START, end=END, **prices):
    return Supply(start, end, (meter,), case_a_prices(**prices), VAT, cold)


def payers(meter, cold, cuts):
    firsts = [START, *cuts]
    lasts = [day - timedelta(days=1) for day in cuts] + [END]
    return [
        rate_supply(supply(meter, cold, start, end))
        for start, end in zip(firsts, lasts, strict=True)
    ]


@tagged("post_install", "-at_install")
class TestProperties(BaseCase):
    @given(meters(), weights(), moves)
    @settings(max_examples=60, **ANY_SPEED)
    def test_payers_of_an_address_pay_for_the_address(self, meter, cold, cuts):
        """Within a cent per line and payer, and the use exactly."""
        total = defaultdict(lambda: [D(0), D(0), 0])
        for lines in payers(meter, cold, cuts):
            for line in lines:
                entry = total[line.component, line.start.year]
                entry[0] += line.quantity
                entry[1] += line.amount
                entry[2] += 1
        for line in rate_supply(supply(meter, cold)):
            quantity, amount, count = total[line.component, line.start.year]
            self.assertEqual(quantity, line.quantity)
            self.assertLessEqual(abs(amount - line.amount), D("0.01") * count)

    @given(meters(), weights(), cents, cents)
    @settings(max_examples=60, **ANY_SPEED)
    def test_correcting_twice_corrects_once(self, meter, cold, old, new):
        before = rate_supply(supply(meter, cold, standing_2024=old))
        after = rate_supply(supply(meter, cold, standing_2024=new))
        correction = difference(after, before)
        total = sum(line.amount for line in before + correction)
        self.assertEqual(total, sum(line.amount for line in after))
        self.assertEqual(difference(after, before + correction), [])

    @given(meters(), weights(), st.sampled_from(range(DAYS)))
    @settings(max_examples=60, **ANY_SPEED)
    def test_a_worked_out_value_lies_between_its_readings(self, meter, cold, number):
        day = START + timedelta(days=number)
        value = meter.mark(day, cold).value
        before = max(r.value for r in meter.readings if r.day <= day)
        after = min(r.value for r in meter.readings if r.day >= day)
        self.assertTrue(before <= value <= after)

    @given(st.integers(-(10**7), 10**7), st.lists(st.integers(0, 10**6), min_size=1))
    @settings(**ANY_SPEED)
    def test_spread_adds_up(self, total, parts):
        total = D(total) / 100
        shares = spread(total, [D(part) for part in parts])
        self.assertEqual(sum(shares), total)
        whole = sum(parts)
        for share, part in zip(shares, parts, strict=True):
            if whole:
                self.assertLess(abs(share - total * part / whole), D("0.01"))

    @given(
        st.lists(st.tuples(st.integers(-(10**7), 10**7), st.integers(0, 10000))),
        st.lists(
            st.tuples(st.integers(1, 366 * 1500), st.integers(0, 10**5)), min_size=1
        ),
    )
    @settings(**ANY_SPEED)
    def test_shares_are_the_costs(self, costs, payers):
        """What is shared out is what was spent, and nobody's share is off by a cent."""
        costs = [
            Cost(key, D(cents) / 100, D(percent) / 100)
            for key, (cents, percent) in enumerate(costs)
        ]
        shares = [
            Share(key, D(weight) / 10, {"heat": D(use) / 1000})
            for key, (weight, use) in enumerate(payers)
        ]
        uses = sum(share.use["heat"] for share in shares)
        if not uses and any(cost.metered for cost in costs):
            with self.assertRaises(NothingMetered):
                allocate(costs, shares)
            return
        result = allocate(costs, shares)
        weights = sum(share.weight for share in shares)
        for cost in costs:
            parts = [result[cost.key, share.key] for share in shares]
            self.assertEqual(
                sum(fixed + metered for fixed, metered in parts), cost.amount
            )
            for share, (fixed, metered) in zip(shares, parts, strict=True):
                exact = cost.fixed * share.weight / weights
                self.assertLess(abs(fixed - exact), D("0.01"))
                exact = cost.metered * share.use["heat"] / (uses or 1)
                self.assertLess(abs(metered - exact), D("0.01"))

    @given(meters(), weights())
    @settings(max_examples=40, **ANY_SPEED)
    def test_vat_of_the_lines_is_that_of_the_bill(self, meter, cold):
        bill = Bill(tuple(rate_supply(supply(meter, cold))))
        self.assertEqual(sum(bill.line_vat()), bill.vat)
        self.assertEqual(bill.net, round_cent(bill.total / D("1.21")))
