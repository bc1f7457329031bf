"""Units of heat meters, exact.

The gigajoule is the base of derived energy because every unit a meter may be built
with is a finite decimal of it (1 kWh = 0.0036 GJ), which is not true the other way
round (1 GJ = 277.777... kWh). Calories are the international table calorie
(4.1868 J) that EN 1434 meters count.
"""

from decimal import Decimal

ENERGY = "energy"
VOLUME = "volume"

#: unit -> (quantity, factor to the base unit: GJ for energy, m3 for volume)
UNITS = {
    "Wh": (ENERGY, Decimal("0.0000036")),
    "kWh": (ENERGY, Decimal("0.0036")),
    "MWh": (ENERGY, Decimal("3.6")),
    "GWh": (ENERGY, Decimal("3600")),
    "J": (ENERGY, Decimal("0.000000001")),
    "kJ": (ENERGY, Decimal("0.000001")),
    "MJ": (ENERGY, Decimal("0.001")),
    "GJ": (ENERGY, Decimal("1")),
    "kcal": (ENERGY, Decimal("0.0000041868")),
    "Mcal": (ENERGY, Decimal("0.0041868")),
    "Gcal": (ENERGY, Decimal("4.1868")),
    "l": (VOLUME, Decimal("0.001")),
    "m3": (VOLUME, Decimal("1")),
}

#: spellings met in files; a profile can add its own
ALIASES = {
    "m³": "m3",
    "m^3": "m3",
    "m**3": "m3",
    "liter": "l",
    "litre": "l",
    "L": "l",
    "KWH": "kWh",
    "kwh": "kWh",
    "Kwh": "kWh",
    "KWh": "kWh",
    "MWH": "MWh",
    "mwh": "MWh",
    "WH": "Wh",
    "wh": "Wh",
    "gj": "GJ",
    "Gj": "GJ",
    "mj": "MJ",
    "GCAL": "Gcal",
    "gcal": "Gcal",
    "M3": "m3",
}


def normalise(unit):
    """The canonical spelling of ``unit``, or an empty string when unknown."""
    unit = unit.strip()
    if unit in UNITS:
        return unit
    return ALIASES.get(unit, "")


def to_base(value, unit):
    """``value`` (Decimal) in the base unit of its quantity (GJ or m3)."""
    return value * UNITS[unit][1]


def gj_to_kwh(value):
    """Gigajoule to kilowatt-hour; not finite in general, so for display only."""
    return value * 1000 / Decimal("3.6")
