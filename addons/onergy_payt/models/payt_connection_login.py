from odoo import api, models
from odoo.exceptions import UserError
from odoo.modules.module import get_manifest

from ..client import (
    ClientCredentialsTokens,
    PaytClient,
    PaytError,
    RefreshTokens,
    StaticToken,
    authorize_url,
    exchange_code,
)
from ..tools import DatabaseLimiter, DatabaseTokenStore
from ..troubles import detail_of, trouble_of


class PaytConnectionLogin(models.Model):
    """How a connection gets in: tokens, the client, and a Payt user's consent."""

    _inherit = "payt.connection"

    @api.depends("auth_mode", "api_token", "client_id", "client_secret")
    def _compute_is_connected(self):
        tokens = {
            token.connection_id: token
            for token in self.env["payt.token"].search(
                [("connection_id", "in", self.ids)]
            )
        }
        for connection in self:
            application = connection.client_id and connection.client_secret
            if connection.auth_mode == "static":
                connection.is_connected = bool(connection.api_token)
            elif connection.auth_mode == "client_credentials":
                connection.is_connected = bool(application)
            else:
                token = tokens.get(connection)
                connection.is_connected = bool(application and token.refresh_token)

    def _token_provider(self):
        self.ensure_one()
        if self.auth_mode == "static":
            return StaticToken(self.api_token)
        kind = (
            ClientCredentialsTokens
            if self.auth_mode == "client_credentials"
            else RefreshTokens
        )
        store = DatabaseTokenStore(self.env.registry, self.id)
        return kind(self._token_url(), self.client_id, self.client_secret, store)

    def _token_url(self):
        return f"{self.api_base_url.rstrip('/')}/oauth/token"

    def _limiter(self):
        """Return the limiter that all workers of this connection share."""
        self.ensure_one()
        return DatabaseLimiter(self.env.registry, self.id, self.requests_per_second)

    def _client_options(self):
        """Return further options of the client; other addons may add theirs."""
        return {}

    def _get_client(self, **kwargs):
        """Return a client for this administration; nothing is sent by this."""
        self.ensure_one()
        # sudo: the credentials are hidden from everyone else
        connection = self.sudo()
        return PaytClient(
            connection.api_base_url,
            connection.administration_id or "",
            connection._token_provider(),
            limiter=self._limiter(),
            version=get_manifest("onergy_payt")["version"],
            page_size=connection.page_size,
            block_as_json=connection.block_as_json,
            **{**self._client_options(), **kwargs},
        )

    def action_test(self):
        """Ask Payt which administrations we may see."""
        self.ensure_one()
        self.check_access("write")
        if self.auth_mode == "authorization_code" and self._is_copy():
            raise UserError(
                self.env._(
                    "This database is a copy of the one that went live. A test would "
                    "take away the consent of the other one. Is this the real one? "
                    "Press ‘Go live’. Else log in at Payt for a consent of its own."
                )
            )
        return self._ask_administrations()

    def _is_copy(self):
        """Whether another database went live with this connection."""
        # sudo: the fingerprint is for administrators only
        return self.sudo().fingerprint not in (False, self._database_fingerprint())

    def _ask_administrations(self):
        try:
            rows = self._get_client(attempts=1).administrations()
        except PaytError as error:
            code, detail = trouble_of(error).code, detail_of(error)
            raise UserError(
                self.env._(
                    "The connection does not work. %(reason)s",
                    reason=self.env["payt.operation"]._explain_code(code, detail),
                )
            ) from error
        self._clear_error()
        return rows

    def action_authorize(self):
        """Send the user to Payt for his consent."""
        self.ensure_one()
        self.check_access("write")
        # sudo: credentials; the page itself is for managers only
        connection = self.sudo()
        url, state = authorize_url(
            connection.app_base_url, connection.client_id, self._redirect_uri()
        )
        connection.oauth_state = state
        return {"type": "ir.actions.act_url", "url": url, "target": "self"}

    def _redirect_uri(self):
        return f"{self.get_base_url()}/payt/oauth"

    def _finish_authorization(self, code):
        """Exchange the code that came back for tokens.

        A code works once. So what may clash with a job, and make Odoo begin again,
        happens before it is used.
        """
        self.ensure_one()
        # sudo: credentials
        connection = self.sudo()
        connection.oauth_state = False
        if self._is_copy():
            # From now on it has tokens of its own.
            connection.write({"fingerprint": False, "live_enabled": False})
        connection.flush_recordset()
        state = exchange_code(
            connection._token_url(),
            (connection.client_id, connection.client_secret),
            code,
            self._redirect_uri(),
        )
        store = DatabaseTokenStore(self.env.registry, self.id)
        with store.locked() as stored:
            stored.access_token = state.access_token
            stored.refresh_token = state.refresh_token
            stored.expires_at = state.expires_at
