import io
import json
import time
from datetime import timedelta

import openpyxl
from lxml import html

from odoo import fields, http
from odoo.tests import HttpCase, tagged

from .common import MeteringCase


@tagged("post_install", "-at_install")
class TestHeatingPage(MeteringCase, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.today = fields.Date.today()
        cls.resident = cls._create_user("heating_resident", "base.group_portal")
        cls.past = cls._create_user("heating_past", "base.group_portal")
        cls.moved = cls.today - timedelta(days=40)
        cls.past_contract, cls.contract = cls.env["onergy.contract"].create(
            [
                {
                    "connection_id": cls.home.id,
                    "partner_id": cls.past.partner_id.id,
                    "date_start": "2024-01-01",
                    "date_end": cls.moved - timedelta(days=1),
                },
                {
                    "connection_id": cls.home.id,
                    "partner_id": cls.resident.partner_id.id,
                    "date_start": cls.moved,
                },
            ]
        )

    def _fill(self, days=100, until=0):
        """One GJ a day before the move, two after.

        The last reading is of today's midnight, or of ``until`` days before.
        """
        first = self.today - timedelta(days=days)
        value, rows = 0, []
        for number in range(days + 1 - until):
            day = first + timedelta(days=number)
            rows.append((self.meter.serial, day, value))
            value += 2 if day >= self.moved else 1
        self._load(*rows)

    def _get_page(self, user, url="/my/heating", status=200):
        self.authenticate(user.login, f"{user.login}-secret")
        response = self.url_open(url)
        self.assertEqual(response.status_code, status)
        return response.text

    def _get_charts(self, page):
        return [
            json.loads(chart) for chart in html.fromstring(page).xpath("//@data-chart")
        ]

    def test_nothing_yet(self):
        self.meter.placement_ids.unlink()
        self.assertIn(
            "Wij hebben voor dit adres geen meter", self._get_page(self.resident)
        )

    def test_meter_without_readings(self):
        page = self._get_page(self.resident)
        self.assertIn("71000001", page)
        self.assertIn("Wij hebben nog geen meterstand ontvangen", page)
        self.assertIn("Er is nog niets te tonen", page)
        self.assertFalse(self._get_charts(page))

    def test_resident_without_home(self):
        user = self._create_user("heating_none", "base.group_portal")
        self.assertIn("Er is nog geen woning in uw account", self._get_page(user))

    def test_last_reading_and_its_age(self):
        self._fill()
        page = self._get_page(self.resident)
        self.assertIn("140,000", page)
        self.assertIn("vandaag", page)
        self.assertNotIn("Wij hebben al een paar dagen geen meterstand ontvangen", page)

    def test_old_reading_is_told(self):
        self._load(
            (self.meter.serial, self.today - timedelta(days=9), 1),
            (self.meter.serial, self.today - timedelta(days=8), 2),
        )
        page = self._get_page(self.resident)
        self.assertIn("8 dagen geleden", page)
        self.assertIn("Wij hebben al een paar dagen geen meterstand ontvangen", page)

    def test_only_the_days_of_the_own_contract(self):
        self._fill()
        values = self.contract.with_user(self.resident)._get_heating_values("year")
        self.assertEqual(self._sum_chart(values), 80)
        past = self.past_contract.with_user(self.past)._get_heating_values("year")
        self.assertEqual(self._sum_chart(past), 60)
        self.assertEqual(past["meters"][0]["value"], "60,000")
        for view in ("day", "month", "season"):
            for period in (self.moved - timedelta(days=1), self.moved, self.today):
                values = self.contract.with_user(self.resident)._get_heating_values(
                    view, period=period
                )
                rows = [row for chart in values["charts"] for row in chart["rows"]]
                used = [row["value"] for row in rows if row["value"]]
                self.assertTrue(used)
                self.assertFalse([row for row in rows if row["before"]])
                if view == "day":
                    self.assertEqual(set(used), {2})

    def _sum_chart(self, values):
        (chart,) = values["charts"]
        return sum(row["value"] or 0 for row in chart["rows"])

    def test_past_resident_sees_nothing_of_the_next_on_a_meter_read_by_hand(self):
        self.meter.read_mode = "manual"
        self._fill()
        past = self.past_contract.with_user(self.past)._get_heating_values("year")
        self.assertEqual(past["meters"][0]["value"], "60,000")

    def test_past_resident_sees_nothing_of_the_next(self):
        self._fill()
        page = self._get_page(self.past)
        self.assertNotIn("140,000", page)
        self.assertIn("60,000", page)
        self._get_page(
            self.past, f"/my/heating?contract_id={self.contract.id}", status=404
        )

    def test_without_legal_basis_only_whole_months(self):
        self.complex.daily_basis = "consent"
        self._fill()
        page = self._get_page(self.resident)
        self.assertIn("alleen als u zegt dat dat mag", page)
        self.assertIn("/my/privacy", page)
        # The season per day is not in the page, not even in the data of a chart.
        self.assertEqual(len(self._get_charts(page)), 1)
        self.assertNotIn("140,000", page)
        contract = self.contract.with_user(self.resident)
        values = contract._get_heating_values("day")
        self.assertEqual(values["view"], "season")
        self.assertEqual(len(values["charts"][0]["rows"]), 7)
        first = self.today.replace(day=1)
        used = self._sum_chart(contract._get_heating_values("year"))
        self.assertEqual(used, 2 * max((first - self.moved).days, 0))
        days = self.contract.with_user(self.resident)._get_heating_days()
        self.assertTrue(all(day["day"].day == 1 for day in days))
        self.assertEqual(sum(day["gj"] for day in days), used)
        self.complex.daily_basis = "none"
        page = self._get_page(self.resident)
        self.assertIn("Wij tonen op dit adres geen verbruik per dag", page)
        self.assertNotIn("/my/privacy", page)

    def test_consent_shows_days_until_it_is_withdrawn(self):
        self.complex.daily_basis = "consent"
        self._fill()
        consent = self.env["onergy.consent"]._give(
            self.resident.partner_id,
            self.env.ref("onergy_residents.consent_purpose_daily"),
            "phone",
            self.contract,
        )
        self.assertEqual(len(self._get_charts(self._get_page(self.resident))), 2)
        # The consent of one resident is not that of the one before him.
        self.assertFalse(self.past_contract.daily_readings_allowed)
        consent._withdraw("phone")
        self.assertEqual(len(self._get_charts(self._get_page(self.resident))), 1)

    def test_visitor_must_log_in(self):
        response = self.url_open("/my/heating", allow_redirects=False)
        self.assertEqual(response.status_code, 303)
        self.assertIn("/web/login", response.headers["Location"])

    def test_charts_and_their_tables_agree(self):
        self._fill()
        page = self._get_page(self.resident, "/my/heating?unit=kWh")
        tree = html.fromstring(page)
        charts = self._get_charts(page)
        self.assertEqual([chart["type"] for chart in charts], ["line", "bar"])
        tables = tree.xpath("//details//table")
        for chart, table in zip(charts, tables, strict=True):
            shown = [
                label
                for label, value, before in zip(
                    chart["labels"], chart["values"], chart["before"], strict=True
                )
                if value is not None or before is not None
            ]
            self.assertEqual(
                [
                    cell.text_content().strip()[:3]
                    for cell in table.xpath(".//tbody//th")
                ],
                [label[:3] for label in shown],
            )
        self.assertIn("kWh", tables[0].text_content())
        self.assertNotIn("GJ", tables[0].text_content())

    def test_queries_do_not_depend_on_readings(self):
        self._fill(days=5)
        few = self._count_queries()
        self.assertLessEqual(few, 25)
        rows = [
            self.loader._make_row(
                self.meter.serial, moment, f"{number / 1e6:.6f}", "GJ"
            )
            for number, moment in enumerate(
                fields.Datetime.now() - timedelta(days=30) + timedelta(hours=hour)
                for hour in range(24 * 20)
            )
        ]
        counts = self.loader._load_rows(rows, self.company, "file")
        self.assertEqual(counts["new"], 480)
        self.assertEqual(self._count_queries(), few)

    def _count_queries(self):
        """Queries of the page once everything is in the caches."""
        self._get_page(self.resident)
        before = self.env.cr.sql_log_count
        self.url_open("/my/heating")
        return self.env.cr.sql_log_count - before

    def test_downloads_hold_the_own_days_only(self):
        self._fill()
        self._get_page(self.resident)
        answer = self.url_open("/my/heating/download/json")
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        days = answer.json()
        self.assertEqual(len(days), 40)
        self.assertEqual(days[0]["day"], str(self.moved))
        self.assertEqual((days[0]["gj"], days[0]["kwh"]), (2, 555.556))
        answer = self.url_open("/my/heating/download/csv")
        lines = answer.content.decode("utf-8-sig").splitlines()
        self.assertEqual(len(lines), 41)
        self.assertEqual(lines[1], f"{self.moved};71000001;2;555,556;nee")
        answer = self.url_open("/my/heating/download/xlsx")
        sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).active
        self.assertEqual(sheet.max_row, 41)
        self.assertEqual(self.url_open("/my/heating/download/pdf").status_code, 404)
        other = f"?contract_id={self.past_contract.id}"
        self.assertEqual(
            self.url_open(f"/my/heating/download/json{other}").status_code, 404
        )

    def _send_reading(self, value, **values):
        self.authenticate(self.resident.login, f"{self.resident.login}-secret")
        return self.url_open(
            "/my/heating/reading",
            data={
                "csrf_token": http.Request.csrf_token(self),
                "meter": self.meter.serial,
                "value": value,
                **values,
            },
        )

    def test_resident_reads_his_own_meter(self):
        # a day's use cannot be burnt in the first hour after midnight
        self._fill(until=1)
        self.meter.read_mode = "refused"
        page = self._get_page(self.resident)
        self.assertIn('name="value"', page)
        self.assertIn(
            "Bedankt, uw meterstand is binnen", self._send_reading("139,5").text
        )
        self.assertEqual(self.meter.last_value, 139.5)
        reading = self.env["onergy.reading"].search(
            [("meter_id", "=", self.meter.id)], order="moment desc", limit=1
        )
        self.assertEqual(reading.origin, "portal")

    def test_reading_that_does_not_fit(self):
        self._fill()
        self.meter.read_mode = "refused"
        answer = self._send_reading("abc")
        self.assertIn("Dit is geen getal", answer.text)
        answer = self._send_reading("14")
        self.assertIn("past niet bij de vorige", answer.text)
        self.assertFalse(self.meter.exception_count)
        answer = self._send_reading("14", confirmed="1")
        self.assertIn("niet wat wij verwachtten", answer.text)
        self.meter.invalidate_recordset(["exception_count"])
        self.assertEqual(self.meter.exception_count, 1)
        self.assertEqual(self.meter.last_value, 140)

    def test_picture_is_kept_with_a_good_reading_too(self):
        self._fill(until=1)
        self.meter.read_mode = "refused"
        self.assertIn('name="photo"', self._get_page(self.resident))
        self._send_photo("139", b"\xff\xd8\xff picture")
        attachment = self.env["ir.attachment"].search(
            [("res_model", "=", "onergy.meter"), ("res_id", "=", self.meter.id)]
        )
        self.assertEqual(attachment.raw, b"\xff\xd8\xff picture")
        time.sleep(1)  # readings of one second would be one reading
        self._send_photo("139,001", b"MZ no picture")
        self.assertEqual(self.meter.last_value, 139.001)
        self.assertEqual(
            self.env["ir.attachment"].search(
                [("res_model", "=", "onergy.meter"), ("res_id", "=", self.meter.id)]
            ),
            attachment,
        )

    def _send_photo(self, value, content):
        self.authenticate(self.resident.login, f"{self.resident.login}-secret")
        return self.url_open(
            "/my/heating/reading",
            data={
                "csrf_token": http.Request.csrf_token(self),
                "meter": self.meter.serial,
                "value": value,
            },
            files={"photo": ("meter.jpg", content, "image/jpeg")},
        )

    def test_reading_is_judged_while_it_is_typed(self):
        self._fill()
        self.meter.read_mode = "refused"
        self.browser_js(
            "/my/heating",
            """
            (async () => {
            const input = document.querySelector("input[name=value]");
            const hint = document.querySelector(".o_onergy_reading_hint");
            const told = [];
            const type = async (text) => {
                input.value = text;
                input.dispatchEvent(new Event("input", {bubbles: true}));
                await new Promise((resolve) => setTimeout(resolve, 200));
                return hint.textContent.trim();
            };
            // Until the page listens.
            for (let turn = 0; turn < 60 && !(await type("141,5")); turn++);
            for (const text of ["141,5", "14", "9999", "abc"]) {
                told.push(await type(text));
            }
            const [fits, low, high, none] = told;
            if (
                fits.includes("1,5 GJ") && low.includes("140,000") &&
                high.includes("veel meer") && none === ""
            ) {
                console.log("test successful");
            } else {
                console.error(JSON.stringify(told));
            }
            })();
            """,
            ready="document.querySelector('.o_onergy_reading_hint') !== null && "
            "odoo.loader.modules.has('@onergy_metering/interactions/reading_entry')",
            login="heating_resident",
        )

    def test_only_the_own_meter_by_hand(self):
        self._fill()
        self.assertNotIn('name="value"', self._get_page(self.resident))
        self.assertEqual(self._send_reading("141").status_code, 404)
        self.other_meter.read_mode = "refused"
        answer = self._send_reading("141", meter=self.other_meter.serial)
        self.assertEqual(answer.status_code, 404)
        self.assertFalse(self._get_readings(self.other_meter))

    def test_weather_and_forecast(self):
        self.contract.date_end = False
        self.past_contract.date_end = "2024-01-02"
        self.contract.date_start = "2024-01-03"
        contract = self.contract.with_context(lang="nl_NL")
        last_day = fields.Date.to_date("2026-01-30")
        self.env["onergy.degree.day"]._load_temperatures(
            ("999", fields.Date.to_date(first) + timedelta(days=number), cold, False)
            for first, cold in (("2024-10-01", 8), ("2025-10-01", 13))
            for number in range(122)
        )
        use = {
            fields.Date.to_date(first) + timedelta(days=number): (quantity, False)
            for first, quantity in (("2024-10-01", 0.2), ("2025-10-01", 0.1))
            for number in range(122)
        }
        season = contract._get_season(last_day)[0]
        self.assertIn("even", contract._describe_corrected(use, season, last_day))
        use[last_day] = (10, False)
        self.assertIn("meer", contract._describe_corrected(use, season, last_day))
        self.assertFalse(contract._describe_forecast(use, last_day, "GJ"))
        year = {
            fields.Date.to_date("2026-01-01") + timedelta(days=n): (0.1, False)
            for n in range(181)
        }
        last_day = fields.Date.to_date("2026-06-30")
        self.assertEqual(contract._describe_forecast(year, last_day, "GJ"), "31,18 GJ")
        self.assertEqual(
            contract._describe_forecast(year, last_day, "kWh"), "8.660 kWh"
        )

    def test_charts_are_drawn(self):
        self._fill()
        self.browser_js(
            "/my/heating",
            """
            const charts = [...document.querySelectorAll(".o_onergy_chart canvas")]
                .map((canvas) => window.Chart.getChart(canvas));
            const kinds = charts.map((chart) => chart.config.type).join();
            const values = charts[0].data.datasets[0].data.filter((x) => x !== null);
            const table = document.querySelector(".o_onergy_chart_table");
            table.querySelector("summary").click();
            if (kinds === "line,bar" && values.length && table.open) {
                console.log("test successful");
            } else {
                console.error(`drawn: ${kinds}`);
            }
            """,
            ready="window.Chart && window.Chart.getChart("
            "document.querySelectorAll('.o_onergy_chart canvas')[1]) !== undefined",
            login="heating_resident",
        )

    def test_tab_and_card(self):
        page = self._get_page(self.resident, "/my")
        tree = html.fromstring(page)
        self.assertTrue(
            tree.xpath("//nav[@aria-label]//a[contains(@href, '/my/heating')]")
        )
