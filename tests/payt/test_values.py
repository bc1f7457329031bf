"""How values are written and read."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payt_client import (
    file_checksum,
    format_money,
    format_utc,
    parse_money,
    parse_utc,
    text_id,
    web_address,
)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0.00"),
        (-0.0, "0.00"),
        (-0.001, "0.00"),
        (121, "121.00"),
        (0.1 + 0.2, "0.30"),
        (2.675, "2.68"),
        (Decimal("-14.005"), "-14.01"),
        ("1000000.5", "1000000.50"),
    ],
)
def test_money_is_a_string_with_two_decimals(amount, text):
    assert format_money(amount) == text


@given(st.decimals(-(10**9), 10**9, places=2))
def test_money_survives_the_round_trip(amount):
    assert parse_money(format_money(amount)) == amount


@pytest.mark.parametrize("text", ["1,00", "1e3", "NaN", "€ 1", "1.2.3", " 1"])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(ValueError):
        parse_money(text)


def test_moments_are_written_in_utc():
    amsterdam = timezone(timedelta(hours=1))
    moment = datetime(2026, 1, 1, 0, 30, tzinfo=amsterdam)
    assert format_utc(moment) == "2025-12-31T23:30:00.000Z"
    assert format_utc(datetime(2026, 1, 1)) == "2026-01-01T00:00:00.000Z"


def test_moments_are_read_as_naive_utc():
    expected = datetime(2025, 12, 31, 23, 30)
    assert parse_utc("2026-01-01T00:30:00+01:00") == expected
    assert parse_utc("2025-12-31T23:30:00.000Z") == expected
    assert parse_utc("") is None


@given(st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC)))
def test_a_moment_survives_to_the_millisecond(moment):
    back = parse_utc(format_utc(moment))
    assert abs(back - moment.replace(tzinfo=None)) < timedelta(milliseconds=1)


def test_a_checksum_has_the_length_that_payt_checks():
    assert len(file_checksum(b"")) == 88
    assert file_checksum(b"a") != file_checksum(b"b")


def test_only_web_addresses_become_links():
    assert web_address("https://example.com/i/1") == "https://example.com/i/1"
    for text in ("javascript:alert(1)", "data:text/html,x", "//example.com", "", None):
        assert web_address(text) is None


def test_ids_are_text_whatever_payt_sends():
    assert text_id(12) == text_id("12") == "12"
    assert text_id(None) == ""
