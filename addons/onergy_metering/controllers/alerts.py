from odoo.http import request, route

from odoo.addons.onergy_residents.controllers.portal import OnergyPortal

from ..models.onergy_alert_setting import BOUNDS, DAILY_KINDS, DEFAULTS, KINDS

#: Alerts of earlier times that the page shows.
PAST_ALERTS = 24


class AlertPortal(OnergyPortal):
    """What a resident wants to be warned of, and what he was warned of."""

    @route(
        "/my/heating/alerts",
        type="http",
        auth="user",
        website=True,
        methods=["GET"],
        readonly=True,
    )
    def portal_my_alerts(self, **kw):
        return request.render(
            "onergy_metering.portal_my_alerts", self._prepare_alert_values(**kw)
        )

    @route(
        "/my/heating/alerts", type="http", auth="user", website=True, methods=["POST"]
    )
    def portal_set_alerts(self, **kw):
        values = self._prepare_alert_values(**kw)
        contract = values["contract"]
        if not contract or contract.state != "running":
            raise request.not_found()
        errors = {}
        wanted = {}
        for choice in values["choices"]:
            kind = choice["kind"]
            choice["is_on"] = bool(kw.get(f"{kind}_on"))
            choice["typed"] = kw.get(kind, choice["typed"])
            number = self._read_threshold(kind, choice["typed"])
            if number is None and choice["is_on"]:
                errors[kind] = self._get_threshold_error(kind)
            elif number is not None:
                wanted[kind] = (choice["is_on"], number)
            else:
                wanted[kind] = (False, DEFAULTS[kind])
        if errors:
            return request.render(
                "onergy_metering.portal_my_alerts", {**values, "errors": errors}
            )
        # sudo: residents write no settings; these are of his own contract, which the
        # record rule of the contract has shown
        request.env["onergy.alert.setting"].sudo()._set_for(contract, wanted)
        query = f"&contract_id={contract.id}" if kw.get("contract_id") else ""
        return request.redirect(f"/my/heating/alerts?saved=1{query}")

    def _prepare_alert_values(self, saved=None, **kw):
        values = self._prepare_onergy_values("heating", **kw)
        contract = values["contract"]
        if not contract:
            return values
        Alert = request.env["onergy.alert"]
        domain = [("contract_id", "=", contract.id)]
        return {
            **values,
            "saved": saved,
            "errors": {},
            "daily_allowed": contract.daily_readings_allowed,
            "choices": self._get_choices(contract),
            "open_alerts": Alert.search([*domain, ("date_close", "=", False)]),
            "past_alerts": Alert.search(
                [*domain, ("date_close", "!=", False)], limit=PAST_ALERTS
            ),
            "email": request.env.user.partner_id.email,
        }

    def _get_choices(self, contract):
        settings = request.env["onergy.alert.setting"]._get_for(contract)
        words = self._get_choice_words()
        return [
            {
                "kind": kind,
                "is_on": settings[kind][0],
                "typed": f"{settings[kind][1]:g}".replace(".", ","),
                "has_threshold": bool(BOUNDS[kind][1]),
                **words[kind],
            }
            for kind, _label in KINDS
            if kind not in DAILY_KINDS or contract.daily_readings_allowed
        ]

    def _get_choice_words(self):
        _ = request.env._
        return {
            "limit": {
                "label": _("I use more than my own limit in a month"),
                "field": _("My limit in GJ a month"),
            },
            "expected": {
                "label": _("I use more in a week than is normal in this weather"),
                "field": _("How much more, in percent"),
            },
            "silent": {
                "label": _("My meter sends no reading"),
                "field": _("After how many days"),
            },
            "constant": {
                "label": _("I use the same every day, for a week"),
                "field": "",
            },
        }

    def _read_threshold(self, kind, text):
        """What somebody typed as a number, ``None`` when it is not one to use."""
        low, high = BOUNDS[kind]
        try:
            number = float(text.strip().replace(",", "."))
        except ValueError:
            return None
        return number if low <= number <= high else None

    def _get_threshold_error(self, kind):
        low, high = BOUNDS[kind]
        return request.env._(
            "Fill in a number from %(low)s to %(high)s.",
            low=f"{low:g}".replace(".", ","),
            high=f"{high:g}",
        )

    def _get_open_alerts(self, contract):
        """Of a contract that the resident may read."""
        # sudo: the rule of alerts would only ask for the contract once more
        return (
            request.env["onergy.alert"]
            .sudo()
            .search([("contract_id", "=", contract.id), ("date_close", "=", False)])
        )

    def _get_home_steps(self, contract, values):
        steps = super()._get_home_steps(contract, values)
        return steps + [
            {
                "text": alert._get_text(),
                "url": f"/my/heating/alerts?contract_id={contract.id}",
                "label": request.env._("See your alerts"),
                "is_urgent": False,
            }
            for alert in self._get_open_alerts(contract)
        ]
