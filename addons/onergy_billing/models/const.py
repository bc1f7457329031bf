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

#: Besides the components of a tariff, a bill may hold shares in actual costs.
LINE_COMPONENTS = [
    *COMPONENTS,
    ("service_fixed", "Service costs, fixed part"),
    ("service_metered", "Service costs, metered part"),
]
LINE_UNITS = [*UNITS, ("share", "share in the costs")]

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

#: Who may read settlements and costs; metering staff works without them.
BILLING_GROUPS = (
    "onergy_residents.group_customer_service,onergy_residents.group_accountant"
)

#: What the batch jobs leave out: nobody follows a bill, its history is its lines.
QUIET = {
    "tracking_disable": True,
    "mail_create_nolog": True,
    "mail_create_nosubscribe": True,
    "mail_notrack": True,
    "mail_activity_automation_skip": True,
}
