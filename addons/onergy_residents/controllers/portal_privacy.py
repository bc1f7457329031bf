from werkzeug.exceptions import NotFound
from werkzeug.wsgi import wrap_file

from odoo.exceptions import UserError
from odoo.http import content_disposition, request, route

from .portal_account import OnergyPortalAccount

PRIVACY_URL = "/my/privacy"
MAX_REASON = 2000


class OnergyPortalPrivacy(OnergyPortalAccount):
    """Consents, a copy of one's own data, and the wish to have them deleted."""

    @route(PRIVACY_URL, type="http", auth="user", website=True, readonly=True)
    def portal_my_privacy(self, done=None, **kw):
        return self._render_privacy(done=done, **kw)

    def _render_privacy(self, errors=None, typed=None, done=None, **kw):
        values = self._prepare_onergy_values("data", **kw)
        contract = values["contract"]
        company = contract.company_id or request.env.company
        values.update(
            errors=errors or {},
            typed=typed or {},
            done=done,
            consents=self._prepare_consents(contract),
            erasure=request.env["onergy.erasure"]._get_open(request.env.user.partner_id)
            if contract
            else None,
            # sudo: how long we keep things is for every resident to know
            retention=company.sudo()._onergy_get_retention(),
        )
        return request.render("onergy_residents.portal_my_privacy", values)

    def _privacy_done(self, done, anchor, contract_id=None, **kw):
        query = f"&contract_id={contract_id}" if contract_id else ""
        url = f"{PRIVACY_URL}?done={done}{query}#onergy_{anchor}"
        return request.redirect(url, code=303)

    @route()
    def deactivate_account(self, validation="", password="", **post):
        """Residents ask us: Odoo would archive the payer of a contract that runs."""
        if self._get_portal_contracts():
            return request.redirect(f"{PRIVACY_URL}#onergy_erasure", code=303)
        return super().deactivate_account(validation, password, **post)

    # ------------------------------------------------------------------
    # CONSENT
    # ------------------------------------------------------------------

    def _prepare_consents(self, contract):
        """Return what can be consented to, as list of dict with purpose and consent."""
        if not contract:
            return []
        consents = request.env["onergy.consent"]
        return [
            {
                "purpose": purpose,
                "consent": consents._get_given(
                    request.env.user.partner_id, purpose, contract
                ),
            }
            for purpose in self._get_purposes(contract)
        ]

    def _get_purposes(self, contract):
        """Return the purposes on offer; days only where consent is their basis."""
        purposes = request.env["onergy.consent.purpose"].search([])
        # sudo: residents do not read complexes; one setting of their own is used
        if contract.sudo().complex_id.daily_basis != "consent":
            purposes = purposes.filtered(lambda p: p.code != "daily_readings")
        return purposes

    @route(
        f"{PRIVACY_URL}/consent",
        type="http",
        auth="user",
        website=True,
        methods=["POST"],
    )
    def portal_change_consent(self, purpose=None, give=None, **kw):
        contract = self._get_selected_contract(**kw)
        chosen = contract and self._get_purposes(contract).filtered(
            lambda p: str(p.id) == purpose
        )
        if not chosen:
            raise NotFound()
        # sudo: residents may not write consents; purpose and home are checked above
        consents = request.env["onergy.consent"].sudo()
        partner = request.env.user.partner_id
        if give:
            consents._give(partner, chosen, "portal", contract)
        else:
            consents._get_given(partner, chosen, contract)._withdraw("portal")
        return self._privacy_done("given" if give else "withdrawn", "consents", **kw)

    # ------------------------------------------------------------------
    # A COPY OF THE DATA
    # ------------------------------------------------------------------

    @route(
        f"{PRIVACY_URL}/download",
        type="http",
        auth="user",
        website=True,
        methods=["POST"],
    )
    def portal_download_data(self, password="", **kw):
        """Send the resident everything we have about him, as one zip file."""
        if not self._get_portal_contracts():
            raise NotFound()
        try:
            # Whoever finds a browser logged in could else take it all along.
            self._check_own_password(password)
        except UserError as error:
            return self._render_privacy({"download": str(error)}, **kw)
        partner = request.env.user.partner_id
        try:
            archive = request.env["onergy.data.export"]._write(partner)
        except UserError as error:
            return self._render_privacy({"download": str(error)}, **kw)
        name = request.env._("my-data")
        response = request.make_response(
            None,
            headers=[
                ("Content-Type", "application/zip"),
                ("Content-Disposition", content_disposition(f"{name}.zip")),
                ("Cache-Control", "no-store, private"),
            ],
        )
        response.response = wrap_file(request.httprequest.environ, archive)
        response.direct_passthrough = True
        return response

    # ------------------------------------------------------------------
    # DELETION
    # ------------------------------------------------------------------

    @route(
        f"{PRIVACY_URL}/erasure",
        type="http",
        auth="user",
        website=True,
        methods=["POST"],
    )
    def portal_ask_erasure(self, reason="", confirm=None, **kw):
        contract = self._get_selected_contract(**kw)
        if not contract:
            raise NotFound()
        if not confirm:
            error = request.env._("Tick this if you are sure.")
            return self._render_privacy({"confirm": error}, {"reason": reason}, **kw)
        request.env["onergy.erasure"]._ask(
            request.env.user.partner_id, reason.strip()[:MAX_REASON]
        )
        return self._privacy_done("erasure", "erasure", **kw)

    @route(
        f"{PRIVACY_URL}/erasure/cancel",
        type="http",
        auth="user",
        website=True,
        methods=["POST"],
    )
    def portal_cancel_erasure(self, **kw):
        request.env["onergy.erasure"]._get_open(
            request.env.user.partner_id
        )._cancel_by_resident()
        return self._privacy_done("kept", "erasure", **kw)
