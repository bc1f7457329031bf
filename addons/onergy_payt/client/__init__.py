"""A client for Payt's REST API v1 that knows nothing of Odoo.

Only ``requests`` is needed, so it can be tested, and used, on its own.
"""

from .auth import (
    ClientCredentialsTokens,
    MemoryTokenStore,
    RefreshTokens,
    StaticToken,
    TokenState,
    authorize_url,
    exchange_code,
)
from .client import PaytClient
from .errors import (
    PaytAuthError,
    PaytConnectionError,
    PaytConsentError,
    PaytError,
    PaytNotFoundError,
    PaytPermissionError,
    PaytProtocolError,
    PaytRateLimitError,
    PaytServerError,
    PaytUnclearOutcomeError,
    PaytUploadExpiredError,
    PaytValidationError,
)
from .ratelimit import NoLimit, SpacedLimiter
from .results import Attribution, BulkResult, UploadSlot
from .status import PHASE_FIELDS, STATUSES, derive_status
from .values import (
    file_checksum,
    format_money,
    format_utc,
    parse_money,
    parse_utc,
    text_id,
    web_address,
)

__all__ = [
    "Attribution",
    "BulkResult",
    "ClientCredentialsTokens",
    "MemoryTokenStore",
    "NoLimit",
    "PHASE_FIELDS",
    "PaytAuthError",
    "PaytClient",
    "PaytConnectionError",
    "PaytConsentError",
    "PaytError",
    "PaytNotFoundError",
    "PaytPermissionError",
    "PaytProtocolError",
    "PaytRateLimitError",
    "PaytServerError",
    "PaytUnclearOutcomeError",
    "PaytUploadExpiredError",
    "PaytValidationError",
    "RefreshTokens",
    "SpacedLimiter",
    "STATUSES",
    "StaticToken",
    "TokenState",
    "UploadSlot",
    "authorize_url",
    "derive_status",
    "exchange_code",
    "file_checksum",
    "format_money",
    "format_utc",
    "parse_money",
    "parse_utc",
    "text_id",
    "web_address",
]
