"""What each error of the client means for the work that it struck."""

from typing import NamedTuple

from .client import (
    PaytAuthError,
    PaytConnectionError,
    PaytConsentError,
    PaytNotFoundError,
    PaytPermissionError,
    PaytRateLimitError,
    PaytServerError,
    PaytUnclearOutcomeError,
    PaytUploadExpiredError,
)


class Trouble(NamedTuple):
    """``code``: see ``payt.operation._explain_code``; ``state`` of the operations.

    ``goes_on``: "go on" with the next batch, with the "next kind" of operations, or
    "stop" because everything else would fail in the same way.
    """

    code: str
    state: str
    goes_on: str


# The first that fits counts.
TROUBLES = (
    (PaytUnclearOutcomeError, Trouble("unclear", "unknown", "go on")),
    (PaytConsentError, Trouble("consent", "retry", "stop")),
    (PaytAuthError, Trouble("auth", "retry", "stop")),
    (PaytPermissionError, Trouble("permission", "failed", "next kind")),
    (PaytNotFoundError, Trouble("not_found", "failed", "go on")),
    (PaytRateLimitError, Trouble("rate_limit", "retry", "stop")),
    (PaytServerError, Trouble("server", "retry", "next kind")),
    (PaytConnectionError, Trouble("connection", "retry", "stop")),
    (PaytUploadExpiredError, Trouble("connection", "retry", "stop")),
)


def trouble_of(error):
    """Return the :class:`Trouble` that an error of the client is."""
    for kind, trouble in TROUBLES:
        if isinstance(error, kind):
            return trouble
    if error.status in (400, 409, 422):
        return Trouble("refused", "failed", "go on")
    return Trouble("protocol", "retry", "go on")


def detail_of(error):
    """Return what the explanation of an error mentions: a permission, Payt's words."""
    return getattr(error, "scope", None) or error.message
