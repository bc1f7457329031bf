import csv
import io
import json
from datetime import date
from functools import partial

import xlsxwriter
from werkzeug.urls import url_encode

from odoo.http import content_disposition, request, route

from .overview import OverviewPortal

MAX_PHOTO = 10 * 1024 * 1024
#: JPEG, PNG, WebP and HEIC begin like this.
PHOTO_MARKS = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"\0\0\0")
DOWNLOADS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
}


class HeatingPortal(OverviewPortal):
    @route("/my/heating", type="http", auth="user", website=True, readonly=True)
    def portal_my_heating(self, **kw):
        return request.render(
            "onergy_metering.portal_my_heating", self._prepare_heating_values(**kw)
        )

    def _prepare_heating_values(self, view="season", unit="GJ", period="", **kw):
        """What the page shows.

        :param view: as it came in the address, like the others; see
            ``onergy.contract._get_heating_values``
        :param period: a day, for example 2026-01-31
        """
        values = self._prepare_onergy_values("heating", **{**kw, "shared": True})
        contract = values["contract"]
        if not contract:
            return values
        day = self._read_day(period)
        heating = contract._get_heating_values(view, unit, day)
        unit = heating["unit"]
        return {
            **values,
            **heating,
            "heating_url": partial(
                self._get_heating_url,
                view=heating["view"],
                unit=unit,
                period=day and str(day),
                contract_id=contract.id if values["contract_query"] else None,
            ),
            "view_labels": self._get_view_labels(),
            "unit_labels": {"GJ": "GJ", "kWh": "kWh", "EUR": request.env._("euro")},
            "chart_json": partial(self._get_chart_json, unit=unit),
            "open_alerts": self._get_open_alerts(contract),
            "entered": kw.get("entered"),
        }

    def _read_day(self, text):
        """A day as it stands in an address, ``None`` when it is not one."""
        try:
            return date.fromisoformat(text)
        except ValueError:
            return None

    def _get_view_labels(self):
        return {
            "day": request.env._("Day"),
            "month": request.env._("Month"),
            "season": request.env._("Season"),
            "year": request.env._("Year"),
        }

    def _get_heating_url(self, **query):
        """The page in another state; what is not given stays out of the address."""
        return f"?{url_encode({name: value for name, value in query.items() if value})}"

    @route(
        "/my/heating/reading", type="http", auth="user", website=True, methods=["POST"]
    )
    def portal_my_heating_reading(self, meter="", value="", photo=None, **kw):
        """Take in a reading of a meter that is not read remotely."""
        contract = self._get_selected_contract(kw.get("contract_id"))
        if not contract:
            raise request.not_found()
        picture = photo.read(MAX_PHOTO + 1) if photo else b""
        if len(picture) > MAX_PHOTO or not picture.startswith(PHOTO_MARKS):
            picture = None
        answer = contract._enter_reading(
            meter, value, confirmed=bool(kw.get("confirmed")), photo=picture
        )
        if answer == "no_meter":
            raise request.not_found()
        if answer in ("ok", "noted"):
            query = f"&contract_id={contract.id}" if kw.get("contract_id") else ""
            return request.redirect(f"/my/heating?entered={answer}{query}")
        values = self._prepare_heating_values(**kw)
        values.update(entered=answer, entered_meter=meter, entered_value=value)
        return request.render("onergy_metering.portal_my_heating", values)

    @route(
        "/my/heating/download/<string:kind>",
        type="http",
        auth="user",
        website=True,
        readonly=True,
    )
    def portal_my_heating_download(self, kind, contract_id=None, **kw):
        """The days of the resident's own contract as CSV, Excel workbook or JSON."""
        contract = self._get_selected_contract(contract_id, shared=True)
        if not contract or kind not in DOWNLOADS:
            raise request.not_found()
        content = getattr(self, f"_write_{kind}")(contract)
        filename = f"{request.env._('heating')}-{contract.name}.{kind}"
        return request.make_response(
            content,
            headers=[
                ("Content-Type", DOWNLOADS[kind]),
                ("Content-Disposition", content_disposition(filename)),
            ],
        )

    def _get_download_head(self, contract):
        return [
            request.env._("Day")
            if contract.daily_readings_allowed
            else request.env._("Month from"),
            request.env._("Meter number"),
            request.env._("Use (GJ)"),
            request.env._("Use (kWh)"),
            request.env._("Estimated"),
        ]

    def _write_csv(self, contract):
        """As spreadsheets in the Netherlands expect it: semicolons, decimal comma."""
        out = io.StringIO()
        writer = csv.writer(out, delimiter=";")
        writer.writerow(self._get_download_head(contract))
        for day in contract._get_heating_days():
            writer.writerow(
                [
                    day["day"],
                    day["meter"],
                    f"{day['gj']:f}".replace(".", ","),
                    f"{day['kwh']:f}".replace(".", ","),
                    request.env._("yes") if day["estimated"] else request.env._("no"),
                ]
            )
        return out.getvalue().encode("utf-8-sig")

    def _write_xlsx(self, contract):
        out = io.BytesIO()
        with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
            sheet = book.add_worksheet()
            sheet.set_column(0, 4, 14)
            sheet.write_row(0, 0, self._get_download_head(contract))
            date_format = book.add_format({"num_format": "yyyy-mm-dd"})
            for line, day in enumerate(contract._get_heating_days(), start=1):
                sheet.write_datetime(line, 0, day["day"], date_format)
                sheet.write_string(line, 1, day["meter"])
                sheet.write_number(line, 2, day["gj"])
                sheet.write_number(line, 3, day["kwh"])
                sheet.write_boolean(line, 4, day["estimated"])
        return out.getvalue()

    def _write_json(self, contract):
        return json.dumps(
            [
                {
                    **day,
                    "day": str(day["day"]),
                    "gj": float(day["gj"]),
                    "kwh": float(day["kwh"]),
                }
                for day in contract._get_heating_days()
            ],
            indent=1,
        )

    def _get_chart_json(self, chart, unit):
        """What the chart in the browser needs."""
        rows = chart["rows"]
        return json.dumps(
            {
                "type": chart["kind"],
                "unit": {"EUR": "€"}.get(unit, unit),
                "digits": {"GJ": 3, "kWh": 0, "EUR": 2}[unit],
                "labels": [row["short"] for row in rows],
                "label": chart["label"],
                "values": [row["value"] for row in rows],
                "labelBefore": chart["label_before"],
                "before": [row["before"] for row in rows],
                "labelPeers": request.env._("Homes like yours"),
                "peers": [row.get("peers") for row in rows],
                "estimated": [row["estimated"] for row in rows],
                "estimatedText": request.env._("estimated"),
            }
        )
