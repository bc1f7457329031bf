from datetime import date, timedelta
from decimal import Decimal
from unittest.mock import patch

from lxml import html

from odoo import http
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import HttpCase, freeze_time, tagged

from odoo.addons.mail.tests.common import MailCase

from .common import MeteringCase

MONTH = date(2026, 2, 1)
BATCH = "odoo.addons.onergy_metering.models.onergy_month_overview.BATCH"


@tagged("post_install", "-at_install")
@freeze_time("2026-03-06 12:00:00")
class TestMonthOverview(MeteringCase, MailCase, HttpCase):
    """February 2026 used 0.3 GJ a day and was twice as cold as February 2025, 0.1 GJ a
    day; summers used 0.02."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["res.lang"]._activate_lang("nl_NL")
        cls.Overview = cls.env["onergy.month.overview"]
        cls.Builder = cls.env["onergy.overview.builder"]
        cls.company.onergy_overview_from = MONTH
        cls.resident = cls._create_user("month_resident", "base.group_portal")
        cls.other = cls._create_user("month_other", "base.group_portal")
        cls.past = cls._create_user("month_past", "base.group_portal")
        for user in (cls.resident, cls.other, cls.past):
            user.partner_id.write(
                {"email": f"{user.login}@example.com", "lang": "nl_NL"}
            )
        cls.past_contract, cls.contract = cls.env["onergy.contract"].create(
            [
                {
                    "connection_id": cls.home.id,
                    "partner_id": user.partner_id.id,
                    "date_start": start,
                    "date_end": end,
                }
                for user, start, end in (
                    (cls.past, "2024-01-01", "2025-01-31"),
                    (cls.resident, "2025-02-01", False),
                )
            ]
        )
        cls.other_contract = cls.env["onergy.contract"].create(
            {
                "connection_id": cls.other_home.id,
                "partner_id": cls.other.partner_id.id,
                "date_start": "2026-01-01",
            }
        )
        cls._load_use("71000001", date(2025, 2, 1))
        cls.env["onergy.degree.day"]._load_temperatures(
            ("999", date(2025, 1, 1) + timedelta(days=n), 8 if n < 200 else -2, False)
            for n in range(424)
        )
        cls.env["onergy.energy.mix"].create(
            {
                "complex_id": cls.complex.id,
                "date_from": "2026-01-01",
                "emission": 20,
                "line_ids": [
                    (0, 0, {"source": "geothermal", "share": 80}),
                    (0, 0, {"source": "gas", "share": 20}),
                ],
            }
        )

    @classmethod
    def _load_use(cls, serial, first, until=date(2026, 3, 1)):
        values = [Decimal(0)]
        for number in range((until - first).days):
            day = first + timedelta(days=number)
            use = "0.02" if day.month in (6, 7, 8) else "0.1"
            if day >= MONTH:
                use = "0.3"
            values.append(values[-1] + Decimal(use))
        cls._load_daily(serial, first, values)

    def _make(self):
        self.Builder.env["onergy.peer.use"]._compute_month(self.company, MONTH)
        while self.Overview._make_batch(self.company, MONTH):
            pass
        return self.Overview.search([("month", "=", MONTH)])

    def _run_cron(self):
        with self.enter_registry_test_mode(), self.mock_mail_gateway():
            self.env.ref(
                "onergy_metering.ir_cron_month_overview"
            ).method_direct_trigger()
        return self._new_mails

    def _get_text(self, overview):
        content = html.fromstring(
            str(overview.with_context(lang="nl_NL")._render_mail_body())
        )
        return " ".join(content.text_content().split())

    # -- figures -------------------------------------------------------------------

    def test_figures(self):
        overview = self._make()
        self.assertEqual(overview.contract_id, self.contract)
        figures = overview.figures
        self.assertEqual(Decimal(figures["use"]), Decimal("8.4"))
        self.assertEqual(Decimal(figures["before"]), Decimal("2.8"))
        # 28 x 0.02 hot water; the rest in twice the degree days.
        self.assertEqual(Decimal(figures["corrected"]), Decimal("5.04"))
        self.assertEqual(Decimal(figures["co2"]), 168)
        self.assertIsNone(figures["heat_cost"])
        self.assertIsNone(figures["peers"])
        text = self._get_text(overview)
        self.assertIn("67% meer", text)
        self.assertIn("168 kg CO₂", text)
        self.assertIn("Aardwarmte", text)
        self.assertIn("Geschillencommissie", text)
        self.assertIn("Milieu Centraal", text)

    def test_cost_with_tiers_and_fixed_costs(self):
        """8.4 GJ after 3.1 in January: 4 at the second price, the rest at the third."""
        Contract = type(self.contract)
        tiers = ((Decimal(0), Decimal(50)), (Decimal(3), Decimal(40)))
        tiers += ((Decimal("7.1"), Decimal(30)),)
        period = (date(2026, 1, 1), date(2026, 12, 31), tiers)
        with (
            patch.object(
                Contract,
                "_get_heat_prices",
                lambda contracts, *args: {c.id: [period] for c in contracts},
            ),
            patch.object(
                Contract,
                "_get_fixed_costs",
                lambda contracts, *args: {c.id: Decimal("45.67") for c in contracts},
            ),
        ):
            overview = self._make()
        figures = overview.figures
        self.assertEqual(Decimal(figures["heat_cost"]), 4 * 40 + Decimal("4.4") * 30)
        self.assertEqual(overview.cost, 337.67)
        text = self._get_text(overview)
        for amount in ("292,00", "45,67", "337,67", "30,00"):
            self.assertIn(amount, text)

    def test_resident_who_came_during_the_month(self):
        self.past_contract.date_end = "2026-02-09"
        self.contract.date_start = "2026-02-10"
        overviews = self._make()
        new = overviews.filtered(lambda o: o.contract_id == self.contract)
        self.assertEqual(Decimal(new.figures["use"]), Decimal("5.7"))
        self.assertIsNone(new.figures["before"])
        self.assertIn(
            "van 10 februari tot en met 28 februari 2026", self._get_text(new)
        )
        old = overviews - new
        self.assertEqual(Decimal(old.figures["use"]), Decimal("2.7"))
        self.assertEqual(Decimal(old.figures["before"]), Decimal("0.9"))

    def test_waits_for_the_whole_month(self):
        self._load_use("71000002", date(2026, 1, 1), until=date(2026, 2, 27))
        self.assertEqual(self._make().contract_id, self.contract)
        self._load(("71000002", "2026-03-05", 30))
        overviews = self._make()
        self.assertEqual(overviews.contract_id, self.contract | self.other_contract)
        late = overviews.filtered(lambda o: o.contract_id == self.other_contract)
        self.assertEqual(late.figures["estimated"], 2)
        self.assertIn("2 dagen is geschat", self._get_text(late))

    def test_waits_for_the_temperatures_but_not_for_ever(self):
        self.env["onergy.degree.day"].search([("date", "=", "2026-02-28")]).unlink()
        self.assertFalse(self._make())
        with freeze_time("2026-03-12 12:00:00"):
            overview = self._make()
        self.assertIsNone(overview.figures["corrected"])
        self.assertIn("niet gecorrigeerd voor het weer", self._get_text(overview))

    def test_an_empty_home_gets_none(self):
        self.contract.role = "vacancy"
        self.assertFalse(self._make())

    # -- mail ----------------------------------------------------------------------

    def test_mailed_once(self):
        mail = self._run_cron()
        self.assertEqual(mail.recipient_ids, self.resident.partner_id)
        self.assertEqual(mail.subject, "Uw warmte in februari 2026")
        overview = self.Overview.search([("contract_id", "=", self.contract.id)])
        self.assertEqual((overview.state, bool(overview.date_sent)), ("sent", True))
        self.assertIn(f"/my/heating/overviews/{overview.id}", mail.body_html)
        self.assertFalse(self._run_cron())

    def test_document_attached_where_the_template_says_so(self):
        template = self.env.ref("onergy_metering.mail_template_month_overview")
        template.report_template_ids = self.env.ref(
            "onergy_metering.action_report_month_overview"
        )
        mail = self._run_cron()
        self.assertEqual(mail.recipient_ids, self.resident.partner_id)
        # In tests a document stays the HTML that it is made from.
        [document] = mail.attachment_ids
        self.assertIn("8,40 GJ", document.raw.decode())
        self.assertFalse(self._run_cron(), "once")

    @freeze_time("2026-03-03 12:00:00")
    def test_not_before_late_readings_are_in(self):
        self.assertFalse(self._run_cron())
        self.assertFalse(self.Overview.search([("month", "=", MONTH)]))

    def test_switched_off_and_older_months(self):
        self.company.onergy_overview_from = False
        self._run_cron()
        self.assertFalse(self.Overview.search([("month", "=", MONTH)]))
        self.company.onergy_overview_from = "2025-12-01"
        self._run_cron()
        months = self.Overview.search([("contract_id", "=", self.contract.id)])
        self.assertEqual(
            sorted(months.mapped("month")),
            [date(2025, 12, 1), date(2026, 1, 1), MONTH],
        )

    def _create_residents(self, count):
        """More homes whose February is complete."""
        contracts = self.env["onergy.contract"]
        for number in range(count):
            home = self.home.copy({"house_number": str(500 + number)})
            serial = f"8300{number:04d}"
            self._create_meter(serial, home)
            self._load_use(serial, date(2026, 1, 1))
            partner = self.env["res.partner"].create(
                {"name": f"R{number}", "email": f"r{number}@example.com"}
            )
            contracts |= contracts.create(
                {
                    "connection_id": home.id,
                    "partner_id": partner.id,
                    "date_start": "2026-01-01",
                }
            )
        return contracts

    def test_killed_between_batches(self):
        """Wherever it stops, every resident gets one mail in the end."""
        contracts = self.contract | self._create_residents(4)
        with patch(BATCH, 2), self.mock_mail_gateway():
            self.Overview._make_batch(self.company, MONTH)
            made = self.Overview.search([("month", "=", MONTH)])
            self.assertEqual(len(made), 2)
            made._send_ready()
            first = self._new_mails
        with patch(BATCH, 2):
            second = self._run_cron()
        self.assertEqual((len(first), len(second)), (2, 3))
        self.assertEqual(
            first.recipient_ids | second.recipient_ids, contracts.partner_id
        )
        self.assertFalse(first.recipient_ids & second.recipient_ids)

    def test_killed_within_a_batch(self):
        """What a run had done but not committed is undone: mails and states alike."""
        overview = self._make()
        with (
            self.mock_mail_gateway(),
            patch.object(
                type(overview), "write", side_effect=KeyboardInterrupt, autospec=True
            ),
            self.assertRaises(KeyboardInterrupt),
            self.env.cr.savepoint(),
        ):
            overview._send_ready()
        mails = self.env["mail.mail"].search(
            [("model", "=", overview._name), ("res_id", "=", overview.id)]
        )
        self.assertFalse(mails)
        overview.invalidate_recordset()
        self.assertEqual(overview.state, "ready")
        self.assertEqual(len(self._run_cron()), 1)

    def test_what_stays_ready_makes_no_endless_run(self):
        self._create_residents(2)
        self._make()
        tried = []
        with (
            patch(BATCH, 1),
            patch.object(
                type(self.Overview), "_send_ready", lambda lines: tried.append(lines.id)
            ),
        ):
            self._run_cron()
        self.assertEqual(len(tried), 3)
        self.assertEqual(len(set(tried)), 3)

    def test_one_that_fails_does_not_hold_up_the_others(self):
        contracts = self.contract | self._create_residents(2)
        overviews = self._make()
        broken = overviews.filtered(lambda o: o.contract_id == contracts[1])
        broken.figures = {}
        with self.mock_mail_gateway():
            overviews._send_ready()
        self.assertEqual(broken.state, "failed")
        self.assertTrue(broken.error)
        self.assertEqual(set((overviews - broken).mapped("state")), {"sent"})

    def test_queries_do_not_depend_on_residents(self):
        contracts = self.contract | self._create_residents(5)

        def count(records):
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            self.Builder._get_figures(records, MONTH)
            return self.env.cr.sql_log_count - before

        count(contracts)
        self.assertEqual(count(contracts), count(contracts[:1]))

    def test_without_address(self):
        self.resident.partner_id.email = False
        self.assertFalse(self._run_cron())
        overview = self.Overview.search([("contract_id", "=", self.contract.id)])
        self.assertEqual(overview.state, "no_email")

    # -- wanted or not -------------------------------------------------------------

    def _open(self, user, url, status=200):
        self.authenticate(user.login, f"{user.login}-secret")
        response = self.url_open(url)
        self.assertEqual(response.status_code, status, url)
        return response

    def _post(self, user, url, **values):
        self.authenticate(user.login, f"{user.login}-secret")
        return self.url_open(
            url, {"csrf_token": http.Request.csrf_token(self), **values}
        )

    def test_resident_switches_it_off(self):
        response = self._post(self.resident, "/my/heating/overviews", wanted="")
        self.assertIn("Uw keuze is opgeslagen", response.text)
        self.assertFalse(self.contract.overview_wanted)
        self.assertEqual(self.contract.overview_changed_by_id, self.resident)
        self.assertTrue(self.contract.overview_changed_on)
        self.assertFalse(self._run_cron())
        overview = self.Overview.search([("contract_id", "=", self.contract.id)])
        self.assertEqual(overview.state, "opted_out")
        # It stays on the portal.
        page = self._open(self.resident, "/my/heating/overviews").text
        self.assertIn("februari 2026", page)
        with self.assertRaises(UserError):
            overview.action_resend()
        self._post(self.resident, "/my/heating/overviews", wanted="1")
        self.assertTrue(self.contract.overview_wanted)

    def test_switched_off_after_it_was_made(self):
        overview = self._make()
        self.contract._set_overview_wanted(False)
        with self.mock_mail_gateway():
            overview._send_ready()
        self.assertFalse(self._new_mails)
        self.assertEqual(overview.state, "opted_out")

    def test_only_the_own_choice(self):
        url = f"/my/heating/overviews?contract_id={self.contract.id}"
        self.assertEqual(self._post(self.other, url).status_code, 404)
        # The contract of the past resident has ended: there is nothing to choose.
        self.assertEqual(
            self._post(self.past, "/my/heating/overviews").status_code, 404
        )
        self.assertTrue(self.contract.overview_wanted)
        self.authenticate(self.resident.login, f"{self.resident.login}-secret")
        self.assertEqual(
            self.url_open("/my/heating/overviews", {"wanted": ""}).status_code, 400
        )

    def test_sent_again_by_staff(self):
        self._run_cron()
        overview = self.Overview.search([("contract_id", "=", self.contract.id)])
        user = self._create_user("month_clerk", "onergy_residents.group_metering")
        overview.with_user(user).action_resend()
        self.assertEqual(overview.state, "ready")
        self.assertEqual(overview.message_ids[0].author_id, user.partner_id)
        self.assertEqual(self._run_cron().recipient_ids, self.resident.partner_id)
        accountant = self._create_user("month_acc", "onergy_residents.group_accountant")
        with self.assertRaises(AccessError):
            overview.with_user(accountant).action_resend()

    # -- portal and document -------------------------------------------------------

    def test_page_and_document(self):
        overview = self._make()
        url = f"/my/heating/overviews/{overview.id}"
        page = html.fromstring(self._open(self.resident, url).text)
        self.assertEqual(len(page.xpath("//svg//rect")), 3)
        self.assertIn("8,40 GJ", page.xpath("//svg/title")[0].text_content())
        self.assertIn("168 kg", page.text_content())
        response = self._open(self.resident, f"{url}/pdf")
        self.assertEqual(response.headers["Content-Type"], "application/pdf")
        # Tests without a PDF engine get the document as it goes into one.
        document = html.fromstring(response.content)
        self.assertEqual(len(document.xpath("//svg//rect")), 3)
        self.assertIn("Uw warmte in februari 2026", document.text_content())

    def test_nobody_elses(self):
        overview = self._make()
        url = f"/my/heating/overviews/{overview.id}"
        for user in (self.other, self.past):
            for path in (url, f"{url}/pdf"):
                self._open(user, path, status=404)
            self.assertNotIn(
                "februari 2026", self._open(user, "/my/heating/overviews").text
            )
            self.assertFalse(self.Overview.with_user(user).search([]))
        self.authenticate(None, None)
        for path in (url, f"{url}/pdf", "/my/heating/overviews"):
            response = self.url_open(path, allow_redirects=False)
            self.assertIn("/web/login", response.headers["Location"])
        with self.assertRaises(AccessError):
            overview.with_user(self.resident).state = "ready"
        for group in ("customer_service", "metering", "accountant"):
            user = self._create_user(
                f"month_{group}", f"onergy_residents.group_{group}"
            )
            self.assertEqual(overview.with_user(user).use, 8.4)

    # -- energy mix ----------------------------------------------------------------

    def test_shares_are_a_hundred(self):
        Mix = self.env["onergy.energy.mix"]
        values = {"complex_id": self.complex.id, "date_from": "2027-01-01"}
        line = (0, 0, {"source": "gas", "share": 99})
        with self.assertRaises(ValidationError):
            Mix.create({**values, "line_ids": [line]})

    def test_the_mix_of_the_month_counts(self):
        self.env["onergy.energy.mix"].create(
            {
                "complex_id": self.complex.id,
                "date_from": "2026-03-01",
                "emission": 1,
                "line_ids": [(0, 0, {"source": "solar", "share": 100})],
            }
        )
        self.assertEqual(Decimal(self._make().figures["co2"]), 168)
