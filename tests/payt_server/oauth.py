"""Tokens: a fixed one, those of an application, and those of a user's consent."""

import secrets
import time

# The simulator's own credentials; they open nothing else.
STATIC_TOKEN = "simulator-token"
CLIENT_ID = "simulator-client"
CLIENT_SECRET = "simulator-secret"


class OAuth:
    """Which tokens work. As at Payt a refresh token works once: the next one counts.

    ``lenient``: as some servers do, the old one works until the new one has been used,
    so that an answer may get lost.
    """

    def __init__(self):
        self.tokens = {STATIC_TOKEN: None}
        self.refresh_token = None
        self.lenient = False
        self._replaced = self._newest = None
        # Every refresh token that was offered, right or wrong, in order.
        self.offered = []
        self.codes = {}
        self.seconds = 7200

    def knows(self, token):
        if token not in self.tokens:
            return False
        if token == self._newest:
            self._replaced = None
        expires = self.tokens[token]
        return expires is None or expires > time.time()

    def issue(self, form, client):
        """The token endpoint; returns (status, payload)."""
        if client != (CLIENT_ID, CLIENT_SECRET):
            return 401, {"error": "invalid_client"}
        grant = form.get("grant_type")
        if grant == "client_credentials":
            token = secrets.token_urlsafe(16)
            self.tokens[token] = None
            return 200, {"access_token": token, "token_type": "Bearer"}
        if grant == "authorization_code":
            if self.codes.pop(form.get("code"), None) != form.get("redirect_uri"):
                return 400, {"error": "invalid_grant"}
        elif grant == "refresh_token":
            self.offered.append(form.get("refresh_token"))
            valid = {self.refresh_token, self._replaced if self.lenient else None}
            if form.get("refresh_token") not in valid - {None}:
                return 400, {"error": "invalid_grant"}
        else:
            return 400, {"error": "unsupported_grant_type"}
        token = secrets.token_urlsafe(16)
        self.tokens[token] = time.time() + self.seconds
        self._newest, self._replaced = token, self.refresh_token
        self.refresh_token = secrets.token_urlsafe(24)
        return 200, {
            "access_token": token,
            "refresh_token": self.refresh_token,
            "expires_in": self.seconds,
            "created_at": int(time.time()),
            "token_type": "Bearer",
            "scope": "invoices:read invoices:write debtors:read debtors:write",
        }
