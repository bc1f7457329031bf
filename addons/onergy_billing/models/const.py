"""Words that several models share."""

COMPONENTS = [
    ("heat", "Heat"),
    ("cooling", "Cooling"),
    ("standing", "Standing charge"),
    ("metering", "Metering charge"),
    ("delivery_set", "Rent of the delivery set"),
    ("connection", "New connection"),
    ("disconnection", "Disconnection"),
    ("fee", "Other fee"),
]

SERVICE_SETS = [
    ("heating_hot_water", "Heating and hot water"),
    ("heating", "Heating only"),
    ("hot_water", "Hot water only"),
]

UNITS = [
    ("gj", "per GJ"),
    ("year", "per year"),
    ("once", "once"),
]

#: Units that make sense for a component; what is missing here is charged once.
COMPONENT_UNITS = {
    "heat": ("gj",),
    "cooling": ("gj", "year"),
    "standing": ("year",),
    "metering": ("year",),
    "delivery_set": ("year",),
}

#: Which components of a home are on a bill, for the rent of the delivery set may be
#: the owner's by contract.
PARTS = [
    ("all", "Everything"),
    ("resident", "All but the rent of the delivery set"),
    ("owner", "The rent of the delivery set"),
]

PRICE_DIGITS = (16, 4)
TIER_DIGITS = (16, 3)

#: What the batch jobs leave out: nobody follows a bill, its history is its lines.
QUIET = {
    "tracking_disable": True,
    "mail_create_nolog": True,
    "mail_create_nosubscribe": True,
    "mail_notrack": True,
    "mail_activity_automation_skip": True,
}
