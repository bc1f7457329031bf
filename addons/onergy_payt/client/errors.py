"""What can go wrong in a conversation with Payt, one class per remedy.

``transient`` says whether the same call may succeed later without anyone changing
anything. No message ever holds a token, a request body or an upload address.
"""


class PaytError(Exception):
    """Base of all errors of the client.

    :param message: English text for the log and the technical details of an operation
    :param status: HTTP status, or None when no answer came
    :param code: Payt's own error code, if the answer had one
    """

    transient = False

    def __init__(self, message, *, status=None, code=None):
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code


class PaytConnectionError(PaytError):
    """No answer came, and the call may safely be repeated."""

    transient = True


class PaytServerError(PaytError):
    """Payt answered 5xx."""

    transient = True


class PaytRateLimitError(PaytError):
    """Payt answered 429; ``retry_after`` is in seconds, or None when not given."""

    transient = True

    def __init__(self, message, *, retry_after=None, **kwargs):
        super().__init__(message, **kwargs)
        self.retry_after = retry_after


class PaytUnclearOutcomeError(PaytError):
    """A call that must not be repeated blindly may or may not have been carried out."""


class PaytProtocolError(PaytError):
    """The answer is not what the contract promises (no JSON, a repeating cursor)."""


class PaytAuthError(PaytError):
    """Payt does not accept our token, also not after a refresh (401)."""


class PaytConsentError(PaytAuthError):
    """The consent has ended: a Payt user has to give it again."""


class PaytPermissionError(PaytError):
    """The token lacks a permission (403), named by ``scope``: ``invoices:write``."""

    def __init__(self, message, *, scope=None, **kwargs):
        super().__init__(message, **kwargs)
        self.scope = scope


class PaytNotFoundError(PaytError):
    """The object does not exist in this administration (404)."""


class PaytValidationError(PaytError):
    """Payt refused the whole call (400, 422): nothing was processed."""


class PaytUploadExpiredError(PaytError):
    """The upload address is no longer valid: announce the file again."""
