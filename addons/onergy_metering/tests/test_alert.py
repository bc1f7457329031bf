from datetime import date, timedelta
from unittest.mock import patch

from lxml import html

from odoo import http
from odoo.exceptions import AccessError, ValidationError
from odoo.tests import HttpCase, freeze_time, tagged

from odoo.addons.mail.tests.common import MailCase

from .common import MeteringCase

TODAY = date(2026, 3, 10)


@tagged("post_install", "-at_install")
@freeze_time("2026-03-10 12:00:00")
class TestAlert(MeteringCase, MailCase, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["res.lang"]._activate_lang("nl_NL")
        cls.Alert = cls.env["onergy.alert"]
        cls.Setting = cls.env["onergy.alert.setting"]
        cls.resident = cls._create_user("alert_resident", "base.group_portal")
        cls.other = cls._create_user("alert_other", "base.group_portal")
        cls.past = cls._create_user("alert_past", "base.group_portal")
        for user in (cls.resident, cls.other, cls.past):
            user.partner_id.write(
                {"email": f"{user.login}@example.com", "lang": "nl_NL"}
            )
        cls.past_contract, cls.contract, cls.other_contract = cls.env[
            "onergy.contract"
        ].create(
            [
                {
                    "connection_id": home.id,
                    "partner_id": user.partner_id.id,
                    "date_start": start,
                    "date_end": end,
                }
                for home, user, start, end in (
                    (cls.home, cls.past, "2024-01-01", "2025-06-30"),
                    (cls.home, cls.resident, "2025-07-01", False),
                    (cls.other_home, cls.other, "2024-01-01", False),
                )
            ]
        )

    def _want(self, kind, threshold=0.0, contract=None):
        self.Setting._set_for(contract or self.contract, {kind: (True, threshold)})

    def _use(self, first, uses, serial="71000001", start=0):
        """Readings that make these uses, a day each."""
        values = [start]
        for use in uses:
            values.append(round(values[-1] + use, 3))
        self._load_daily(serial, first, values)
        return values[-1]

    def _check(self):
        self.Alert._open_and_close()
        return self.Alert.search([("contract_id", "=", self.contract.id)])

    # -- conditions ----------------------------------------------------------------

    def test_own_limit(self):
        self._want("limit", 1)
        self._use("2026-03-01", [0.3] * 3)
        self.assertFalse(self._check())
        self._use("2026-03-04", [0.3] * 2, start=0.9)
        alert = self._check()
        self.assertEqual((alert.kind, alert.value, alert.threshold), ("limit", 1.5, 1))
        self.assertIn("1,50 GJ", alert.with_context(lang="nl_NL")._get_text())
        # The same episode is not opened again.
        self.assertEqual(self._check(), alert)
        self.assertFalse(alert.date_close)
        with freeze_time("2026-04-01 12:00:00"):
            self._check()
            self.assertEqual(alert.date_close, date(2026, 4, 1))

    def test_limit_does_not_count_the_resident_before(self):
        self.contract.date_start = "2026-03-05"
        self._want("limit", 1)
        self._use("2026-03-01", [0.5] * 5)
        self.assertFalse(self._check())

    def test_more_than_expected(self):
        self.env["onergy.degree.day"]._load_temperatures(
            ("999", date(2026, 1, 1) + timedelta(days=n), 8, False) for n in range(80)
        )
        self._want("expected", 30)
        total = self._use("2026-01-20", [0.2] * 40)
        self.assertFalse(self._check())
        self._use("2026-03-01", [0.4] * 9, start=total)
        alert = self._check()
        self.assertEqual(alert.kind, "expected")
        self.assertGreater(alert.value, 30)

    def test_cold_is_expected(self):
        """Twice the use in twice the cold is nothing to warn of."""
        self.env["onergy.degree.day"]._load_temperatures(
            (
                "999",
                date(2026, 1, 1) + timedelta(days=n),
                8 if n < 59 else -3,
                False,
            )
            for n in range(80)
        )
        self._want("expected", 30)
        total = self._use("2026-01-20", [0.2] * 40)
        self._use("2026-03-01", [0.4] * 9, start=total)
        self.assertFalse(self._check())

    def test_without_weather_nothing_is_expected(self):
        self._want("expected", 30)
        total = self._use("2026-01-20", [0.2] * 40)
        self._use("2026-03-01", [0.9] * 9, start=total)
        self.assertFalse(self._check())

    def test_no_reading(self):
        self._want("silent", 3)
        self._use("2026-03-01", [0.2] * 6)
        self.assertFalse(self._check())
        with freeze_time("2026-03-11 12:00:00"):
            alert = self._check()
            self.assertEqual((alert.kind, alert.value), ("silent", 4))
            self._load(("71000001", "2026-03-11", 9))
            self._check()
            self.assertEqual(alert.date_close, date(2026, 3, 11))

    def test_meter_that_is_read_by_hand_is_not_silent(self):
        self._want("silent", 3)
        self._use("2026-02-01", [0.2])
        self.meter.read_mode = "refused"
        self.assertFalse(self._check())

    def test_constant_use(self):
        self._want("constant")
        uses = [0.1, 0.3, 0.2, 0.2, 0.201, 0.2, 0.202, 0.2, 0.2]
        self._use("2026-03-01", uses[:-1])
        self.assertFalse(self._check())
        self._load(("71000001", "2026-03-10", round(sum(uses), 3)))
        self.assertEqual(self._check().kind, "constant")

    def test_use_that_goes_up_and_down_is_not_constant(self):
        self._want("constant")
        self._use("2026-02-25", [0.15, 0.25, 0.2] * 4 + [0.2])
        self.assertFalse(self._check())

    def test_estimated_days_are_not_constant(self):
        self._want("constant")
        self._load(("71000001", "2026-03-01", 0), ("71000001", "2026-03-10", 3))
        self.assertFalse(self._check())

    def test_counter_with_large_steps_is_not_constant(self):
        self._want("constant")
        self.meter.step = 0.1
        self._use("2026-03-01", [0.1] * 9)
        self.assertFalse(self._check())

    def test_only_what_was_asked_for(self):
        self._use("2026-02-01", [5.0] * 5)
        self.assertFalse(self._check())
        self._want("silent", 3)
        alert = self._check()
        self.Setting._set_for(self.contract, {"silent": (False, 3)})
        self._check()
        self.assertTrue(alert.date_close)

    def test_days_need_a_legal_basis(self):
        """What tells of days within a month is not worked out without it."""
        self._use("2026-03-01", [0.2] * 3)
        self._want("limit", 0.3)
        self._want("silent", 3)
        self.complex.daily_basis = "none"
        self.assertEqual(self._check().kind, "silent")

    def test_own_limit_without_days(self):
        """Where days may not be looked at a month is judged once it is over."""
        self.complex.daily_basis = "none"
        self._want("limit", 5)
        total = self._use("2026-01-01", [0.1] * 31)
        total = self._use("2026-02-01", [0.2] * 28, start=total)
        with freeze_time("2026-03-03 12:00:00"):
            self.assertFalse(self._check(), "the last readings may still come in")
        alert = self._check()
        self.assertEqual((alert.month, alert.value), (date(2026, 2, 1), 5.6))
        self.assertEqual(
            alert.with_context(lang="nl_NL")._get_text(),
            "U hebt in februari 5,60 GJ gebruikt. Uw eigen grens is 5,00 GJ.",
        )
        with freeze_time("2026-03-31 12:00:00"):
            self._use("2026-03-01", [0.3] * 30, start=total)
            self.assertEqual(self._check(), alert, "nothing is told of March yet")
        with freeze_time("2026-04-05 12:00:00"):
            self._check()
            self.assertTrue(alert.date_close)
            march = self._check() - alert
            self.assertEqual((march.month, march.value), (date(2026, 3, 1), 9))

    def test_own_limit_with_consent(self):
        self.complex.daily_basis = "consent"
        self._want("limit", 0.3)
        self._use("2026-03-01", [0.2] * 3)
        self.assertFalse(self._check())
        self.env["onergy.consent"]._give(
            self.resident.partner_id,
            self.env.ref("onergy_residents.consent_purpose_daily"),
            "phone",
            self.contract,
        )
        self.assertEqual(self._check().kind, "limit")
        self.assertFalse(self._check().month)

    def test_contract_that_ended_or_is_to_come(self):
        for contract in (self.past_contract, self.contract):
            self._want("silent", 3, contract)
        self.contract.date_start = "2026-04-01"
        self.Alert._open_and_close()
        self.assertFalse(self.Alert.search([("kind", "=", "silent")]))

    # -- mail ----------------------------------------------------------------------

    def _make_alerts(self):
        for contract in (self.contract, self.other_contract):
            self._want("silent", 3, contract)

    def _run_cron(self):
        with self.enter_registry_test_mode(), self.mock_mail_gateway():
            self.env.ref("onergy_metering.ir_cron_alert").method_direct_trigger()
        return self._new_mails

    def test_mailed_once_in_the_residents_language(self):
        self._make_alerts()
        mails = self._run_cron()
        self.assertEqual(
            mails.recipient_ids, self.resident.partner_id | self.other.partner_id
        )
        self.assertEqual(set(mails.mapped("subject")), {"Wij krijgen geen meterstand"})
        alerts = self.Alert.search([("kind", "=", "silent")])
        self.assertEqual(set(alerts.mapped("mail_state")), {"sent"})
        self.assertFalse(self._run_cron())

    def test_without_address(self):
        self._make_alerts()
        self.resident.partner_id.email = False
        mails = self._run_cron()
        self.assertEqual(mails.recipient_ids, self.other.partner_id)
        alert = self.Alert.search([("contract_id", "=", self.contract.id)])
        self.assertEqual(alert.mail_state, "none")

    def test_killed_between_two_batches(self):
        self._make_alerts()
        self.Alert._open_and_close()
        with self.mock_mail_gateway():
            self.Alert.search([("mail_state", "=", "pending")], limit=1)._send()
            first = self._new_mails
        second = self._run_cron()
        self.assertEqual((len(first), len(second)), (1, 1))
        self.assertFalse(first.recipient_ids & second.recipient_ids)

    def test_what_stays_pending_makes_no_endless_run(self):
        """Another run holds the rows, or nothing could be mailed: later again."""
        self._make_alerts()
        tried = []
        with (
            patch("odoo.addons.onergy_metering.models.onergy_alert.BATCH", 1),
            patch.object(
                type(self.Alert), "_send", lambda alerts: tried.append(alerts.id)
            ),
        ):
            self._run_cron()
        self.assertEqual(len(tried), 2)
        self.assertEqual(len(set(tried)), 2)

    def test_one_that_was_mailed_is_not_mailed_again(self):
        self._make_alerts()
        self.assertEqual(len(self._run_cron()), 2)
        with self.mock_mail_gateway():
            self.Alert.search([])._send()
        self.assertFalse(self._new_mails)

    def test_queries_do_not_depend_on_residents(self):
        self._want("silent", 3)

        def count():
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            self.Alert._open_and_close()
            return self.env.cr.sql_log_count - before

        count()
        few = count()
        for kind, threshold in (("limit", 1), ("silent", 3), ("constant", 0)):
            self._want(kind, threshold)
            self._want(kind, threshold, self.other_contract)
        self.env.flush_all()
        self.assertEqual(count(), few)

    # -- settings on the portal ----------------------------------------------------

    def _open(self, user, url="/my/heating/alerts", status=200):
        self.authenticate(user.login, f"{user.login}-secret")
        response = self.url_open(url)
        self.assertEqual(response.status_code, status)
        return response.text

    def _save(self, user, url="/my/heating/alerts", **values):
        self.authenticate(user.login, f"{user.login}-secret")
        return self.url_open(
            url, {"csrf_token": http.Request.csrf_token(self), **values}
        )

    def test_resident_sets_alerts(self):
        page = html.fromstring(self._open(self.resident))
        self.assertEqual(len(page.xpath("//input[@type='checkbox']")), 4)
        self.assertFalse(page.xpath("//input[@type='checkbox'][@checked]"))
        response = self._save(
            self.resident, limit_on="1", limit="4,5", silent="3", expected="30"
        )
        self.assertIn("Uw keuze is opgeslagen", response.text)
        settings = self.Setting._get_for(self.contract)
        self.assertEqual(settings["limit"], (True, 4.5))
        self.assertEqual(settings["silent"], (False, 3.0))
        page = html.fromstring(response.text)
        self.assertEqual(
            page.xpath("//input[@type='checkbox'][@checked]/@name"), ["limit_on"]
        )
        self.assertEqual(page.xpath("//input[@name='limit']/@value"), ["4,5"])
        self._save(self.resident, limit="4,5")
        self.assertFalse(self.Setting._get_for(self.contract)["limit"][0])

    def test_number_that_is_none(self):
        for typed in ("veel", "0", "-3", "nan", "inf", "99999"):
            response = self._save(self.resident, limit_on="1", limit=typed)
            self.assertIn("Vul een getal in van 0,1 tot 1000", response.text)
        self.assertFalse(self.Setting.search([("contract_id", "=", self.contract.id)]))
        with self.assertRaises(ValidationError):
            self._want("silent", 0)

    def test_only_the_own_contract(self):
        url = f"/my/heating/alerts?contract_id={self.contract.id}"
        self._open(self.other, url, status=404)
        response = self._save(self.other, url, silent_on="1", silent="3")
        self.assertEqual(response.status_code, 404)
        # The past resident of the same home sees his own contract, and sets nothing.
        page = html.fromstring(self._open(self.past))
        self.assertFalse(page.xpath("//form[contains(@action, 'alerts')]"))
        self.assertEqual(self._save(self.past, silent_on="1").status_code, 404)
        contracts = self.contract | self.past_contract
        self.assertFalse(self.Setting.search([("contract_id", "in", contracts.ids)]))
        self.authenticate(None, None)
        response = self.url_open("/my/heating/alerts", allow_redirects=False)
        self.assertIn("/web/login", response.headers["Location"])

    def test_without_csrf_token(self):
        self.authenticate(self.resident.login, f"{self.resident.login}-secret")
        response = self.url_open("/my/heating/alerts", {"silent_on": "1"})
        self.assertEqual(response.status_code, 400)

    def test_shown_while_it_goes_on(self):
        self._want("silent", 3)
        alert = self._check()
        self.assertIn("dagen geen stand van uw meter", self._open(self.resident, "/my"))
        self.assertIn(
            "Wij krijgen geen meterstand", self._open(self.resident, "/my/heating")
        )
        self.assertNotIn(
            "Wij krijgen geen meterstand", self._open(self.past, "/my/heating")
        )
        alert.date_close = TODAY
        self.assertNotIn(
            "Wij krijgen geen meterstand", self._open(self.resident, "/my/heating")
        )
        self.assertIn("Wij krijgen geen meterstand", self._open(self.resident))

    # -- access --------------------------------------------------------------------

    def test_access(self):
        self._make_alerts()
        self._want("silent", 3, self.past_contract)
        self.Alert._open_and_close()
        mine = self.Alert.with_user(self.resident).search([])
        self.assertEqual(mine.contract_id, self.contract)
        for user in (self.other, self.past):
            with self.assertRaises(AccessError):
                mine.with_user(user).read(["kind"])
        settings = self.Setting.with_user(self.resident).search([])
        self.assertEqual(settings.contract_id, self.contract)
        with self.assertRaises(AccessError):
            settings.threshold = 9
        with self.assertRaises(AccessError):
            mine.date_close = TODAY
        expected = {
            "customer_service": (True, True),
            "metering": (True, False),
            "accountant": (True, False),
        }
        for group, (alert_read, setting_write) in expected.items():
            user = self._create_user(
                f"alert_{group}", f"onergy_residents.group_{group}"
            )
            self.assertEqual(self.Alert.with_user(user).has_access("read"), alert_read)
            self.assertFalse(self.Alert.with_user(user).has_access("write"))
            self.assertEqual(
                self.Setting.with_user(user).has_access("write"), setting_write
            )
        public = self.env.ref("base.public_user")
        self.assertFalse(self.Alert.with_user(public).has_access("read"))
