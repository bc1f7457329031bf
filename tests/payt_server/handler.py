"""HTTP: routing, faults, uploads, recording, the pages of the debtor site."""

import base64
import email
import hashlib
import json
import secrets
import socket
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jsonschema

from . import schema
from .api import ApiError, encode, numeric_ids
from .oauth import CLIENT_ID, STATIC_TOKEN

RECORDED = 20000


class Httpd(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class Handler(BaseHTTPRequestHandler):
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
                owner.oauth.tokens.pop(token, None)
            return 401, self._error("unauthorized", "The access token expired"), {}
        if not owner.oauth.knows(token):
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
            status, payload = self.owner.oauth.issue(form, client)
            self.owner.counts["POST /oauth/token"] += 1
        if "slow" in faults:
            time.sleep(faults["slow"].get("seconds", 1))
        if "cut_after" in faults:
            return self._cut()
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
            self.owner.oauth.codes[code] = target
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
