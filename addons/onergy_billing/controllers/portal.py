import re
from decimal import Decimal

from werkzeug.exceptions import NotFound
from werkzeug.urls import url_encode

from odoo import fields
from odoo.exceptions import AccessError, MissingError
from odoo.http import request, route

from odoo.addons.onergy_residents.controllers.portal import OnergyPortal

#: More than this a month is a typing mistake.
MAX_AMOUNT = 10000
#: 1.150 or 1.150,50
THOUSANDS = re.compile(r"[0-9]{1,3}(\.[0-9]{3})+(,[0-9]{1,2})?")
#: 150, 150,5 or 150.50, with a point for the comma
PLAIN = re.compile(r"[0-9]+(\.[0-9]{1,2})?")


class OnergyBillingPortal(OnergyPortal):
    """The resident's advance and his yearly bill."""

    # ------------------------------------------------------------------
    # ADVANCE
    # ------------------------------------------------------------------

    @route(
        "/my/advance",
        type="http",
        auth="user",
        website=True,
        methods=["GET"],
        readonly=True,
    )
    def portal_my_advance(self, amount="", done="", **kw):
        """What the advance is, what is advised, and the effect of another amount.

        :param amount: what the resident typed; nothing changes by looking
        """
        values = self._prepare_advance_values(**kw)
        if done in ("changed", "requested"):
            values["done"] = done
        elif amount:
            values.update(self._prepare_effect(values, amount))
        return request.render("onergy_billing.portal_my_advance", values)

    @route("/my/advance", type="http", auth="user", website=True, methods=["POST"])
    def portal_change_advance(self, amount="", **kw):
        """Change the advance, or ask for it when the amount is out of bounds."""
        values = self._prepare_advance_values(**kw)
        if not values["can_change"]:
            raise NotFound()
        effect = self._prepare_effect(values, amount)
        if effect.get("error"):
            return request.render(
                "onergy_billing.portal_my_advance", {**values, **effect}
            )
        contract, wanted = values["contract"], float(effect["wanted"])
        # sudo: residents may not write advances; this is one of his own contract,
        # which the record rule of the contract has shown, within the agreed bounds
        contract = contract.sudo()
        if effect["in_band"]:
            contract._change_advance_by_resident(wanted, values["date_from"])
            done = "changed"
        else:
            contract._request_advance(wanted)
            done = "requested"
        query = url_encode({"done": done, "contract_id": contract.id})
        return request.redirect(f"/my/advance?{query}")

    def _prepare_advance_values(self, **kw):
        values = self._prepare_onergy_values("finance", **kw)
        contract = values["contract"]
        if not contract:
            raise NotFound()
        # sudo: forecast and prices are no records of the resident; only what follows
        # for his own contract leaves here
        record = contract.sudo()
        today = fields.Date.context_today(contract)
        date_from = record._get_next_advance_date(today)
        ends = record.date_end
        return {
            **values,
            "currency": contract.company_id.currency_id,
            "current": contract._get_advance(today).amount,
            "planned": contract.advance_ids.filtered(
                lambda a: a.date_from > today
            ).sorted("date_from")[:1],
            "advice": record._get_advance_advice(today),
            "date_from": date_from,
            "change_date": record._get_advance_change_date(today),
            "can_change": contract.state == "running"
            and (not ends or ends >= date_from),
            "done": "",
            "error": "",
            "typed": "",
            "wanted": None,
        }

    def _prepare_effect(self, values, amount):
        """What follows from an amount, or what is wrong with it."""
        wanted = self._parse_amount(amount)
        if wanted is None:
            return {
                "typed": amount,
                "error": request.env._("Fill in an amount in euros, for example 150."),
            }
        effect = {"typed": amount, "wanted": wanted}
        advice = values["advice"]
        if not advice:
            return {**effect, "in_band": False}
        rest = advice["cost"] - wanted * 12
        return {
            **effect,
            "in_band": not values["change_date"]
            and advice["low"] <= wanted <= advice["high"],
            "rest": rest,
            "rest_amount": float(abs(rest)),
        }

    def _parse_amount(self, text):
        """Euros as somebody types them, for example 150, 150,50 or € 1.150,50.

        A point before three digits is one of thousands, as the Dutch write; cents are
        two digits at most. What is neither is not guessed at: ``None``.
        """
        text = str(text).replace("€", "").replace(" ", "").replace("\xa0", "")
        if THOUSANDS.fullmatch(text):
            text = text.replace(".", "")
        text = text.replace(",", ".")
        if not PLAIN.fullmatch(text):
            return None
        amount = Decimal(text)
        return amount if amount <= MAX_AMOUNT else None

    # ------------------------------------------------------------------
    # BILL
    # ------------------------------------------------------------------

    @route("/my/bill/<int:move_id>", type="http", auth="user", website=True)
    def portal_my_bill(self, move_id, **kw):
        """A yearly or final bill as a page."""
        try:
            move = self._document_check_access("account.move", move_id)
        except (AccessError, MissingError) as error:
            raise NotFound() from error
        settlement = move._onergy_get_settlement()
        if not settlement or move.state != "posted":
            raise NotFound()
        contract = settlement._get_payer_contract()
        if contract:
            kw["contract_id"] = contract.id
        return request.render(
            "onergy_billing.portal_my_bill",
            {
                **self._prepare_onergy_values("finance", **kw),
                "o": move,
                "settlement": settlement,
            },
        )
