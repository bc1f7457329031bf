"""Payt's invoice has no status: it follows from some 25 timestamps and ids."""

from .values import parse_money, parse_utc

# From the most to the least serious; the first that applies is the status. Each
# entry: status, then (field, number) pairs; the number tells reminders apart.
_STEPS_BEFORE_CARE = (
    ("bailiff", (("bailiff_at", 0),)),
    ("pre_judicial", (("pre_judicial_at", 0),)),
    ("notice_of_default", (("notice_of_default_at", 0),)),
    (
        "summons",
        (
            ("summons_4_at", 4),
            ("summons_3_at", 3),
            ("summons_2_at", 2),
            ("summons_1_at", 1),
            ("first_summons_at", 1),
            ("latest_summons_at", 1),
            ("pre_summons_at", 0),
        ),
    ),
    ("debt_collection", (("debt_collection_at", 0),)),
)
_STEPS_AFTER_CARE = (
    ("collectable", (("collectable_at", 0),)),
    ("final_reminder", (("final_reminder_at", 0),)),
    (
        "reminder",
        (
            ("reminder_4_at", 4),
            ("reminder_3_at", 3),
            ("reminder_2_at", 2),
            ("reminder_1_at", 1),
            ("first_reminder_at", 1),
            ("latest_reminder_at", 1),
        ),
    ),
    ("pre_reminder", (("pre_reminder_at", 0),)),
    ("sent", (("sent_at", 0),)),
)
STATUSES = (
    "new",
    "sent",
    "pre_reminder",
    "reminder",
    "final_reminder",
    "collectable",
    "paused",
    "plan",
    "debt_collection",
    "summons",
    "notice_of_default",
    "pre_judicial",
    "bailiff",
    "paid",
    "deleted",
)
PHASE_FIELDS = tuple(
    field
    for _status, pairs in _STEPS_BEFORE_CARE + _STEPS_AFTER_CARE
    for field, _number in pairs
)


def derive_status(invoice):
    """Return (status, number, moment) of an invoice as Payt shows it.

    :param invoice: a row of ``GET /v1/invoices``
    :return: ``number`` tells the first from the second reminder or summons, else 0;
        ``moment`` is naive UTC or None
    """
    if parse_money(invoice.get("open_amount")) == 0 or invoice.get("payment_date"):
        return "paid", 0, None
    found = _first_step(invoice, _STEPS_BEFORE_CARE)
    if found:
        return found
    if invoice.get("active_credit_case_id"):
        return "debt_collection", 0, None
    if invoice.get("active_payment_plan_id"):
        return "plan", 0, None
    if invoice.get("paused_at") or invoice.get("paused_by_user"):
        return "paused", 0, parse_utc(invoice.get("paused_at"))
    return _first_step(invoice, _STEPS_AFTER_CARE) or ("new", 0, None)


def _first_step(invoice, steps):
    for status, pairs in steps:
        for field, number in pairs:
            if invoice.get(field):
                return status, number, parse_utc(invoice[field])
    return None
