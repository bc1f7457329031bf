from werkzeug.exceptions import NotFound

from odoo.exceptions import UserError
from odoo.http import request, route

from .portal_account import OnergyPortalAccount

PAYMENT_URL = "/my/payment"
MAX_HOLDER = 70


class OnergyPortalPayment(OnergyPortalAccount):
    """Where a resident gives, changes and revokes the permission to collect."""

    @route(PAYMENT_URL, type="http", auth="user", website=True, readonly=True)
    def portal_my_payment(self, done=None, **kw):
        return self._render_payment(done=done, **kw)

    def _render_payment(self, errors=None, typed=None, done=None, **kw):
        """Render the page; ``errors`` and ``typed`` by name of the field."""
        values = self._prepare_onergy_values("finance", **kw)
        values.update(errors=errors or {}, typed=typed or {}, done=done)
        values.update(self._prepare_mandate_values(values["contract"]))
        return request.render("onergy_residents.portal_my_payment", values)

    def _prepare_mandate_values(self, contract):
        """Return what the page shows of the mandates of this contract."""
        if not contract:
            return {"mandates": [], "mandate": None, "pending_mandate": None}
        values = self._get_mandates(contract)
        company = contract.company_id
        return {
            **values,
            "mandate_text": values["mandates"]._get_text(company),
            "holder_name": contract.partner_id.name,
            # sudo: a resident reads nothing of the company's settings but this date
            "new_valid_from": company.sudo()._onergy_add_working_days(
                company.sudo().onergy_mandate_days
            ),
        }

    def _get_mandates(self, contract):
        mandates = request.env["onergy.mandate"].search(
            [("contract_id", "=", contract.id)]
        )
        return {
            "mandates": mandates,
            "mandate": mandates.filtered(lambda m: m.state == "active"),
            "pending_mandate": mandates.filtered(lambda m: m.state == "pending"),
        }

    def _prepare_finance_values(self, **kw):
        values = super()._prepare_finance_values(**kw)
        if values["contract"]:
            values.update(self._get_mandates(values["contract"]))
        return values

    def _payment_done(self, done, contract_id=None, **kw):
        query = f"&contract_id={contract_id}" if contract_id else ""
        return request.redirect(f"{PAYMENT_URL}?done={done}{query}", code=303)

    @route(
        f"{PAYMENT_URL}/mandate",
        type="http",
        auth="user",
        website=True,
        methods=["POST"],
    )
    def portal_sign_mandate(self, iban="", holder="", agree=None, password="", **kw):
        contract = self._get_selected_contract(**kw)
        if not contract:
            raise NotFound()
        typed = {"iban": iban, "holder": holder.strip()[:MAX_HOLDER], "agree": agree}
        errors = self._check_mandate(typed, password)
        if not errors:
            try:
                request.env["onergy.mandate"]._sign_new(
                    contract, iban, typed["holder"], "portal"
                )
            except UserError as error:
                errors["iban"] = str(error)
        if errors:
            return self._render_payment(errors, typed, **kw)
        return self._payment_done("signed", **kw)

    def _check_mandate(self, typed, password):
        errors = {}
        try:
            request.env["onergy.mandate"]._check_iban(typed["iban"])
        except UserError as error:
            errors["iban"] = str(error)
        if not typed["holder"]:
            errors["holder"] = request.env._(
                "Fill in the name as written on the bank card."
            )
        if not typed["agree"]:
            errors["agree"] = request.env._("Tick this if you give permission.")
        try:
            # Whoever finds a browser logged in could else collect elsewhere.
            self._check_own_password(password)
        except UserError as error:
            errors["password"] = str(error)
        return errors

    @route(
        f"{PAYMENT_URL}/cancel",
        type="http",
        auth="user",
        website=True,
        methods=["POST"],
    )
    def portal_cancel_mandate(self, **kw):
        """Take back a change that has not started yet."""
        contract = self._get_selected_contract(**kw)
        pending = contract and contract._get_mandate("pending")
        if not pending:
            return self._payment_done("late", **kw)
        # sudo: his own mandate, found by his own rights above
        pending.sudo()._cancel()
        return self._payment_done("cancelled", **kw)

    @route(
        f"{PAYMENT_URL}/revoke",
        type="http",
        auth="user",
        website=True,
        methods=["GET"],
        readonly=True,
    )
    def portal_ask_revoke(self, **kw):
        """Say what it means before it is done."""
        values = self._prepare_onergy_values("finance", **kw)
        values.update(self._prepare_mandate_values(values["contract"]))
        if not values["mandate"]:
            return request.redirect(f"{PAYMENT_URL}{values['contract_query']}")
        return request.render("onergy_residents.portal_revoke_mandate", values)

    @route(
        f"{PAYMENT_URL}/revoke",
        type="http",
        auth="user",
        website=True,
        methods=["POST"],
        sitemap=False,
    )
    def portal_revoke_mandate(self, **kw):
        contract = self._get_selected_contract(**kw)
        active = contract and contract._get_mandate("active")
        if not active:
            return self._payment_done("late", **kw)
        # sudo: as above
        active.sudo()._revoke()
        return self._payment_done("revoked", **kw)
