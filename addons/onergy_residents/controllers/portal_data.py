from werkzeug.urls import url_encode

from odoo.http import request, route
from odoo.tools import formatLang

from .portal import OnergyPortal


class OnergyPortalData(OnergyPortal):
    """The page with all that is known of a resident and his home."""

    @route("/my/data", type="http", auth="user", website=True, readonly=True)
    def portal_my_data(self, **kw):
        return request.render(
            "onergy_residents.portal_my_data", self._prepare_data_values(**kw)
        )

    def _prepare_data_values(self, **kw):
        values = self._prepare_onergy_values("data", **{**kw, "shared": True})
        contract = values["contract"]
        if values["is_shared"]:
            return {**values, "sections": [self._get_home_section(contract)]}
        sections = [self._get_person_section(contract)]
        if contract:
            sections += [
                self._get_home_section(contract),
                self._get_contract_section(contract),
            ]
        return {**values, "sections": sections}

    def _get_person_section(self, contract):
        partner = request.env.user.partner_id
        rows = [
            self._data_row(contract, request.env._("Name"), partner.name),
            self._data_row(
                contract,
                request.env._("Postal address"),
                self._get_postal_address(partner),
            ),
            self._data_row(
                contract,
                request.env._("Phone number"),
                partner.phone,
                url="/my/onergy-account#onergy_phone",
            ),
            self._data_row(
                contract,
                request.env._("E-mail address"),
                partner.email,
                url="/my/onergy-account#onergy_email",
            ),
        ]
        if contract:
            rows += [
                self._data_row(
                    contract,
                    request.env._("Customer number"),
                    partner.commercial_partner_id.debtor_number,
                    hint=request.env._("Mention this number when you contact us."),
                ),
                self._data_row(
                    contract,
                    request.env._("Bank account (IBAN)"),
                    self._get_masked_account(contract, or_any=True),
                    url=f"/my/payment?contract_id={contract.id}#onergy_iban",
                ),
            ]
        return {"id": "you", "title": request.env._("About you"), "rows": rows}

    def _get_home_section(self, contract):
        home = contract.connection_id
        services = [
            home._fields[name]._description_string(request.env)
            for name in ("service_heating", "service_hot_water", "service_cooling")
            if home[name]
        ]
        rows = [
            (request.env._("Address"), home.name, None),
            (
                request.env._("What we supply"),
                ", ".join(services).capitalize(),
                None,
            ),
            (
                request.env._("Type of home"),
                self._get_label(home, "dwelling_type"),
                None,
            ),
            (
                request.env._("Floor area"),
                home.floor_area and self._format_area(home.floor_area),
                None,
            ),
            (
                request.env._("EAN code"),
                home.ean,
                request.env._("The number of your connection, 18 digits."),
            ),
        ]
        return {
            "id": "home",
            "title": request.env._("Your home"),
            "rows": [
                self._data_row(contract, label, value, hint=hint)
                for label, value, hint in rows
            ],
        }

    def _get_contract_section(self, contract):
        rows = [
            (request.env._("Contract number"), contract.name),
            (request.env._("You are"), self._get_label(contract, "role")),
            (request.env._("Start date"), self._format_date(contract.date_start)),
            (
                request.env._("End date"),
                self._format_date(contract.date_end) or request.env._("No end date"),
            ),
            (request.env._("How you pay"), self._get_label(contract, "payment_method")),
            (
                request.env._("How you get your bills"),
                self._get_label(contract, "invoice_delivery"),
            ),
        ]
        return {
            "id": "contract",
            "title": request.env._("Your contract"),
            "rows": [self._data_row(contract, label, value) for label, value in rows],
        }

    def _data_row(self, contract, label, value, url=None, hint=None):
        """Return one line of the page with the way to have it corrected.

        :param url: where the resident changes it himself; without it the link opens
            a request with the subject filled in
        """
        query = {
            "category": "data",
            "subject": request.env._("This is not right: %(label)s", label=label),
        }
        if contract:
            query["contract_id"] = contract.id
        return {
            "label": label,
            "value": value,
            "hint": hint,
            "is_own": bool(url),
            "url": url or f"/my/requests/new?{url_encode(query)}",
        }

    def _get_label(self, record, name):
        """Return the text of a selection field in the language of the page."""
        return dict(record._fields[name]._description_selection(request.env)).get(
            record[name]
        )

    def _format_area(self, area):
        digits = 0 if area == int(area) else 1
        return f"{formatLang(request.env, area, digits=digits)} m²"

    def _get_postal_address(self, partner):
        lines = partner._display_address(without_company=True).splitlines()
        return "\n".join(filter(None, (line.strip() for line in lines)))
