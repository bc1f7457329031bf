from odoo import fields
from odoo.http import request, route
from odoo.tools import email_normalize

from ..http_headers import SECURITY_HEADERS
from .move import read_date
from .request import MAX_SUBJECT, OnergyPortalRequest

DEATH_URL = "/onergy/death"
LINES = (
    "deceased",
    "zip",
    "number",
    "debtor_number",
    "date_death",
    "name",
    "email",
    "phone",
    "address",
)


class OnergyPortalDeath(OnergyPortalRequest):
    """Where heirs, who have no login, tell that an account holder has died.

    Nothing is looked up while they write, so that the page tells nobody who lives
    where; a clerk makes a move of what comes in.
    """

    @route(
        DEATH_URL,
        type="http",
        auth="public",
        website=True,
        methods=["GET"],
        readonly=True,
    )
    def death(self, done=None, **kw):
        return self._render_death(done=done)

    @route(
        DEATH_URL,
        type="http",
        auth="public",
        website=True,
        methods=["POST"],
        captcha="onergy_contact",
        sitemap=False,
    )
    def death_send(self, **post):
        typed, errors = self._check_death(post)
        return self._receive_public(DEATH_URL, post, typed, errors, self._render_death)

    def _render_death(self, typed=None, errors=None, done=None):
        values = {
            "typed": typed or {},
            "errors": errors or {},
            "done": done,
            "has_form": self._has_contact_form(),
            "token": self._make_token(),
            **self._prepare_file_values(),
        }
        return request.render(
            "onergy_residents.death",
            values,
            headers={**SECURITY_HEADERS, "Cache-Control": "no-store"},
        )

    def _check_death(self, post):
        """Return what was typed, and what is wrong with it by field."""
        typed = {name: (post.get(name) or "").strip()[:MAX_SUBJECT] for name in LINES}
        typed["text"] = (post.get("text") or "").strip()
        typed["category"] = "death"
        errors = {}
        remedies = {
            "deceased": request.env._("Fill in the name of the person who has died."),
            "zip": request.env._("Fill in the postcode."),
            "number": request.env._("Fill in the house number."),
            "name": request.env._("Fill in your name."),
        }
        errors.update(
            {name: text for name, text in remedies.items() if not typed[name]}
        )
        self._check_way_back(typed, errors)
        if typed["text"]:
            self._check_text(typed["text"], errors)
        day = read_date(typed["date_death"])
        today = fields.Date.context_today(request.env.user)
        if typed["date_death"] and (not day or day > today):
            errors["date_death"] = request.env._(
                "Fill in a date that is not after today, or leave this empty."
            )
        return typed, errors

    def _check_way_back(self, typed, errors):
        """An answer has to arrive somewhere: by e-mail, telephone or post."""
        if typed["email"] and not email_normalize(typed["email"]):
            errors["email"] = request.env._(
                "This is not an e-mail address. Write it as name@example.com."
            )
        elif not (typed["email"] or typed["phone"] or typed["address"]):
            errors["email"] = request.env._(
                "Fill in an e-mail address, a phone number or an address, so that we "
                "can answer you."
            )

    def _prepare_public_request(self, typed):
        if typed["category"] != "death":
            return super()._prepare_public_request(typed)
        subject = request.env._("Death of %s", typed["deceased"])
        return {
            **super()._prepare_public_request({**typed, "subject": subject}),
            "date_death": read_date(typed["date_death"]),
            "home_zip": typed["zip"],
            "home_number": typed["number"],
        }

    def _get_contact_text(self, typed):
        if typed["category"] != "death":
            return super()._get_contact_text(typed)
        lines = [
            request.env._("Name: %s", typed["deceased"]),
            request.env._("Home: %s", f"{typed['zip']} {typed['number']}"),
            request.env._("Customer number: %s", typed["debtor_number"] or "–"),
            request.env._("Day of death: %s", typed["date_death"] or "–"),
            request.env._("Address for our post: %s", typed["address"] or "–"),
        ]
        return "\n".join([*lines, "", typed["text"]])
