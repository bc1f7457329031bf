"""Supplies that the tests of the engine share."""

from datetime import date
from decimal import Decimal

from ..engine import MeterPeriod, Price, Reading, Supply, Timeline

D = Decimal
VAT = {
    name: Timeline.of([(date(2000, 1, 1), D(21))])
    for name in ("heat", "cooling", "standing", "metering", "delivery_set")
}


def yearly(component, *steps):
    """Timeline of a charge per year: (first year, price)."""
    return Timeline.of(
        (date(year, 1, 1), (Price(component, "year", D(amount)),))
        for year, amount in steps
    )


def per_gj(*steps):
    return Timeline.of(
        (date(year, 1, 1), (Price("heat", "gj", D(amount)),)) for year, amount in steps
    )


def case_a_prices(standing_2024="582.82"):
    """The maximum tariffs of the Dutch regulator (ACM) for 2024 and 2025."""
    return {
        "heat": per_gj((2024, "46.69"), (2025, "43.79")),
        "standing": yearly("standing", (2024, standing_2024), (2025, "577.48")),
        "metering": yearly("metering", (2024, "31.68"), (2025, "32.80")),
        "delivery_set": yearly("delivery_set", (2024, "145.38"), (2025, "150.49")),
    }


def readings(*rows):
    return tuple(
        Reading(date.fromisoformat(day), D(value), *rest) for day, value, *rest in rows
    )


def case_a_meters():
    """A meter that was exchanged on 17 March 2025."""
    change = date(2025, 3, 17)
    return (
        MeterPeriod(
            "OLD",
            date(2020, 1, 1),
            change,
            readings(
                ("2024-07-01", "412.350"),
                ("2025-01-01", "422.970"),
                ("2025-03-17", "431.480"),
            ),
        ),
        MeterPeriod(
            "NEW",
            change,
            None,
            readings(("2025-03-17", "0.120"), ("2025-07-01", "5.030")),
        ),
    )


def case_a(**values):
    return Supply(
        **{
            "start": date(2024, 7, 1),
            "end": date(2025, 6, 30),
            "meters": case_a_meters(),
            "prices": case_a_prices(),
            "vat": VAT,
            **values,
        }
    )
