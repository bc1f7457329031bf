import time

from odoo.exceptions import UserError
from odoo.http import Controller, request, route
from odoo.tools import email_normalize

from odoo.addons.web.controllers.utils import _get_login_redirect_url

from ..http_headers import SECURITY_HEADERS

ACTIVATE_URL = "/onergy/activate"
SESSION_KEY = "onergy_activation"
# Time to think of a password; the code itself stays valid.
SESSION_MINUTES = 30
HEADERS = {**SECURITY_HEADERS, "Cache-Control": "no-store"}


class OnergyActivate(Controller):
    """First login with the code of the letter: name and code, then a password.

    Between the two steps the session remembers which code was shown to be right.
    """

    @route(ACTIVATE_URL, type="http", auth="public", website=True, methods=["GET"])
    def activate(self, login="", **kw):
        if not request.env.user._is_public():
            return request.redirect("/my")
        request.session.pop(SESSION_KEY, None)
        return self._render_code({"login": login})

    @route(
        ACTIVATE_URL,
        type="http",
        auth="public",
        website=True,
        methods=["POST"],
        sitemap=False,
    )
    def activate_code(self, login="", code="", **kw):
        typed = {"login": login.strip(), "code": code.strip()}
        errors = {}
        if not typed["login"]:
            errors["login"] = request.env._("Fill in the login name of the letter.")
        if not typed["code"]:
            errors["code"] = request.env._("Fill in the code of the letter.")
        if errors:
            return self._render_code(typed, errors)
        access_code = request.env["onergy.access.code"]._verify(
            typed["login"], typed["code"], request.httprequest.remote_addr
        )
        if not access_code:
            # One answer to all that can be wrong: it tells nobody which names exist.
            errors["code"] = request.env._(
                "This login name and code do not belong together, or the code can no "
                "longer be used. Check what you filled in."
            )
            return self._render_code(typed, errors)
        request.session[SESSION_KEY] = {
            "code_id": access_code.id,
            "until": int(time.time()) + SESSION_MINUTES * 60,
        }
        return request.redirect(f"{ACTIVATE_URL}/password", code=303)

    @route(
        f"{ACTIVATE_URL}/password",
        type="http",
        auth="public",
        website=True,
        methods=["GET", "POST"],
        sitemap=False,
    )
    def activate_password(self, **post):
        access_code = self._get_verified_code()
        if not access_code:
            return request.redirect(ACTIVATE_URL, code=303)
        if request.httprequest.method == "GET":
            return self._render_password(access_code)
        errors = self._check_password_form(post)
        if not errors:
            try:
                with request.env.cr.savepoint():
                    access_code._consume()
                    access_code.user_id._change_password(post["password"])
            except UserError as error:
                errors["password"] = str(error)
        if errors:
            return self._render_password(access_code, post, errors)
        self._start_email_change(access_code.user_id, post["email"])
        return self._log_in(access_code.user_id.login, post["password"])

    def _get_verified_code(self):
        """Return the code this visitor showed to have, if that was not long ago."""
        shown = request.session.get(SESSION_KEY) or {}
        # sudo: the visitor has no rights; the session is proof that he has the code
        codes = request.env["onergy.access.code"].sudo()
        if shown.get("until", 0) < time.time():
            return codes.browse()
        code = codes.browse(shown["code_id"]).exists()
        return code if code and code._is_usable() else codes.browse()

    def _check_password_form(self, post):
        """Return what is wrong with the second step: name of a field -> message."""
        for name in ("email", "email_confirm", "password", "password_confirm"):
            post[name] = post.get(name, "").strip()
        errors = {}
        if post["email"] and not email_normalize(post["email"]):
            errors["email"] = request.env._(
                "This is not an e-mail address. Write it as name@example.com."
            )
        elif post["email"].casefold() != post["email_confirm"].casefold():
            errors["email_confirm"] = request.env._(
                "This is not the same e-mail address as above."
            )
        if not post["password"]:
            errors["password"] = request.env._("Think of a password and fill it in.")
        elif post["password"] != post["password_confirm"]:
            errors["password_confirm"] = request.env._(
                "This is not the same password as above."
            )
        return errors

    def _start_email_change(self, user, email):
        """Ask to confirm the address that was filled in, if it is a new one."""
        if not email or email_normalize(email) == email_normalize(user.email):
            return
        try:
            request.env["onergy.email.change"]._start(user, email)
        except UserError:
            # Too often today. The login works; the account page offers it again.
            return

    def _log_in(self, login, password):
        request.session.pop(SESSION_KEY, None)
        credential = {"login": login, "password": password, "type": "password"}
        auth = request.session.authenticate(request.env, credential)
        # Who has set a second factor before is asked for it first.
        return request.redirect(_get_login_redirect_url(auth["uid"], "/my"), code=303)

    def _render_code(self, typed, errors=None):
        return request.render(
            "onergy_residents.activate_code",
            {"typed": typed, "errors": errors or {}},
            headers=HEADERS,
        )

    def _render_password(self, access_code, typed=None, errors=None):
        policy = access_code.env["res.users"].get_password_policy()
        typed = typed or {}
        return request.render(
            "onergy_residents.activate_password",
            {
                "login": access_code.user_id.login,
                "known_email": access_code.user_id.email,
                "typed": {
                    key: typed.get(key, "") for key in ("email", "email_confirm")
                },
                "errors": errors or {},
                "password_minimum_length": policy["minlength"],
            },
            headers=HEADERS,
        )
