"""How calls and answers are written: forms, queries, and errors by status."""

import email.utils
import re
from datetime import UTC, datetime

import requests

from .errors import (
    PaytAuthError,
    PaytNotFoundError,
    PaytPermissionError,
    PaytProtocolError,
    PaytRateLimitError,
    PaytServerError,
    PaytValidationError,
)
from .values import format_utc

FORM = "application/x-www-form-urlencoded"
MAX_CONNECTIONS = 64
_MISSING_SCOPE = re.compile(r"([a-z_]+:(?:read|write))")


def new_session():
    """A session whose connections are enough for all threads that upload."""
    session = requests.Session()
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=MAX_CONNECTIONS)
    for scheme in ("https://", "http://"):
        session.mount(scheme, adapter)
    return session


def decode(response, path):
    if not response.content.strip():
        return None
    try:
        return response.json()
    except ValueError:
        raise PaytProtocolError(
            f"{path}: the answer is no JSON", status=response.status_code
        ) from None


def error_for(response, method, path):
    """Turn an answer of 3xx–5xx into the error that says what to do about it."""
    status = response.status_code
    code, text = error_details(response)
    label = f"{method} {path}: {status}"
    if text:
        label = f"{label} {text}"
    known = {"status": status, "code": code}
    if status == 429:
        return PaytRateLimitError(label, retry_after=retry_after(response), **known)
    if status >= 500:
        return PaytServerError(label, **known)
    if status == 401:
        return PaytAuthError(label, **known)
    if status == 403:
        found = _MISSING_SCOPE.search(text or "")
        return PaytPermissionError(
            label, scope=found.group(1) if found else None, **known
        )
    if status == 404:
        return PaytNotFoundError(label, **known)
    if status in (400, 409, 422):
        return PaytValidationError(text or label, **known)
    return PaytProtocolError(label, **known)


def error_details(response):
    """Return (code, message); Payt's clients have met both the flat and nested form."""
    try:
        payload = response.json()
    except ValueError:
        return None, ""
    if not isinstance(payload, dict):
        return None, ""
    if isinstance(payload.get("error"), dict):
        payload = payload["error"]
    return payload.get("code"), str(payload.get("message") or "")[:500]


def retry_after(response):
    """Seconds of the Retry-After header (a number or an HTTP date), or None."""
    value = response.headers.get("Retry-After")
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def form_pairs(body):
    pairs = []
    for key, value in body.items():
        if isinstance(value, list):
            pairs += [(f"{key}[]", item) for item in value]
        else:
            pairs.append((key, value))
    return pairs


def nested_pairs(body):
    """``{"message": {"body": "x"}}`` as fields of a form: ``message[body]`` = x."""
    pairs = []
    for key, value in body.items():
        if isinstance(value, dict):
            pairs += [(f"{key}[{name}]", text) for name, text in value.items()]
        else:
            pairs.append((key, value))
    return pairs


def query_value(value):
    if isinstance(value, datetime):
        return format_utc(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple, set)):
        return ",".join(str(item) for item in value)
    return str(value)
