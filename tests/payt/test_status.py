"""The status that follows from Payt's timestamps."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payt_client import PHASE_FIELDS, STATUSES, derive_status
from payt_server.state import PHASES

OPEN = {"open_amount": "10.00"}
WHEN = "2026-11-01T10:00:00.000Z"


@pytest.mark.parametrize(
    ("facts", "status", "number"),
    [
        ({}, "new", 0),
        ({"sent_at": WHEN}, "sent", 0),
        ({"sent_at": WHEN, "reminder_1_at": WHEN}, "reminder", 1),
        ({"reminder_1_at": WHEN, "reminder_2_at": WHEN}, "reminder", 2),
        ({"reminder_2_at": WHEN, "final_reminder_at": WHEN}, "final_reminder", 0),
        ({"final_reminder_at": WHEN, "paused_at": WHEN}, "paused", 0),
        ({"paused_by_user": True}, "paused", 0),
        ({"paused_at": WHEN, "active_payment_plan_id": "1"}, "plan", 0),
        (
            {"active_payment_plan_id": "1", "debt_collection_at": WHEN},
            "debt_collection",
            0,
        ),
        ({"active_credit_case_id": "1"}, "debt_collection", 0),
        ({"debt_collection_at": WHEN, "summons_2_at": WHEN}, "summons", 2),
        ({"summons_4_at": WHEN, "bailiff_at": WHEN}, "bailiff", 0),
        ({"bailiff_at": WHEN, "payment_date": "2026-11-02"}, "paid", 0),
    ],
)
def test_the_most_serious_fact_wins(facts, status, number):
    assert derive_status({**OPEN, **facts})[:2] == (status, number)


def test_nothing_open_is_paid():
    assert derive_status({"open_amount": "0.00", "bailiff_at": WHEN})[0] == "paid"


def test_a_credit_note_is_open_until_it_is_used():
    assert derive_status({"open_amount": "-5.00", "sent_at": WHEN})[0] == "sent"


def test_the_moment_belongs_to_the_step():
    facts = {**OPEN, "sent_at": "2026-01-01T00:00:00Z", "reminder_1_at": WHEN}
    assert derive_status(facts)[2] == datetime(2026, 11, 1, 10)


@given(st.dictionaries(st.sampled_from(PHASE_FIELDS), st.just(WHEN)))
def test_every_combination_has_a_known_status(facts):
    status, number, _moment = derive_status({**OPEN, **facts})
    assert status in STATUSES
    assert 0 <= number <= 4


@pytest.mark.parametrize("phase", PHASES)
def test_each_phase_of_the_simulator_is_recognised(phase):
    facts = {field: WHEN for field in PHASES[phase]}
    status = derive_status({**OPEN, **facts})[0]
    assert phase.startswith(status) or phase == "pre_summons"
