"""The client: one method per kind of call, all through one careful request method."""

import copy
import json
import logging
import random
import time
from urllib.parse import urlsplit

import requests

from .errors import (
    PaytAuthError,
    PaytConnectionError,
    PaytError,
    PaytProtocolError,
    PaytRateLimitError,
    PaytUnclearOutcomeError,
    PaytUploadExpiredError,
)
from .ratelimit import NoLimit
from .results import BulkResult, UploadSlot
from .values import format_utc, parse_utc
from .wire import (
    FORM,
    decode,
    error_for,
    form_pairs,
    nested_pairs,
    new_session,
    query_value,
)

_logger = logging.getLogger(__name__)

# Payt documents 1..500; a short page is the last one.
MAX_PAGE_SIZE = 500
# Documented for block and resume only.
MAX_BLOCK_SIZE = 1000
# Payt says "multipart files" and no more; this is how its other nested fields go.
ATTACHMENTS = "message[attachments][]"


class PaytClient:
    """Talks to one administration of Payt.

    :param base_url: e.g. ``https://demo-api.paytsoftware.com``
    :param administration_id: Payt's id of the administration, as text
    :param tokens: a token provider, see :mod:`.auth`
    :param limiter: see :mod:`.ratelimit`
    :param version: goes into the User-Agent
    :param attempts: how often a repeatable call is tried before giving up
    :param max_wait: longest pause in seconds between two tries; when Payt asks for
        more, the error is raised and the caller decides
    :param block_as_json: Payt declares only form bodies for block, resume and plans
    """

    def __init__(
        self,
        base_url,
        administration_id,
        tokens,
        *,
        limiter=None,
        version="0",
        timeout=(5, 30),
        attempts=4,
        max_wait=20.0,
        page_size=MAX_PAGE_SIZE,
        block_as_json=False,
        session=None,
        sleep=time.sleep,
        jitter=random.random,
    ):
        self._base_url = base_url.rstrip("/")
        self._administration_id = str(administration_id)
        self._tokens = tokens
        self._limiter = limiter or NoLimit()
        self._timeout = timeout
        self._attempts = attempts
        self._max_wait = max_wait
        self._page_size = min(page_size, MAX_PAGE_SIZE)
        self._block_as_json = block_as_json
        self._session = session or new_session()
        self._session.headers["User-Agent"] = f"onergy_payt/{version} (Odoo)"
        self._session.headers["Accept"] = "application/json"
        self._sleep = sleep
        self._jitter = jitter
        self._settings = {}
        self.calls = 0

    def impatient(self):
        """Return a client like this one that tries each call once only."""
        other = copy.copy(self)
        other._attempts = 1
        return other

    # ------------------------------------------------------------------ reading

    def administrations(self):
        """Return the administrations this token may see: also our connection test."""
        return list(self.iterate("administrations", scoped=False))

    def pages(
        self, resource, *, fields=None, updated_after=None, scoped=True, **filters
    ):
        """Yield the pages of a list, each a list of dicts, the empty last one left out.

        :param resource: ``invoices``, ``payments``, ``invoices/deleted``, …
        :param fields: names to receive; nested ones as ``{"psp_transaction": [...]}``
        :param updated_after: naive UTC datetime
        :param filters: lists are sent comma separated, datetimes as UTC timestamps
        :raises PaytProtocolError: when Payt hands out the same cursor twice
        """
        params = {key: query_value(value) for key, value in filters.items()}
        if scoped:
            params["administration_id"] = self._administration_id
        if fields:
            params["fields"] = json.dumps({"only": fields}, separators=(",", ":"))
        if updated_after:
            params["updated_after"] = format_utc(updated_after)
        params["per_page"] = str(self._page_size)
        seen = set()
        while True:
            payload = self.request("GET", f"/v1/{resource}", params=params)
            try:
                rows = payload["data"]
                cursor = (payload.get("pagination") or {}).get("cursor")
            except (TypeError, KeyError, AttributeError):
                raise PaytProtocolError(f"{resource}: not a list page") from None
            if rows:
                yield rows
            if len(rows) < self._page_size or not cursor:
                return
            cursor = str(cursor)
            if cursor in seen:
                raise PaytProtocolError(f"{resource}: the cursor repeats")
            seen.add(cursor)
            params["cursor"] = cursor

    def iterate(self, resource, **kwargs):
        """Yield the rows of a list one by one; parameters as :meth:`pages`."""
        for page in self.pages(resource, **kwargs):
            yield from page

    # ------------------------------------------------------------------ writing

    def upsert_contacts(self, contacts):
        return self._bulk("POST", "contacts", contacts)

    def upsert_debtors(self, debtors):
        return self._bulk("POST", "debtors", debtors)

    def upsert_invoices(self, invoices):
        return self._bulk("POST", "invoices", invoices)

    def patch_invoices(self, invoices):
        return self._bulk("PATCH", "invoices", invoices)

    def block_invoices(self, identifiers):
        return self._block("block", identifiers)

    def resume_invoices(self, identifiers):
        """Lift blocks; Payt lifts only those that were set through the API."""
        return self._block("resume", identifiers)

    def announce_files(self, files):
        """Tell Payt which files are coming; returns slots for those it does not have.

        :param files: dicts with ``checksum``, ``byte_size``, ``content_type``
        :return: list of :class:`UploadSlot`
        """
        payload = self.request(
            "POST",
            "/v1/files",
            body={"administration_id": self._administration_id, "files": files},
        )
        # Described as one object, in practice a list; some answers are wrapped.
        if isinstance(payload, dict) and isinstance(payload.get("data"), list):
            payload = payload["data"]
        if isinstance(payload, dict):
            payload = [payload] if payload.get("url") else []
        return [
            UploadSlot(row["checksum"], row["url"], parse_utc(row.get("expires_at")))
            for row in payload or []
        ]

    def upload(self, slot, content, content_type):
        """Put a file in its slot. The address is pre-signed: our token stays out of it.

        :raises PaytUploadExpiredError: announce the file again
        """

        def send():
            headers = {
                "User-Agent": self._session.headers["User-Agent"],
                "Content-Type": content_type,
            }
            request = requests.Request("PUT", slot.url, headers, data=content)
            # Prepared by itself, not by the session: of ten thousand files that is a
            # third of the work. The session holds no token, the others add their own.
            return self._session.send(
                request.prepare(), timeout=self._timeout, **self._surroundings(slot.url)
            )

        def check(response):
            if response.status_code in (400, 401, 403, 404, 410):
                raise PaytUploadExpiredError(
                    "The upload address is no longer valid", status=response.status_code
                )
            if response.status_code >= 400:
                raise error_for(response, "PUT", "upload")

        self._with_retries("PUT", "upload", send, check, repeatable=True)

    def _surroundings(self, url):
        """Return proxies and certificates that the machine prescribes for a host."""
        host = urlsplit(url).netloc
        if host not in self._settings:
            self._settings[host] = self._session.merge_environment_settings(
                url, {}, None, None, None
            )
        return self._settings[host]

    def send_message(self, target, message, attachments=()):
        """Send a message to a debtor. Never repeated by the client.

        :param target: ``{"invoice_identifier": …}`` or ``{"debtor_identifier": …}``
        :param message: dict with ``subject`` and ``body`` (and e-mail addresses)
        :param attachments: tuples (file name, bytes, content type)
        :return: Payt's message as dict
        :raises PaytUnclearOutcomeError: look the message up before sending again
        """
        body = {
            "administration_id": self._administration_id,
            **target,
            "message": message,
        }
        files = [(ATTACHMENTS, attachment) for attachment in attachments]
        return self.request(
            "POST", "/v1/messages", body=body, files=files, repeatable=False
        )

    def mark_messages_read(self, message_ids):
        """Tell Payt that these messages have been read."""
        return self._bulk(
            "PATCH",
            "messages",
            [{"id": number, "read": True} for number in message_ids],
        )

    def upsert_vat_rates(self, rates):
        """Make rates known that lines of invoices refer to.

        :param rates: dicts with ``code``, ``rate`` (percentage as text), ``name`` and
            ``category``
        """
        return self._bulk("POST", "vat_rates", rates)

    def decide_plan(self, plan_id, decision):
        """Approve, reject or deactivate a payment plan; returns the plan as dict."""
        if decision not in ("approve", "reject", "deactivate"):
            raise ValueError(decision)
        return self.request(
            "PATCH",
            f"/v1/payment_plans/{plan_id}/{decision}",
            body={"administration_id": self._administration_id},
            as_form=not self._block_as_json,
            repeatable=False,
        )

    def create_plan(self, terms, invoice_identifiers):
        """Create an approved payment plan.

        :param terms: dicts with ``amount`` (a JSON number here, unlike elsewhere) and
            ``due_date``
        """
        return self.request(
            "POST",
            "/v1/payment_plans",
            body={
                "administration_id": self._administration_id,
                "invoice_identifiers": invoice_identifiers,
                "terms": terms,
            },
            repeatable=False,
        )

    def create_mandates(self, mandates):
        return self.request(
            "POST",
            "/v1/psp_mandates",
            body={
                "administration_id": self._administration_id,
                "psp_mandates": mandates,
            },
            repeatable=False,
        )

    def delete_mandates(self, references):
        payload = self.request(
            "DELETE",
            "/v1/psp_mandates",
            params={
                "administration_id": self._administration_id,
                "mandate_references": ",".join(references),
            },
            repeatable=False,
        )
        return BulkResult.from_payload(payload)

    def _bulk(self, method, resource, rows):
        payload = self.request(
            method,
            f"/v1/{resource}",
            body={"administration_id": self._administration_id, resource: rows},
        )
        return BulkResult.from_payload(payload)

    def _block(self, action, identifiers):
        if len(identifiers) > MAX_BLOCK_SIZE:
            raise ValueError(f"At most {MAX_BLOCK_SIZE} invoices at a time")
        payload = self.request(
            "PATCH",
            f"/v1/invoices/{action}",
            body={
                "administration_id": self._administration_id,
                "invoice_identifiers": list(identifiers),
            },
            as_form=not self._block_as_json,
        )
        return BulkResult.from_payload(payload)

    # ----------------------------------------------------------------- transport

    def request(
        self,
        method,
        path,
        *,
        params=None,
        body=None,
        files=(),
        as_form=False,
        repeatable=True,
    ):
        """Carry out one call and return the decoded answer, None when it is empty.

        :param files: tuples (field name, (file name, bytes, content type)); with any
            the body is sent as a form in parts
        :param repeatable: False for calls whose double would be seen by a debtor
        :raises PaytError: one of the classes in :mod:`.errors`
        """
        renewed = False
        while True:
            token = self._tokens.token()

            def send(token=token):
                return self._send(method, path, token, params, body, files, as_form)

            def check(response):
                if response.status_code >= 300:
                    raise error_for(response, method, path)

            try:
                response = self._with_retries(method, path, send, check, repeatable)
            except PaytAuthError:
                if renewed or not self._tokens.renew(token):
                    raise
                renewed = True
                continue
            return decode(response, path)

    def _send(self, method, path, token, params, body, files, as_form):
        headers = {"Authorization": f"Bearer {token}"}
        data = None
        if files:
            # The library makes up the boundary, and with it the content type.
            data = nested_pairs(body)
        elif body is not None:
            headers["Content-Type"] = FORM if as_form else "application/json"
            data = form_pairs(body) if as_form else json.dumps(body)
        self._pause(self._reserve())
        self.calls += 1
        return self._session.request(
            method,
            self._base_url + path,
            params=params,
            data=data,
            files=files or None,
            headers=headers,
            timeout=self._timeout,
            # A redirected POST would become a GET with our token at another host.
            allow_redirects=False,
        )

    def _reserve(self):
        """Return the seconds until our turn.

        :raises PaytRateLimitError: some worker was told to keep quiet for longer than
            this one should wait
        """
        wait = self._limiter.reserve()
        if wait > self._max_wait:
            raise PaytRateLimitError(
                "Payt asked us to wait, and that is not over yet", retry_after=wait
            )
        return wait

    def _with_retries(self, method, path, send, check, repeatable):
        """Send until it works, or until trying again here makes no sense."""
        for attempt in range(1, self._attempts + 1):
            try:
                response = self._attempt(method, path, send, check, repeatable)
            except PaytError as error:
                if not error.transient or attempt == self._attempts:
                    raise
                wait = self._wait_before(attempt, error)
                if wait > self._max_wait:
                    raise
                _logger.info(
                    "Payt %s %s: %s; again in %.1f s", method, path, error, wait
                )
                self._pause(wait)
            else:
                return response
        raise AssertionError("unreachable")  # pragma: no cover

    def _attempt(self, method, path, send, check, repeatable):
        started = time.monotonic()
        try:
            response = send()
        except requests.RequestException as error:
            # "from None": the original text may hold a pre-signed address.
            kind = type(error).__name__
            if repeatable or _never_arrived(error):
                raise PaytConnectionError(f"No answer from Payt ({kind})") from None
            raise PaytUnclearOutcomeError(
                f"The connection broke while Payt was working ({kind})"
            ) from None
        _logger.debug(
            "Payt %s %s: %s in %.0f ms",
            method,
            path,
            response.status_code,
            (time.monotonic() - started) * 1000,
        )
        if response.status_code >= 500 and not repeatable:
            raise PaytUnclearOutcomeError(
                f"Payt answered {response.status_code}", status=response.status_code
            )
        check(response)
        return response

    def _wait_before(self, attempt, error):
        """Seconds before the next try: what Payt asks, else 1-2-4-8 s plus jitter."""
        asked = getattr(error, "retry_after", None)
        wait = float(2 ** (attempt - 1)) * (0.5 + self._jitter())
        if asked is not None:
            wait = asked or wait
        if isinstance(error, PaytRateLimitError):
            # The limit is per token: whoever shares it has to pause as well.
            self._limiter.hold(wait)
        return wait

    def _pause(self, seconds):
        if seconds > 0:
            self._sleep(seconds)


def _never_arrived(error):
    """Whether the server cannot have seen the request."""
    return isinstance(error, requests.ConnectTimeout) or (
        isinstance(error, requests.ConnectionError)
        and "NewConnectionError" in repr(error)
    )
