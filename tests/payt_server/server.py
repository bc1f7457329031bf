"""The HTTP side: routing, tokens, rate limit, faults, recording, control."""

import base64
import email
import hashlib
import json
import pickle
import secrets
import socket
import threading
import time
from collections import Counter, deque
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jsonschema
import requests

from . import schema
from .api import Api, ApiError, encode, numeric_ids
from .faults import Faults
from .site import Site
from .state import ADMINISTRATION, TABLES, PaytState
from .webhooks import Webhooks

# The simulator's own credentials; they open nothing else.
STATIC_TOKEN = "simulator-token"
CLIENT_ID = "simulator-client"
CLIENT_SECRET = "simulator-secret"
RECORDED = 20000


class PaytServer:
    """One simulated Payt on its own port.

    :param rate_limit: requests per window and token, 0 = no limit
    :param window: its length in seconds; longer than Payt's one to play it slowed down
    :param record: keep every call and answer for :attr:`recording`
    :param strict: refuse calls that are not as our schema says (422)
    """

    def __init__(
        self,
        port=0,
        host="127.0.0.1",
        rate_limit=10,
        record=False,
        strict=True,
        window=1.0,
    ):
        self.rate_limit = rate_limit
        self.window = window
        self.record = record
        self.strict = strict
        self.lock = threading.RLock()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._httpd = _Httpd((host, port), handler)
        self.port = self._httpd.server_address[1]
        self.address = f"http://{host}:{self.port}"
        self.state = PaytState(self.address)
        self.api = Api(self.state, self.address)
        self.faults = Faults()
        self.webhooks = Webhooks(self.state, self.lock, encode)
        self.site = Site(self)
        self.stopped = threading.Event()
        self._saved = None
        self._thread = None
        self.reset()

    # ------------------------------------------------------------- life cycle

    def start(self):
        self._thread = threading.Thread(target=self._httpd.serve_forever, daemon=True)
        self._thread.start()
        return self

    def serve_forever(self):
        self._httpd.serve_forever()

    def stop(self):
        if self.stopped.is_set():
            return
        self.stopped.set()
        self.webhooks.close()
        self._httpd.shutdown()
        self._httpd.server_close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_details):
        self.stop()

    def reset(self):
        with self.lock:
            self.state.reset()
            self.faults.clear()
            self.webhooks.reset()
            self.recording = []
            self.counts = Counter()
            self.refused_by_limit = 0
            self.busiest_second = 0
            self._windows = {}
            self.tokens = {STATIC_TOKEN: None}
            self.refresh_token = None
            self.codes = {}
            self.token_seconds = 7200

    # ------------------------------------------------- between two starts (the demo)

    def save(self, path):
        """Write down what Payt knows, if anything changed; all of it or nothing."""
        with self.lock:
            moment = self.state.latest
            if moment == self._saved:
                return
            content = pickle.dumps(vars(self.state))
        draft = path.with_suffix(".new")
        draft.write_bytes(content)
        draft.replace(path)
        self._saved = moment

    def load(self, path):
        """Take up what :meth:`save` of an earlier start wrote; links point here now."""
        with self.lock:
            base = self.state.public_base
            vars(self.state).update(pickle.loads(path.read_bytes()))
            self.state.public_base = base

    # ------------------------------------------------------------------ limits

    def within_limit(self, token):
        """Count a request in its token's last window; False when it is one too many."""
        now = time.monotonic()
        window = self._windows.setdefault(token, deque())
        while window and window[0] <= now - self.window:
            window.popleft()
        if self.rate_limit and len(window) >= self.rate_limit:
            self.refused_by_limit += 1
            return False
        window.append(now)
        self.busiest_second = max(self.busiest_second, len(window))
        return True

    def known_token(self, token):
        if token not in self.tokens:
            return False
        expires = self.tokens[token]
        return expires is None or expires > time.time()

    def issue_token(self, form, client):
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
            if (
                not self.refresh_token
                or form.get("refresh_token") != self.refresh_token
            ):
                return 400, {"error": "invalid_grant"}
        else:
            return 400, {"error": "unsupported_grant_type"}
        token = secrets.token_urlsafe(16)
        self.tokens[token] = time.time() + self.token_seconds
        self.refresh_token = secrets.token_urlsafe(24)
        return 200, {
            "access_token": token,
            "refresh_token": self.refresh_token,
            "expires_in": self.token_seconds,
            "created_at": int(time.time()),
            "token_type": "Bearer",
            "scope": "invoices:read invoices:write debtors:read debtors:write",
        }

    # ----------------------------------------------------------------- control

    @contextmanager
    def locked(self):
        with self.lock:
            yield self.state

    def control(self, action, values):
        """What tests and the demo can make happen from outside; see README.md."""
        handler = getattr(self, f"control_{action}", None)
        if handler is None:
            return 404, {"error": f"unknown action {action}"}
        try:
            return 200, handler(values) or {}
        except (KeyError, ValueError, StopIteration) as error:
            return 422, {"error": f"{type(error).__name__}: {error}"}

    def _invoice(self, values):
        with self.lock:
            invoice = self.state.find(
                "invoices", invoice_number=values["invoice_number"]
            )
        if not invoice:
            raise KeyError(values["invoice_number"])
        return invoice

    def control_reset(self, _values):
        self.reset()

    def control_fault(self, values):
        with self.lock:
            self.faults.add(values)

    def control_webhooks(self, values):
        self.webhooks.configure(values)

    def control_flush(self, _values):
        return {"deliveries": self.webhooks.flush()}

    def control_pay(self, values):
        with self.lock:
            invoice = self._invoice(values)
            transaction = self.state.start_payment(
                [invoice],
                values.get("method", "ideal"),
                [values["amount"]] if values.get("amount") else None,
            )
            self.state.finish_payment(transaction, values.get("status", "paid"))
            return {"id": transaction["id"]}

    def control_take_back(self, values):
        with self.lock:
            self.state.take_back(
                self.state.psp_transactions[values["id"]],
                values.get("status", "charged_back"),
                values.get("reversal_code"),
            )

    def control_match_bank(self, values):
        """Payt's own bank matching finds a payment of an invoice."""
        with self.lock:
            payment = self.state.match_bank(self._invoice(values), values["amount"])
            return {"id": payment["id"]}

    def control_phase(self, values):
        with self.lock:
            self.state.advance(
                self._invoice(values), values["phase"], values.get("costs")
            )

    def control_comment(self, values):
        with self.lock:
            self.state.comment(self._invoice(values), values["text"])

    def control_start_counting(self, _values):
        with self.lock:
            self.counts.clear()
            self._windows.clear()
            self.busiest_second = self.refused_by_limit = 0

    def control_numbers(self, _values):
        with self.lock:
            return {
                "counts": dict(self.counts),
                "busiest_second": self.busiest_second,
                "refused_by_limit": self.refused_by_limit,
                "rows": {
                    "files": len(self.state.files),
                    **{table: len(getattr(self.state, table)) for table in TABLES},
                },
            }

    def control_send_unsent(self, _values):
        with self.lock:
            self.state.send_unsent()
            return {"mailbox": encode(self.state.mailbox)}

    def control_state(self, _values):
        with self.lock:
            return {
                "invoices": encode(list(self.state.invoices.values())),
                "payment_plans": encode(list(self.state.payment_plans.values())),
                "payments": encode(list(self.state.payments.values())),
                "messages": encode(list(self.state.messages.values())),
                "psp_transactions": encode(list(self.state.psp_transactions.values())),
                "counts": dict(self.counts),
                "busiest_second": self.busiest_second,
                "refused_by_limit": self.refused_by_limit,
            }


class _Httpd(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    owner = None
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_version = "PaytSimulator"

    def log_message(self, *_details):
        """Keep quiet: whoever wants to know asks for the recording."""

    def do_GET(self):
        self._handle()

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET

    def _handle(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.raw = self.rfile.read(length) if length else b""
        self.url = urlsplit(self.path)
        path = self.url.path
        if path.startswith("/v1/"):
            self._api()
        elif path.startswith("/uploads/") and self.command == "PUT":
            self._upload(path.removeprefix("/uploads/"))
        elif path == "/oauth/token":
            self._token()
        elif path == "/oauth/authorize":
            self._authorize()
        elif path.startswith("/_control/"):
            values = json.loads(self.raw or b"{}")
            status, payload = self.owner.control(
                path.removeprefix("/_control/"), values
            )
            self._json(status, payload)
        else:
            self._site(path)

    # -------------------------------------------------------------------- API

    def _api(self):
        owner = self.owner
        operation = schema.operation_of(self.command, self.url.path)
        query = dict(parse_qsl(self.url.query))
        body = self._body()
        with owner.lock:
            owner.counts[operation] += 1
            faults = owner.faults.take(operation)
            early = self._refusal(faults)
        if "slow" in faults:
            time.sleep(faults["slow"].get("seconds", 1))
        if "cut_before" in faults:
            return self._cut()
        if early:
            status, payload, headers = early
            return self._answer(operation, query, body, status, payload, headers)
        status, payload = self._carry_out(operation, query, body, faults)
        if "cut_after" in faults:
            return self._cut()
        if "error_after" in faults:
            status, payload = 500, {"code": "internal", "message": "Internal error"}
        if "empty" in faults:
            payload = None
        if "int_ids" in faults:
            payload = numeric_ids(payload)
        return self._answer(operation, query, body, status, payload)

    def _carry_out(self, operation, query, body, faults):
        owner = self.owner
        try:
            if owner.strict:
                schema.check_call(operation, query, body)
            with owner.lock:
                status, payload = owner.api.call(
                    f"{self.command} {self.url.path}", query, body, faults
                )
                return status, encode(payload)
        except jsonschema.ValidationError as error:
            path = "/".join(str(part) for part in error.absolute_path)
            return 422, {"code": "invalid", "message": f"{path}: {error.message}"[:300]}
        except ApiError as error:
            return error.status, error.payload

    def _refusal(self, faults):
        """Answers given before any work is done: (status, payload, headers) or None."""
        owner = self.owner
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if "rate_limit" in faults:
            after = faults["rate_limit"].get("retry_after")
            headers = {} if after is None else {"Retry-After": str(after)}
            return 429, self._error("rate_limited", "Too many requests"), headers
        if "server_error" in faults:
            status = faults["server_error"].get("status", 500)
            return status, self._error("internal", "Internal error"), {}
        if "bad_gateway" in faults:
            return 502, "<html><body>Bad gateway</body></html>", {}
        if "token_expired" in faults:
            if token != STATIC_TOKEN:
                owner.tokens.pop(token, None)
            return 401, self._error("unauthorized", "The access token expired"), {}
        if not owner.known_token(token):
            return 401, self._error("unauthorized", "The access token is invalid"), {}
        if not owner.within_limit(token):
            return 429, self._error("rate_limited", "Too many requests"), {}
        if "missing_scope" in faults:
            scope = faults["missing_scope"].get("scope", "invoices:write")
            text = f"Missing permission: {scope}"
            return 403, self._error("forbidden", text), {}
        return None

    @staticmethod
    def _error(code, message):
        return {"code": code, "message": message}

    def _body(self):
        if not self.raw:
            return None
        kind = self.headers.get("Content-Type", "")
        if kind.startswith("application/json"):
            return json.loads(self.raw)
        if kind.startswith("multipart/form-data"):
            return self._parts(kind)
        form = {}
        for key, values in parse_qs(self.raw.decode(), keep_blank_values=True).items():
            if key.endswith("[]"):
                form[key[:-2]] = values
            else:
                form[key] = values[-1]
        return form

    def _parts(self, kind):
        """Read a form in parts; files are kept by name, ``a[b]`` becomes nested."""
        head = f"Content-Type: {kind}\r\n\r\n".encode()
        form = {}
        for part in email.message_from_bytes(head + self.raw).get_payload():
            name = part.get_param("name", header="Content-Disposition")
            outer, _bracket, inner = name.partition("[")
            holder = form.setdefault(outer, {}) if inner else form
            key = inner.partition("]")[0] or outer
            content = part.get_payload(decode=True)
            if part.get_filename():
                self.owner.state.attachments[part.get_filename()] = content
                holder.setdefault(key, []).append(part.get_filename())
            else:
                holder[key] = content.decode()
        return form

    def _answer(self, operation, query, body, status, payload, headers=None):
        if self.owner.record and len(self.owner.recording) < RECORDED:
            self.owner.recording.append(
                {
                    "operation": operation,
                    "query": query,
                    "content_type": self.headers.get("Content-Type"),
                    "body": body,
                    "status": status,
                    "answer": payload,
                }
            )
        if isinstance(payload, str):
            self._send(status, payload.encode(), "text/html", headers)
        else:
            self._json(status, payload, headers)

    def _upload(self, token):
        owner = self.owner
        with owner.lock:
            owner.counts["PUT upload"] += 1
            faults = owner.faults.take("PUT upload")
            slot = owner.state.uploads.get(token)
            expired = slot and slot["expires_at"] < owner.state.now()
        if "slow" in faults:
            time.sleep(faults["slow"].get("seconds", 1))
        if "cut_before" in faults:
            return self._cut()
        if "server_error" in faults:
            return self._send(503, b"", "text/plain")
        if not slot or expired or "expired_upload" in faults:
            return self._send(
                403, b"<Error><Code>AccessDenied</Code></Error>", "text/xml"
            )
        if self.headers.get("Authorization"):
            # A pre-signed address allows one way of authorisation.
            return self._send(400, b"<Error/>", "text/xml")
        checksum = _checksum(self.raw)
        wrong = (
            checksum != slot["checksum"]
            or len(self.raw) != slot["byte_size"]
            or self.headers.get("Content-Type") != slot["content_type"]
        )
        if wrong:
            return self._send(400, b"<Error><Code>BadDigest</Code></Error>", "text/xml")
        with owner.lock:
            owner.state.files[checksum] = self.raw
        if "cut_after" in faults:
            return self._cut()
        return self._send(200, b"", "text/plain")

    # ------------------------------------------------------------------ OAuth

    def _token(self):
        form = dict(parse_qsl(self.raw.decode()))
        basic = (self.headers.get("Authorization") or "").removeprefix("Basic ")
        try:
            client = tuple(base64.b64decode(basic).decode().split(":", 1))
        except ValueError:
            client = ()
        with self.owner.lock:
            faults = self.owner.faults.take("POST /oauth/token")
            if "server_error" in faults:
                return self._json(503, {"error": "server_error"})
            status, payload = self.owner.issue_token(form, client)
            self.owner.counts["POST /oauth/token"] += 1
        return self._json(status, payload)

    def _authorize(self):
        query = dict(parse_qsl(self.url.query))
        target = query.get("redirect_uri", "")
        if query.get("client_id") != CLIENT_ID or not query.get("state"):
            return self._send(400, b"invalid request", "text/plain")
        if self.command == "GET":
            return self._html(200, self.owner.site.consent(self.path))
        code = secrets.token_urlsafe(12)
        with self.owner.lock:
            self.owner.codes[code] = target
        answer = urlencode({"code": code, "state": query["state"]})
        return self._redirect(f"{target}{'&' if '?' in target else '?'}{answer}")

    # ------------------------------------------------------------- debtor site

    def _site(self, path):
        form = dict(parse_qsl(self.raw.decode("utf-8", "replace")))
        with self.owner.lock:
            kind, content = self.owner.site.handle(self.command, path, form)
        if kind == "redirect":
            return self._redirect(content)
        if kind == "pdf":
            return self._send(200, content, "application/pdf")
        return self._html(200 if kind == "page" else 404, content)

    # ---------------------------------------------------------------- plumbing

    def _cut(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _redirect(self, target):
        self._send(303, b"", "text/plain", {"Location": target})

    def _html(self, status, text):
        self._send(status, text.encode(), "text/html; charset=utf-8")

    def _json(self, status, payload, headers=None):
        content = b"" if payload is None else json.dumps(payload).encode()
        self._send(status, content, "application/json", headers)

    def _send(self, status, content, content_type, headers=None):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def _checksum(content):
    return base64.b64encode(hashlib.sha3_512(content).digest()).decode()


def control(address, action, **values):
    """Call a running simulator's control from another process; returns its answer."""
    answer = requests.post(f"{address}/_control/{action}", json=values, timeout=30)
    answer.raise_for_status()
    return answer.json()


__all__ = ["ADMINISTRATION", "PaytServer", "control"]
