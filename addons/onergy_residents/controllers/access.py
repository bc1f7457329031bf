from odoo import fields
from odoo.exceptions import UserError
from odoo.http import request, route
from odoo.tools import email_normalize

from .move import OnergyPortalMove, read_date

ACCESS_URL = "/my/access"
#: One account holder gives no more than this many at a time.
MAX_GRANTS = 50


class OnergyPortalAccess(OnergyPortalMove):
    """Where an account holder lets somebody else look at a home of his."""

    @route(
        ACCESS_URL,
        type="http",
        auth="user",
        website=True,
        methods=["GET"],
        readonly=True,
    )
    def portal_my_access(self, done=None, **kw):
        return self._render_access(done=done, **kw)

    def _render_access(self, errors=None, typed=None, done=None, **kw):
        values = self._prepare_onergy_values("data", kw.get("contract_id"))
        Grant = request.env["onergy.access.grant"]
        grants = Grant
        if Grant.has_access("read"):
            grants = Grant.search(self._get_given_domain(), limit=MAX_GRANTS * 2)
        today = fields.Date.context_today(request.env.user)
        values.update(
            homes=values["contracts"].filtered(lambda c: c.state != "ended"),
            grants=grants,
            errors=errors or {},
            typed=typed or {"date_from": fields.Date.to_string(today)},
            done=done if done in ("given", "revoked") else None,
        )
        return request.render("onergy_residents.portal_my_access", values)

    def _get_given_domain(self):
        """Return the domain of what this account holder gave."""
        return [
            (
                "contract_id.partner_id",
                "child_of",
                request.env.user.commercial_partner_id.id,
            )
        ]

    @route(ACCESS_URL, type="http", auth="user", website=True, methods=["POST"])
    def portal_give_access(self, **post):
        contract = self._get_selected_contract(post.get("contract_id"))
        typed = self._read_texts(post, "name", "email")
        errors = {}
        if not contract:
            raise request.not_found()
        if not typed["name"]:
            errors["name"] = request.env._("Fill in the name.")
        if not email_normalize(typed["email"]):
            errors["email"] = request.env._(
                "This is not an e-mail address. Write it as name@example.com."
            )
        days = self._check_grant_days(post, errors)
        # sudo: residents may not write this; the contract is his own, see above
        Grant = request.env["onergy.access.grant"].sudo()
        given = Grant.search_count(
            [*self._get_given_domain(), ("state", "in", ("future", "active"))]
        )
        if given >= MAX_GRANTS:
            errors["form"] = request.env._(
                "You have given access to %s people. Revoke one first.", given
            )
        if not errors:
            try:
                Grant._check_rate(typed["email"])
                Grant._give(contract.sudo(), typed["name"], typed["email"], *days)
            except UserError as error:
                errors["email"] = str(error)
        if errors:
            return self._render_access(errors, post, **post)
        return request.redirect(f"{ACCESS_URL}?done=given", code=303)

    def _check_grant_days(self, post, errors):
        """Return first and last day; the last one may stay empty."""
        first = read_date(post.get("date_from"))
        last = read_date(post.get("date_to")) if post.get("date_to") else False
        today = fields.Date.context_today(request.env.user)
        if not first:
            errors["date_from"] = request.env._(
                "Fill in a date, for example %(example)s.",
                example=self._format_date(today),
            )
        if last is None or (last and last < max(first or today, today)):
            errors["date_to"] = request.env._(
                "Fill in a date that is still to come, or leave this empty."
            )
        return first, last

    @route(
        f"{ACCESS_URL}/<int:grant_id>/revoke",
        type="http",
        auth="user",
        website=True,
        methods=["POST"],
        sitemap=False,
    )
    def portal_revoke_access(self, grant_id, **post):
        Grant = request.env["onergy.access.grant"]
        if Grant.has_access("read"):
            grant = Grant.search([("id", "=", grant_id), *self._get_given_domain()])
            # sudo: residents may not write this; it is of his own contract
            grant.sudo().action_revoke()
        return request.redirect(f"{ACCESS_URL}?done=revoked", code=303)
