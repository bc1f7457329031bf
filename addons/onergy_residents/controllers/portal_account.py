from odoo.exceptions import AccessDenied, UserError
from odoo.http import request, route
from odoo.tools import email_normalize

from ..http_headers import SECURITY_HEADERS
from .portal import OnergyPortal

ACCOUNT_URL = "/my/onergy-account"


class OnergyPortalAccount(OnergyPortal):
    """Where a resident changes e-mail address, phone number and password."""

    @route(ACCOUNT_URL, type="http", auth="user", website=True, readonly=True)
    def portal_my_onergy_account(self, done=None, **kw):
        return self._render_account(done=done, **kw)

    def _render_account(self, errors=None, typed=None, done=None, **kw):
        """Render the page with what went wrong, or right, in the form just sent.

        :param dict errors: name of a field -> what is wrong with it
        :param dict typed: name of a field -> what the resident filled in
        :param str done: name of the form that was saved
        """
        values = self._prepare_onergy_values("account", **kw)
        values.update(
            errors=errors or {},
            typed=typed or {},
            done=done,
            user=request.env.user,
            pending_change=request.env["onergy.email.change"]._get_pending(
                request.env.user
            ),
            **self._prepare_password_values(),
        )
        return request.render("onergy_residents.portal_my_account", values)

    def _prepare_password_values(self):
        # sudo: the policy is a system parameter
        policy = request.env["res.users"].sudo().get_password_policy()
        return {"password_minimum_length": policy["minlength"]}

    def _account_done(self, form):
        return request.redirect(f"{ACCOUNT_URL}?done={form}#onergy_{form}", code=303)

    # ------------------------------------------------------------------
    # PHONE
    # ------------------------------------------------------------------

    @route(
        f"{ACCOUNT_URL}/phone",
        type="http",
        auth="user",
        website=True,
        methods=["POST"],
    )
    def portal_change_phone(self, phone="", **kw):
        try:
            self._change_phone(phone.strip())
        except UserError:
            error = request.env._(
                "This is not a phone number. Write it as 06 12345678 or 030 1234567."
            )
            return self._render_account({"phone": error}, {"phone": phone})
        return self._account_done("phone")

    def _change_phone(self, phone):
        # sudo: residents may not write contacts; this is one field of their own
        partner = request.env.user.partner_id.sudo()
        if phone:
            phone = partner._phone_format(
                number=phone, force_format="INTERNATIONAL", raise_exception=True
            )
        old_phone = partner.phone
        if (phone or "") == (old_phone or ""):
            return
        partner.phone = phone
        partner._message_log(
            body=request.env._(
                "The resident changed his phone number from %(old)s to %(new)s.",
                old=old_phone or request.env._("none"),
                new=phone or request.env._("none"),
            ),
            author_id=partner.id,
        )
        partner._onergy_contact_changed({"phone": old_phone})

    # ------------------------------------------------------------------
    # PASSWORD
    # ------------------------------------------------------------------

    @route(
        f"{ACCOUNT_URL}/password",
        type="http",
        auth="user",
        website=True,
        methods=["POST"],
    )
    def portal_change_password(self, old="", new1="", new2="", **kw):
        result = self._update_password(old.strip(), new1.strip(), new2.strip())
        if "errors" in result:
            error = result["errors"]["password"]
            return self._render_account(
                error if isinstance(error, dict) else {"new1": error}
            )
        return self._account_done("password")

    # ------------------------------------------------------------------
    # E-MAIL
    # ------------------------------------------------------------------

    def _create_or_update_address(self, partner_sudo, **form_data):
        """Odoo's own page takes no address nobody confirmed from who looks along.

        Residents are refused altogether. Of others Odoo takes it, and we give nothing
        by it, see ``_find_viewer`` of ``onergy.access.grant``.
        """
        if (
            partner_sudo  # none yet for a new address
            and "email" in form_data
            and email_normalize(form_data["email"]) != partner_sudo.email_normalized
            and not self._get_portal_contracts()
            and partner_sudo._onergy_looks_along()
        ):
            message = request.env._("Change your e-mail address on the page Account.")
            return partner_sudo, {"invalid_fields": ["email"], "messages": [message]}
        return super()._create_or_update_address(partner_sudo, **form_data)

    @route(
        f"{ACCOUNT_URL}/email",
        type="http",
        auth="user",
        website=True,
        methods=["POST"],
    )
    def portal_change_email(self, email="", password="", **kw):
        typed = {"email": email}
        try:
            # Whoever finds a browser logged in could else take over the account.
            self._check_own_password(password)
        except UserError as error:
            return self._render_account({"email_password": str(error)}, typed)
        try:
            request.env["onergy.email.change"]._start(request.env.user, email)
        except UserError as error:
            return self._render_account({"email": str(error)}, typed)
        return self._account_done("email")

    def _check_own_password(self, password):
        """Check that it is the password of who is logged in.

        :raise UserError: it is not, or it was wrong too often in the last hour
        """
        wrong = request.env._("This is not your password.")
        if not password:
            raise UserError(wrong)
        credential = {"login": request.env.user.login, "password": password}
        try:
            request.env["res.users"]._check_credentials(
                {**credential, "type": "password"}, {"interactive": True}
            )
        except AccessDenied as error:
            # Ours says that there were too many guesses, Odoo's just "Access Denied".
            said = str(error)
            plain = said == str(AccessDenied())
            raise UserError(wrong if plain else said) from error

    @route(
        f"{ACCOUNT_URL}/email/confirm",
        type="http",
        auth="public",
        website=True,
        sitemap=False,
        methods=["GET", "POST"],
    )
    def portal_confirm_email(self, token="", **kw):
        """Confirm a new address; on any device, hence without login.

        Opening the link changes nothing, for mail scanners open links too.
        """
        change = request.env["onergy.email.change"]._from_token(token)
        values = {"token": token, "email": change.email_new, "state": "ask"}
        if not change:
            values["state"] = "invalid"
        elif request.httprequest.method == "POST":
            try:
                change._confirm()
            except UserError:
                values["state"] = "invalid"
            else:
                values.update(state="done", login=change.user_id.login)
        return request.render(
            "onergy_residents.portal_confirm_email",
            values,
            headers={**SECURITY_HEADERS, "Referrer-Policy": "no-referrer"},
        )
