"""Payt's three ways of logging in, behind one small interface.

A token provider has two methods:

* ``token()`` returns the access token to use now (it may fetch or refresh one);
* ``renew(rejected)`` is called when Payt refused a token; it returns True when there
  is another one to try.

Where tokens live is up to a *store*: ``locked()`` is a context manager that gives the
current :class:`TokenState` under a lock shared by all workers, and keeps the changes
made to it for good when it ends. The lock matters: Payt's refresh token changes with
every use, and the last one received is the only one that works.

When a worker dies while it waits for the answer, or the answer gets lost, Payt may
have changed the token and we do not know the new one. The next worker then offers the
one that we have, once: it is the last one *received*. If Payt refuses it for good it
is forgotten, so that nobody offers it again, and a person has to give a new consent.
"""

import secrets
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlencode

import requests

from .errors import (
    PaytAuthError,
    PaytConnectionError,
    PaytConsentError,
    PaytProtocolError,
    PaytServerError,
)

# Renew a little early: clocks differ, and a batch takes a while.
EXPIRY_MARGIN = 120
TOKEN_TIMEOUT = 30


@dataclass
class TokenState:
    """What is known of a token; ``expires_at`` in seconds since 1970, None = never."""

    access_token: str = ""
    refresh_token: str = ""
    expires_at: float | None = None

    def __repr__(self):
        return f"TokenState(expires_at={self.expires_at})"

    def usable(self, now):
        if not self.access_token:
            return False
        return self.expires_at is None or self.expires_at - EXPIRY_MARGIN > now


class MemoryTokenStore:
    """Keeps a token in this process."""

    def __init__(self, state=None):
        self.state = state or TokenState()
        self._lock = threading.Lock()

    @contextmanager
    def locked(self):
        with self._lock:
            yield self.state

    def peek(self):
        return self.state


class StaticToken:
    """A token made by hand in Payt's settings."""

    def __init__(self, token):
        self._token = token

    def token(self):
        if not self._token:
            raise PaytAuthError("No API token is filled in")
        return self._token

    def renew(self, rejected):
        return False


class _OAuthTokens:
    def __init__(self, token_url, client_id, client_secret, store, session=None):
        self._token_url = token_url
        self._client = (client_id, client_secret)
        self._store = store
        self._session = session or requests.Session()

    def token(self):
        state = self._store.peek()
        if state.usable(time.time()):
            return state.access_token
        self._renew_under_lock(lambda current: not current.usable(time.time()))
        return self._store.peek().access_token

    def renew(self, rejected):
        # Another worker may have renewed while we waited for the lock.
        self._renew_under_lock(lambda current: current.access_token == rejected)
        return self._store.peek().access_token != rejected

    def _renew_under_lock(self, needed):
        ended = None
        with self._store.locked() as state:
            if needed(state):
                try:
                    self._fetch(state)
                except PaytConsentError as error:
                    # Raised outside, so that what changes here is kept.
                    ended = error
                    state.access_token = state.refresh_token = ""
        if ended:
            raise ended

    def _fetch(self, state):
        raise NotImplementedError

    def _request(self, state, **form):
        payload = request_token(self._session, self._token_url, self._client, form)
        state.access_token = payload["access_token"]
        state.refresh_token = payload.get("refresh_token") or state.refresh_token
        seconds = payload.get("expires_in")
        state.expires_at = time.time() + float(seconds) if seconds else None


class ClientCredentialsTokens(_OAuthTokens):
    """The application's own token; it does not expire, but its IP list may shut it."""

    def _fetch(self, state):
        self._request(state, grant_type="client_credentials")


class RefreshTokens(_OAuthTokens):
    """A user's consent: two-hour access tokens, a refresh token that rotates."""

    def _fetch(self, state):
        if not state.refresh_token:
            raise PaytConsentError("Nobody has given this application consent at Payt")
        self._request(
            state, grant_type="refresh_token", refresh_token=state.refresh_token
        )


def request_token(session, token_url, client, form):
    """Ask the token endpoint for a token and return its answer.

    :raises PaytConsentError: Payt refused the code or the refresh token, for good
    :raises PaytAuthError: Payt refused the client
    :raises PaytConnectionError, PaytServerError: no usable answer, try again later
    """
    try:
        response = session.post(
            token_url, data=form, auth=client, timeout=TOKEN_TIMEOUT
        )
    except requests.RequestException as error:
        # Without "from": the original text may repeat what was sent.
        raise PaytConnectionError(
            f"The token endpoint did not answer ({type(error).__name__})"
        ) from None
    if response.status_code >= 500 or response.status_code == 429:
        raise PaytServerError(
            f"The token endpoint answered {response.status_code}",
            status=response.status_code,
        )
    try:
        payload = response.json()
    except ValueError:
        payload = None
    if response.status_code >= 400:
        code = payload.get("error") if isinstance(payload, dict) else None
        refused = PaytConsentError if code == "invalid_grant" else PaytAuthError
        raise refused(
            f"Payt refused to give a token ({response.status_code})",
            status=response.status_code,
            code=code,
        )
    if not isinstance(payload, dict) or not payload.get("access_token"):
        raise PaytProtocolError("The token endpoint's answer has no token")
    return payload


def authorize_url(app_url, client_id, redirect_uri, scopes=()):
    """Return the address where a Payt user gives consent, and the state to expect back.

    :return: tuple (url, state)
    """
    state = secrets.token_urlsafe(32)
    query = {
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "response_type": "code",
        "state": state,
    }
    if scopes:
        query["scope"] = " ".join(scopes)
    return f"{app_url.rstrip('/')}/oauth/authorize?{urlencode(query)}", state


def exchange_code(token_url, client, code, redirect_uri, session=None):
    """Turn the code of a consent (valid ten minutes) into a :class:`TokenState`."""
    payload = request_token(
        session or requests.Session(),
        token_url,
        client,
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
        },
    )
    seconds = payload.get("expires_in")
    return TokenState(
        payload["access_token"],
        payload.get("refresh_token") or "",
        time.time() + float(seconds) if seconds else None,
    )
