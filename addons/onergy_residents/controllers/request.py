import time

from werkzeug.exceptions import NotFound

from odoo.exceptions import AccessError, MissingError
from odoo.http import request, route
from odoo.tools import email_normalize, hash_sign, plaintext2html, verify_hash_signed
from odoo.tools.mimetypes import guess_mimetype

from odoo.addons.portal.controllers.portal import pager

from ..http_headers import SECURITY_HEADERS
from .portal import OnergyPortal

REQUESTS_URL = "/my/requests"
CONTACT_URL = "/onergy/contact"
CONTACT_SCOPE = "onergy.contact"
REQUESTS_PER_PAGE = 20

MAX_SUBJECT = 120
MAX_TEXT = 10000
MAX_FILES = 5
MAX_FILE_MB = 10
FILE_TYPES = {
    "application/pdf",
    "image/jpeg",
    "image/png",
    "image/gif",
    "image/webp",
    "image/heic",
    "image/heif",
    "text/plain",
    "application/msword",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.oasis.opendocument.text",
}
# What the file chooser of a browser offers; FILE_TYPES decides.
FILE_EXTENSIONS = ".pdf,.jpg,.jpeg,.png,.gif,.webp,.heic,.heif,.txt,.doc,.docx,.odt"

# Nobody fills in the form faster; a form of yesterday is opened anew.
CONTACT_MIN_SECONDS = 3
CONTACT_MAX_HOURS = 24


class OnergyPortalRequest(OnergyPortal):
    """Where residents, and visitors without a login, ask us something."""

    # ------------------------------------------------------------------
    # LIST
    # ------------------------------------------------------------------

    def _get_requests_domain(self):
        """Repeat the record rule of portal users, for staff who read every request."""
        return [("partner_id", "child_of", request.env.user.commercial_partner_id.id)]

    @route(
        [REQUESTS_URL, f"{REQUESTS_URL}/page/<int:page>"],
        type="http",
        auth="user",
        website=True,
        readonly=True,
    )
    def portal_my_requests(self, page=1, **kw):
        values = self._prepare_onergy_values("requests", **kw)
        Request = request.env["onergy.request"]
        records = Request
        if Request.has_access("read"):
            domain = self._get_requests_domain()
            values["pager"] = pager(
                url=REQUESTS_URL,
                total=Request.search_count(domain),
                page=page,
                step=REQUESTS_PER_PAGE,
            )
            records = Request.search(
                domain,
                order="create_date desc, id desc",
                limit=REQUESTS_PER_PAGE,
                offset=values["pager"]["offset"],
            )
        values["requests"] = records
        return request.render("onergy_residents.portal_my_requests", values)

    # ------------------------------------------------------------------
    # NEW
    # ------------------------------------------------------------------

    @route(
        f"{REQUESTS_URL}/new", type="http", auth="user", website=True, methods=["GET"]
    )
    def portal_new_request(self, **kw):
        return self._render_new_request(kw)

    @route(
        f"{REQUESTS_URL}/new",
        type="http",
        auth="user",
        website=True,
        methods=["POST"],
        sitemap=False,
    )
    def portal_create_request(self, **post):
        contract = self._get_selected_contract(**post)
        typed, errors = self._check_question(post)
        files = self._read_files(errors)
        if errors:
            return self._render_new_request(post, typed, errors)
        partner = request.env.user.partner_id
        # sudo: residents may not write requests; each value is checked above
        record = request.env["onergy.request"].sudo()
        record = record.create(
            {
                "subject": typed["subject"],
                "category": typed["category"],
                "description": plaintext2html(typed["text"]),
                "channel": "portal",
                "partner_id": partner.id,
                "contract_id": contract.id,
                "company_id": (contract.company_id or request.env.company).id,
            }
        )
        record.attachment_ids = record._create_attachments(files)
        record._send_acknowledgement()
        return request.redirect(f"{record.access_url}?done=sent", code=303)

    def _render_new_request(self, parameters, typed=None, errors=None):
        values = self._prepare_onergy_values(
            "requests", contract_id=parameters.get("contract_id")
        )
        Request = request.env["onergy.request"]
        choices = Request._get_category_choices()
        typed = typed or {
            "subject": parameters.get("subject", "")[:MAX_SUBJECT],
            "category": parameters.get("category"),
        }
        values.update(
            typed=typed,
            errors=errors or {},
            category_choices=choices,
            **self._prepare_file_values(),
        )
        return request.render("onergy_residents.portal_new_request", values)

    def _prepare_file_values(self):
        return {
            "max_subject": MAX_SUBJECT,
            "max_text": MAX_TEXT,
            "max_files": MAX_FILES,
            "max_file_mb": MAX_FILE_MB,
            "file_extensions": FILE_EXTENSIONS,
        }

    def _check_question(self, post):
        """Return what was typed, and what is wrong with it by field."""
        typed = {
            name: (post.get(name) or "").strip()
            for name in ("category", "subject", "text")
        }
        errors = {}
        choices = request.env["onergy.request"]._get_category_choices()
        categories = [choice[0] for choice in choices]
        if typed["category"] not in categories:
            errors["category"] = request.env._("Choose what your question is about.")
        if not typed["subject"]:
            errors["subject"] = request.env._(
                "Write in a few words what your question is about."
            )
        elif len(typed["subject"]) > MAX_SUBJECT:
            errors["subject"] = request.env._(
                "This is too long. Use %(count)s characters at most.", count=MAX_SUBJECT
            )
        self._check_text(typed["text"], errors)
        return typed, errors

    def _check_text(self, text, errors):
        if not text:
            errors["text"] = request.env._("Write your question or message here.")
        elif len(text) > MAX_TEXT:
            errors["text"] = request.env._(
                "This is too long. Use %(count)s characters at most.", count=MAX_TEXT
            )

    def _read_files(self, errors):
        """Return (name, content) of the files that were sent along.

        The content decides whether a file is welcome, not the name.

        :param dict errors: gains ``files`` when a file is refused
        """
        uploads = [
            upload
            for upload in request.httprequest.files.getlist("files")
            if upload.filename
        ]
        if len(uploads) > MAX_FILES:
            errors["files"] = request.env._(
                "You can send %(count)s files at most.", count=MAX_FILES
            )
            return []
        files = []
        for upload in uploads:
            content = upload.read(MAX_FILE_MB * 1024**2 + 1)
            if len(content) > MAX_FILE_MB * 1024**2:
                errors["files"] = request.env._(
                    "The file %(name)s is too large. It can be %(size)s MB at most.",
                    name=upload.filename,
                    size=MAX_FILE_MB,
                )
            elif not content:
                errors["files"] = request.env._(
                    "The file %(name)s is empty.", name=upload.filename
                )
            elif not self._is_welcome(content):
                errors["files"] = request.env._(
                    "We cannot open the file %(name)s. Send a photo, a PDF or a text "
                    "document.",
                    name=upload.filename,
                )
            else:
                files.append((upload.filename, content))
        return files

    def _is_welcome(self, content):
        # Photos of iPhones are not known to every version of the library.
        is_heic = content[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1")
        return is_heic or guess_mimetype(content) in FILE_TYPES

    # ------------------------------------------------------------------
    # CONVERSATION
    # ------------------------------------------------------------------

    @route(
        f"{REQUESTS_URL}/<int:request_id>",
        type="http",
        auth="public",
        website=True,
        readonly=True,
        methods=["GET"],
        sitemap=False,
    )
    def portal_my_request(self, request_id, access_token=None, done=None, **kw):
        record = self._get_request(request_id, access_token)
        if not record:
            return request.redirect("/my")
        return self._render_request(record, access_token, done=done)

    @route(
        f"{REQUESTS_URL}/<int:request_id>/reply",
        type="http",
        auth="public",
        website=True,
        methods=["POST"],
        sitemap=False,
    )
    def portal_reply_request(self, request_id, access_token=None, text="", **kw):
        record = self._get_request(request_id, access_token, answering=True)
        if not record:
            return request.redirect("/my")
        text = text.strip()
        errors = {}
        self._check_text(text, errors)
        files = self._read_files(errors)
        if errors:
            return self._render_request(
                record, access_token, typed={"text": text}, errors=errors
            )
        author = self._get_author(record)
        record.message_post(
            body=plaintext2html(text),
            author_id=author.id,
            email_from=author.email_formatted or record.email_from,
            message_type="comment",
            subtype_xmlid="mail.mt_comment",
            attachment_ids=record._create_attachments(files).ids,
        )
        return self._request_done(record, access_token, "sent")

    @route(
        f"{REQUESTS_URL}/<int:request_id>/close",
        type="http",
        auth="public",
        website=True,
        methods=["POST"],
        sitemap=False,
    )
    def portal_close_request(self, request_id, access_token=None, **kw):
        record = self._get_request(request_id, access_token, answering=True)
        if not record:
            return request.redirect("/my")
        if record.state != "closed":
            record.action_close()
            record._message_log(
                body=request.env._("The resident closed this request on the portal."),
                author_id=self._get_author(record).id,
            )
        return self._request_done(record, access_token, "closed")

    def _get_request(self, request_id, access_token, answering=False):
        """Return the request as superuser, or nothing if it is not his to see.

        Staff who open the address see it as the resident does; who of them may not
        write requests does not answer here either.
        """
        try:
            record = self._document_check_access(
                "onergy.request", request_id, access_token=access_token
            )
        except (AccessError, MissingError):
            return None
        user = request.env.user
        if answering and user._is_internal():
            return record if record.with_user(user).has_access("write") else None
        return record

    def _get_author(self, record):
        """Return who writes: the person who is logged in, else the requester."""
        user = request.env.user
        return record.partner_id if user._is_public() else user.partner_id

    def _request_done(self, record, access_token, what):
        token = f"&access_token={access_token}" if access_token else ""
        return request.redirect(
            f"{record.access_url}?done={what}{token}#onergy_end", code=303
        )

    def _render_request(self, record, access_token, typed=None, errors=None, done=None):
        is_public = request.env.user._is_public()
        values = {} if is_public else self._prepare_onergy_values("requests")
        values.update(
            record=record,
            messages=record._get_conversation(),
            access_token=access_token,
            typed=typed or {},
            errors=errors or {},
            done=done,
            is_public=is_public,
            **self._prepare_file_values(),
        )
        page = "portal_public_request" if is_public else "portal_my_request"
        return request.render(
            f"onergy_residents.{page}",
            values,
            headers={**SECURITY_HEADERS, "Referrer-Policy": "same-origin"},
        )

    # ------------------------------------------------------------------
    # CONTACT FORM WITHOUT LOGIN
    # ------------------------------------------------------------------

    @route(
        CONTACT_URL,
        type="http",
        auth="public",
        website=True,
        methods=["GET"],
        readonly=True,
    )
    def contact(self, done=None, category=None, **kw):
        """Show the form; ``category`` is what a link in our mail is about."""
        choices = request.env["onergy.request"]._get_category_choices()
        known = category if category in [choice[0] for choice in choices] else None
        if request.env.user._is_portal():
            query = f"?category={known}" if known else ""
            return request.redirect(f"{REQUESTS_URL}/new{query}")
        return self._render_contact({"category": known}, done=done)

    @route(
        CONTACT_URL,
        type="http",
        auth="public",
        website=True,
        methods=["POST"],
        captcha="onergy_contact",
        sitemap=False,
    )
    def contact_send(self, **post):
        typed, errors = self._check_contact(post)
        return self._receive_public(
            CONTACT_URL, post, typed, errors, self._render_contact
        )

    def _receive_public(self, url, post, typed, errors, render):
        """Take in what a visitor wrote, unless it comes from a robot.

        Whatever he fills in, the answer is the same: it tells nothing of who lives
        where.

        :param render: called with what was typed and what is wrong with it
        """
        if not self._has_contact_form():
            raise NotFound()
        if post.get("website_url"):
            # The field is hidden from people: only a robot fills it in, and it
            # learns nothing from the page of thanks.
            return request.redirect(f"{url}?done=1", code=303)
        if not errors and not self._is_filled_by_person(post.get("token")):
            errors["form"] = request.env._(
                "Something went wrong. Your text is still here: please send it again."
            )
        # sudo: visitors may neither read nor write requests
        Request = request.env["onergy.request"].sudo()
        source_key = Request._get_source_key(request.httprequest.remote_addr)
        if not errors and Request._is_source_blocked(source_key):
            errors["form"] = request.env._(
                "We received many messages from your internet connection. Try again in "
                "an hour, or call us."
            )
        if errors:
            return render(typed, errors)
        record = Request.create(
            {
                **self._prepare_public_request(typed),
                "channel": "public",
                "source_key": source_key,
            }
        )
        record._send_acknowledgement()
        return request.redirect(f"{url}?done=1", code=303)

    def _prepare_public_request(self, typed):
        return {
            "subject": typed["subject"],
            "category": typed["category"],
            "description": plaintext2html(self._get_contact_text(typed)),
            "contact_name": typed["name"],
            "email_from": typed["email"],
            "phone": typed["phone"],
        }

    def _has_contact_form(self):
        # sudo: a visitor may not read companies
        return request.env.company.sudo().onergy_contact_form

    def _get_contact_text(self, typed):
        if not typed["address"]:
            return typed["text"]
        address = request.env._("Address: %(address)s", address=typed["address"])
        return f"{typed['text']}\n\n{address}"

    def _check_contact(self, post):
        typed, errors = self._check_question(post)
        for name in ("name", "email", "phone", "address"):
            typed[name] = (post.get(name) or "").strip()[:MAX_SUBJECT]
        if not typed["name"]:
            errors["name"] = request.env._("Fill in your name.")
        if not email_normalize(typed["email"]):
            errors["email"] = request.env._(
                "Fill in your e-mail address, for example name@example.com."
            )
        return typed, errors

    def _make_token(self):
        """Return what shows that a form is ours, and since when it was open."""
        return hash_sign(
            request.env(su=True),  # sudo: the signature uses the database's secret
            CONTACT_SCOPE,
            time.time(),
            expiration_hours=CONTACT_MAX_HOURS,
        )

    def _is_filled_by_person(self, token):
        """Tell whether the form is ours, of today, and took time to fill in."""
        try:
            # sudo: the signature uses the secret of the database
            opened = verify_hash_signed(request.env(su=True), CONTACT_SCOPE, token)
        except (ValueError, AttributeError):
            return False
        return bool(opened) and time.time() - opened >= CONTACT_MIN_SECONDS

    def _render_contact(self, typed=None, errors=None, done=None):
        values = {
            "typed": typed or {},
            "errors": errors or {},
            "done": done,
            "has_form": self._has_contact_form(),
            "category_choices": request.env["onergy.request"]._get_category_choices(),
            "token": self._make_token(),
            **self._prepare_file_values(),
        }
        return request.render(
            "onergy_residents.contact",
            values,
            headers={**SECURITY_HEADERS, "Cache-Control": "no-store"},
        )
