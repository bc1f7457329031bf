"""Payt's ways of writing values, in both directions."""

import base64
import hashlib
import re
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

_CENT = Decimal("0.01")
_MONEY = re.compile(r"-?\d+(\.\d+)?")


def format_money(amount):
    """Return an amount as Payt wants it: a string with exactly two decimals.

    :param amount: Decimal, int, str or float (floats come from Odoo's Monetary fields)
    """
    value = Decimal(str(amount)).quantize(_CENT, rounding=ROUND_HALF_UP)
    # Payt shows what it is sent; "-0.00" would be read as a debt.
    return str(abs(value) if not value else value)


def parse_money(text):
    """Return Payt's amount as a Decimal; None and "" are zero.

    :raises ValueError: when the text is no plain decimal number
    """
    if text in (None, "", False):
        return Decimal("0.00")
    if not _MONEY.fullmatch(str(text)):
        raise ValueError(f"Not an amount: {text!r}")
    try:
        return Decimal(str(text))
    except InvalidOperation as error:  # pragma: no cover - the pattern forbids it
        raise ValueError(f"Not an amount: {text!r}") from error


def format_utc(moment):
    """Return a datetime as ISO 8601 in UTC; a naive one counts as UTC, as in Odoo."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_utc(text):
    """Return Payt's timestamp as a naive UTC datetime, as Odoo stores it, or None."""
    if not text:
        return None
    moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment


def text_id(value):
    """Normalise an id to text: Payt's schema says string, its examples show numbers."""
    return "" if value in (None, False, "") else str(value)


def web_address(text):
    """Return an address that is safe to put in a link, else None."""
    text = str(text or "").strip()
    return text if text.startswith(("https://", "http://")) else None


def file_checksum(content):
    """Return the checksum by which Payt knows a file: SHA3-512 in base64."""
    return base64.b64encode(hashlib.sha3_512(content).digest()).decode()
