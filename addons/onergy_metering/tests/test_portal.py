import json
from datetime import timedelta

from lxml import html

from odoo import fields
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

    def _fill(self, days=100):
        """One GJ a day before the move, two after; the last reading is of today."""
        first = self.today - timedelta(days=days)
        value, rows = 0, []
        for number in range(days + 1):
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
        values = self.contract.with_user(self.resident)._get_heating_values()
        used = [day["value"] for day in values["season"]["days"] if day["value"]]
        used += [row["value"] for row in values["months"]["rows"] if row["value"]]
        self.assertEqual(
            sum(row["value"] or 0 for row in values["months"]["rows"])
            + sum(row["before"] or 0 for row in values["months"]["rows"]),
            80,
        )
        past = self.past_contract.with_user(self.past)._get_heating_values()
        self.assertEqual(
            sum(row["value"] or 0 for row in past["months"]["rows"])
            + sum(row["before"] or 0 for row in past["months"]["rows"]),
            60,
        )
        self.assertEqual(past["meters"][0]["value"], "60,000")

    def test_past_resident_sees_nothing_of_the_next(self):
        self._fill()
        page = self._get_page(self.past)
        self.assertNotIn("140,000", page)
        self.assertIn("60,000", page)
        self._get_page(
            self.past, f"/my/heating?contract_id={self.contract.id}", status=404
        )

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

    def test_tab_and_card(self):
        page = self._get_page(self.resident, "/my")
        tree = html.fromstring(page)
        self.assertTrue(
            tree.xpath("//nav[@aria-label]//a[contains(@href, '/my/heating')]")
        )
