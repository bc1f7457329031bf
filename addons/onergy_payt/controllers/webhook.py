import hmac
import logging

from werkzeug.exceptions import NotFound

from odoo import http
from odoo.http import request

from ..client import PaytError

_logger = logging.getLogger(__name__)

# Payt's events are a few kilobytes.
MAX_BODY = 256 * 1024


class PaytController(http.Controller):
    """Where Payt calls us, and where a Payt user returns after his consent."""

    _webhook_url = "/payt/webhook"

    @http.route(
        f"{_webhook_url}/<string:key>",
        type="http",
        auth="public",
        methods=["POST"],
        csrf=False,
        save_session=False,
    )
    def payt_webhook(self, key, **kwargs):
        """Check the signature, keep the event, answer at once.

        What the event says is never believed: the object is read again from Payt.
        200: kept, or known already. 401: wrong signature. 403: not from an address
        that was agreed on. 404: no such address.
        """
        # sudo: the caller is Payt; the signature below is what lets it in
        connection = (
            request.env["payt.connection"].sudo().search([("webhook_key", "=", key)])
        )
        if not connection:
            return request.make_response("", status=404)
        if not connection._is_webhook_source(request.httprequest.remote_addr):
            _logger.info("Payt webhook from another internet address refused")
            return request.make_response("", status=403)
        if (request.httprequest.content_length or 0) > MAX_BODY:
            return request.make_response("", status=413)
        raw = request.httprequest.get_data(cache=True)
        signature = request.httprequest.headers.get("X-PAYT-SIGNATURE")
        # sudo: as above
        events = request.env["payt.event"].sudo()
        if not events._is_signed(connection, raw, signature):
            _logger.info("Payt webhook with a wrong signature refused")
            return request.make_response("", status=401)
        try:
            events._receive(connection, raw)
        except (ValueError, KeyError, TypeError, AttributeError):
            _logger.warning("Payt webhook that is no event refused")
            return request.make_response("", status=400)
        return request.make_response("", status=200)

    @http.route("/payt/oauth", type="http", auth="user", methods=["GET"])
    def payt_oauth(self, code=None, state=None, **kwargs):
        if not request.env.user.has_group("onergy_residents.group_manager"):
            raise NotFound()
        # sudo: the state is hidden from everyone; the rule of companies still counts
        waiting = (
            request.env["payt.connection"]
            .sudo()
            .search(
                [
                    ("oauth_state", "!=", False),
                    ("company_id", "in", request.env.user.company_ids.ids),
                ]
            )
        )
        connection = waiting.filtered(
            lambda c: hmac.compare_digest(c.oauth_state, state or "")
        )
        if not connection or not code:
            raise NotFound()
        try:
            connection._finish_authorization(code)
        except PaytError as error:
            connection._set_error(error)
        return request.redirect(f"/odoo/payt.connection/{connection.id}")
