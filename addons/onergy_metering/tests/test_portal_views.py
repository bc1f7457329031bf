from datetime import date, timedelta
from decimal import Decimal

from lxml import html

from odoo.tests import HttpCase, freeze_time, tagged

from .common import MeteringCase

TODAY = date(2026, 3, 10)


@tagged("post_install", "-at_install")
@freeze_time("2026-03-10 12:00:00")
class TestHeatingViews(MeteringCase, HttpCase):
    """Two years of 0.1 GJ a day, 0.2 GJ in the first 59 days of 2026."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["res.lang"]._activate_lang("nl_NL")
        cls.resident = cls._create_user("view_resident", "base.group_portal")
        cls.contract = cls.env["onergy.contract"].create(
            {
                "connection_id": cls.home.id,
                "partner_id": cls.resident.partner_id.id,
                "date_start": "2024-06-01",
            }
        )
        first = date(2024, 1, 1)
        values, total = [], Decimal(0)
        for number in range((TODAY - first).days + 1):
            values.append(total)
            day = first + timedelta(days=number)
            total += Decimal("0.2" if day >= date(2026, 1, 1) else "0.1")
        cls._load_daily("71000001", first, values)

    def _get_values(self, *args, **kwargs):
        contract = self.contract.with_user(self.resident).with_context(lang="nl_NL")
        return contract._get_heating_values(*args, **kwargs)

    def _get_rows(self, *args, **kwargs):
        """{label: (text, text a year before)} of the first chart."""
        chart = self._get_values(*args, **kwargs)["charts"][0]
        return {
            row["label"]: (row["text"], row["text_before"]) for row in chart["rows"]
        }

    def _get_tree(self, url="/my/heating"):
        self.authenticate(self.resident.login, f"{self.resident.login}-secret")
        response = self.url_open(url)
        self.assertEqual(response.status_code, 200)
        return html.fromstring(response.text)

    def test_amounts_of_many_points_are_written_as_any_other(self):
        contract = self.contract.with_context(lang="nl_NL")
        for unit in ("GJ", "kWh", "EUR"):
            write = contract._get_use_writer(unit)
            for text in (
                "0",
                "0.005",
                "0.5",
                "12.345",
                "999.994",
                "999.995",
                "12345.6",
            ):
                amount = Decimal(text)
                self.assertEqual(write(amount), contract._format_use(amount, unit))
                self.assertEqual(write(-amount), contract._format_use(-amount, unit))
            self.assertEqual(write(None), "")
        self.assertEqual(contract._get_use_writer("GJ")(Decimal("0.125")), "0,13 GJ")

    def test_days_of_a_month(self):
        rows = self._get_rows("day")
        self.assertEqual(len(rows), 31)
        self.assertEqual(rows["9 mrt"], ("0,20 GJ", "0,10 GJ"))
        self.assertEqual(rows["10 mrt"], ("", "0,10 GJ"))
        values = self._get_values("day", period=date(2025, 2, 14))
        self.assertEqual(values["navigation"]["title"], "februari 2025")
        self.assertEqual(len(values["charts"][0]["rows"]), 28)
        # A year before that month was somebody else's.
        self.assertFalse(values["charts"][0]["has_before"])

    def test_months_of_a_year(self):
        rows = self._get_rows("month")
        self.assertEqual(rows["januari"], ("6,20 GJ", "3,10 GJ"))
        self.assertEqual(rows["maart"], ("1,80 GJ", "3,10 GJ"))
        self.assertEqual(rows["december"], ("", "3,10 GJ"))
        rows = self._get_rows("month", "kWh", date(2024, 8, 1))
        self.assertEqual(rows["mei"], ("", ""))
        self.assertEqual(rows["juni"], ("833 kWh", ""))

    def test_season_and_the_months_below_it(self):
        values = self._get_values("season")
        season, months = values["charts"]
        self.assertEqual(
            (season["kind"], len(season["rows"]), season["label"]),
            ("line", 212, "2025–2026"),
        )
        self.assertEqual(months["view"], "month")
        self.assertEqual(values["summary"]["total"], "22,80 GJ")
        self.assertIn("42% meer", values["summary"]["difference"])
        past = self._get_values("season", period=date(2025, 1, 1))
        self.assertEqual(len(past["charts"]), 1)
        self.assertEqual(past["summary"]["total"], "21,20 GJ")
        self.assertFalse(past["forecast"])

    def test_years_beside_each_other(self):
        self.assertEqual(
            self._get_rows("year"),
            {
                "2024": ("21,40 GJ", ""),
                "2025": ("36,50 GJ", ""),
                "2026": ("13,60 GJ", ""),
            },
        )

    def test_unknown_view_unit_and_period(self):
        values = self._get_values("week", "EUR")
        # No prices, so no euros.
        self.assertEqual((values["view"], values["unit"]), ("season", "GJ"))
        self.assertEqual(values["units"], ("GJ", "kWh"))
        tree = self._get_tree("/my/heating?view=x&unit=<b>&period=2026-13-99")
        self.assertTrue(tree.xpath("//*[@id='onergy_chart_season']"))
        for period in (date(1999, 1, 1), date(2099, 1, 1)):
            values = self._get_values("day", period=period)
            self.assertIn(values["navigation"]["title"], ("juni 2024", "maart 2026"))

    def test_earlier_and_later(self):
        navigation = self._get_values("day")["navigation"]
        self.assertEqual(navigation["previous"], date(2026, 2, 28))
        self.assertIsNone(navigation["next"])
        navigation = self._get_values("day", period=date(2024, 6, 5))["navigation"]
        # Nothing before the contract.
        self.assertIsNone(navigation["previous"])
        self.assertEqual(navigation["next"], date(2024, 7, 1))
        navigation = self._get_values("season", period=date(2025, 1, 1))["navigation"]
        self.assertEqual(navigation["next"], date(2025, 10, 1))

    def test_links_keep_what_was_chosen(self):
        tree = self._get_tree("/my/heating?view=day&unit=kWh&period=2026-01-31")
        self.assertEqual(tree.xpath("//*[@aria-current='true']/text()"), ["Dag", "kWh"])
        links = {
            a.text_content().strip(): a.get("href")
            for a in tree.xpath("//nav[contains(@class, 'o_onergy_')]//a")
        }
        self.assertEqual(links["GJ"], "?view=day&unit=GJ&period=2026-01-31")
        self.assertEqual(links["Jaar"], "?view=year&unit=kWh")
        self.assertEqual(
            tree.xpath("//a[@rel='next']/@href"),
            ["?view=day&unit=kWh&period=2026-02-01"],
        )
        tree = self._get_tree(f"/my/heating?contract_id={self.contract.id}")
        self.assertTrue(
            all(
                f"contract_id={self.contract.id}" in link
                for link in tree.xpath("//nav[@aria-label='Eenheid']//a/@href")
            )
        )

    def test_estimated_days_are_marked(self):
        self._load(("71000002", "2026-01-01", 0), ("71000002", "2026-01-05", 4))
        contract = self.env["onergy.contract"].create(
            {
                "connection_id": self.other_home.id,
                "partner_id": self.resident.partner_id.id,
                "date_start": "2025-01-01",
            }
        )
        chart = contract._get_heating_values("day", period=date(2026, 1, 1))["charts"][
            0
        ]
        self.assertTrue(chart["has_estimated"])
        self.assertEqual([row["estimated"] for row in chart["rows"]].count(True), 4)
        tree = self._get_tree(
            f"/my/heating?view=day&period=2026-01-01&contract_id={contract.id}"
        )
        text = tree.xpath("//details")[0].text_content()
        self.assertEqual(text.count("geschat"), 4)

    def test_without_days(self):
        """Where days may not be shown, whole months are: on the page and in files."""
        self.complex.daily_basis = "none"
        values = self._get_values("day")
        self.assertEqual(values["views"], ("month", "season", "year"))
        (season,) = values["charts"]
        self.assertEqual((values["view"], season["kind"]), ("season", "bar"))
        self.assertEqual(len(season["rows"]), 7)
        self.assertEqual(values["summary"]["total"], "21,00 GJ")
        days = self.contract._get_heating_days()
        self.assertEqual(len(days), 21)
        self.assertEqual(days[0]["gj"], Decimal("3.0"))
        tree = self._get_tree("/my/heating?view=day")
        self.assertNotIn("Dag", tree.xpath("//nav//a/text()"))
