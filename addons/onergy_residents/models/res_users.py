from odoo import api, models
from odoo.exceptions import AccessDenied, AccessError
from odoo.fields import Command, Domain
from odoo.http import request


class ResUsers(models.Model):
    _inherit = "res.users"

    def write(self, vals):
        """Keep people to the pages that confirm an address and pass a change on.

        Odoo lets everybody write his own user by RPC; an address that nobody
        confirmed would then count for a new password, and for access that somebody
        gives to that address.
        """
        if not self.env.su and vals.keys() & self._onergy_get_guarded(vals):
            raise AccessError(
                self.env._(
                    "Change your e-mail address and phone number on the page Account."
                )
            )
        return super().write(vals)

    def _onergy_get_guarded(self, vals):
        """Return the fields that who is logged in may not write by himself."""
        if not vals.keys() & {"email", "name", "phone"}:
            return set()
        # sudo: whether he is a resident is asked of his own contracts only
        user = self.env.user.sudo()
        if not user.share:
            return set()
        is_resident = user.commercial_partner_id.is_resident
        return {"email", "name", "phone"} if is_resident else {"email"}

    def _check_credentials(self, credential, env):
        """Whoever finds a browser logged in cannot guess on and on.

        Every page and method that asks for the password again passes here: ours,
        Odoo's page about security and what it offers by RPC. Logging in has Odoo's
        own limit, and must not be barred to a resident by what others try.

        :raise AccessDenied: wrong, or it was wrong too often in the last hour
        """
        if credential["type"] != "password" or not self._onergy_asked_again():
            return super()._check_credentials(credential, env)
        # sudo: nobody has rights on these; it is about whoever is logged in
        attempts = self.env["onergy.access.attempt"].sudo()
        keys = attempts._password_keys(self.env.user)
        if attempts._is_blocked(keys):
            raise AccessDenied(
                self.env._(
                    "Your password was wrong too often. Try again in an hour, or "
                    "contact us."
                )
            )
        try:
            return super()._check_credentials(credential, env)
        except AccessDenied:
            attempts._count(keys)
            raise

    def _onergy_asked_again(self):
        """Tell whether it is about who is logged in by browser already."""
        return bool(request) and request.session.uid == self.env.uid

    @api.model
    def switch_tour_enabled(self, val):
        """Who stops our tour is not shown round again at the next page."""
        tour = self.env.ref("onergy_residents.tour_clerk", raise_if_not_found=False)
        if tour and not val:
            tour._set_consumed()
        return super().switch_tour_enabled(val)

    def _onergy_open_portal(self):
        """Make these users active members of the portal."""
        portal = self.env.ref("base.group_portal")
        public = self.env.ref("base.group_public")
        for user in self.filtered(lambda u: not u.active or not u._is_portal()):
            user.write(
                {
                    "active": True,
                    "group_ids": [Command.link(portal.id), Command.unlink(public.id)],
                }
            )

    @api.model
    def _get_login_domain(self, login):
        """Let a resident log in with his e-mail address as well as his login name.

        Only if the address leads to one portal user: couples often share one.
        """
        domain = super()._get_login_domain(login)
        # sudo: nobody has logged in yet
        users = self.sudo()
        if "@" not in (login or "") or users.search_count(domain, limit=1):
            return domain
        by_email = users.search(
            Domain("email_normalized", "=", login.strip().lower())
            & Domain("share", "=", True),
            limit=2,
        )
        return Domain("id", "in", by_email.ids) if len(by_email) == 1 else domain
