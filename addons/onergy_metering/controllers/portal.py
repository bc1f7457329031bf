import json

from odoo.http import request, route

from odoo.addons.onergy_residents.controllers.portal import OnergyPortal

UNITS = ("GJ", "kWh")


class HeatingPortal(OnergyPortal):
    @route("/my/heating", type="http", auth="user", website=True, readonly=True)
    def portal_my_heating(self, unit=None, **kw):
        return request.render(
            "onergy_metering.portal_my_heating",
            self._prepare_heating_values(unit, **kw),
        )

    def _prepare_heating_values(self, unit=None, **kw):
        values = self._prepare_onergy_values("heating", **kw)
        contract = values["contract"]
        if not contract:
            return values
        unit = unit if unit in UNITS else UNITS[0]
        heating = contract._get_heating_values(unit)
        return {
            **values,
            **heating,
            "units": UNITS,
            "season_chart": self._get_chart(
                "line",
                heating["season"]["days"],
                request.env._("This season"),
                request.env._("A year ago"),
                unit,
            ),
            "month_chart": self._get_chart(
                "bar",
                heating["months"]["rows"],
                str(heating["months"]["year"]),
                str(heating["months"]["year"] - 1),
                unit,
            ),
        }

    def _get_chart(self, kind, rows, label, label_before, unit):
        """What the chart in the browser needs, as JSON."""
        return json.dumps(
            {
                "type": kind,
                "unit": unit,
                "labels": [row["short"] for row in rows],
                "label": label,
                "values": [row["value"] for row in rows],
                "labelBefore": label_before,
                "before": [row["before"] for row in rows],
                "estimated": [row["estimated"] for row in rows],
                "estimatedText": request.env._("estimated"),
            }
        )
