from datetime import date
from decimal import Decimal

from dateutil.relativedelta import relativedelta

from odoo import fields
from odoo.http import Request
from odoo.tests import BaseCase, HttpCase, new_test_user, tagged

from ..controllers.portal import OnergyBillingPortal
from .test_settlement import SettlementCommon


@tagged("post_install", "-at_install")
class TestAmount(BaseCase):
    def test_what_somebody_types(self):
        parse = OnergyBillingPortal()._parse_amount
        for text, amount in (
            ("150", "150"),
            ("150,5", "150.5"),
            ("€ 150,50", "150.50"),
            ("150.50", "150.50"),
            ("0", "0"),
            # Nobody pays 1 euro and 15 cents with three digits.
            ("1.150", "1150"),
            ("€ 1.150,50", "1150.50"),
        ):
            self.assertEqual(parse(text), Decimal(amount), text)
        for text in ("1,150", "150,505", "1.15.0", "-5", "nan", "1e3", "", "10001"):
            self.assertIsNone(parse(text), text)


@tagged("post_install", "-at_install")
class TestPortal(SettlementCommon, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._correct_2024()
        cls._load_case_a()
        # A year of use up to now, so that there is an advice.
        cls.today = fields.Date.context_today(cls.env.user)
        cls._create_tariff(
            2026, "2025-12-20", heat=40.0, standing=577.48, metering=32.80, set=150.49
        )
        cls._load_readings(
            ("NEW", cls.today - relativedelta(years=1), "40.000"),
            ("NEW", cls.today, "64.000"),
        )
        cls.contract._set_advance(150.0, "2024-07-01", "staff")
        cls.users = {}
        for login in ("resident", "other"):
            cls.users[login] = new_test_user(
                cls.env,
                login,
                "base.group_portal",
                company_id=cls.company.id,
                company_ids=[(6, 0, cls.company.ids)],
                email=f"{login}@example.com",
                tz=cls.env.user.tz,
            )
        cls.contract.partner_id = cls.users["resident"].partner_id
        cls.payer = cls.contract.partner_id
        home = cls._create_home("2")
        cls.other_contract = cls._create_contract(
            home, cls.users["other"].partner_id, "2024-07-01"
        )

    def open_as(self, login, url, status=200):
        self.authenticate(login, login)
        response = self.url_open(url)
        self.assertEqual(response.status_code, status, url)
        return response.text

    def post_as(self, login, values, status=200):
        self.authenticate(login, login)
        response = self.url_open(
            "/my/advance", {"csrf_token": Request.csrf_token(self), **values}
        )
        self.assertEqual(response.status_code, status)
        return response

    def get_advice(self):
        return self.contract._get_advance_advice(self.today)

    def test_advice_and_effect_change_nothing(self):
        # 24 GJ of 40 euro and the fixed charges.
        self.assertEqual(str(self.get_advice()["cost"]), "1720.77")
        page = self.open_as("resident", "/my/advance?amount=200")
        self.assertIn("onergy_amount", page)
        # 12 times 200 less 1720.77, and 1720.77 less 12 times 142.
        self.assertRegex(page, "679[.,]23")
        page = self.open_as("resident", "/my/advance?amount=142,00")
        self.assertRegex(page, "16[.,]77")
        self.assertEqual(self.contract.advance_ids.mapped("amount"), [150.0])

    def test_change_within_the_band(self):
        response = self.post_as("resident", {"amount": "160,50"})
        self.assertIn("done=changed", response.url)
        advance = self.contract.advance_ids.sorted("date_from")[-1]
        self.assertEqual((advance.amount, advance.origin), (160.50, "resident"))
        self.assertEqual(advance.date_from, self.today + relativedelta(months=1, day=1))
        mail = self.env["mail.mail"].search(
            [("model", "=", "onergy.advance"), ("res_id", "=", advance.id)]
        )
        self.assertRegex(mail.body_html, "160[.,]50")
        self.assertEqual(mail.recipient_ids, self.payer)
        # Once more on the same day replaces it.
        self.post_as("resident", {"amount": "170"})
        self.assertEqual(len(self.contract.advance_ids), 2)

    def test_not_again_within_a_month(self):
        advance = self.contract._change_advance_by_resident(160.0, self.today)
        self.assertNotIn(
            "onergy_change_date", self.open_as("resident", "/my/advance"), "same day"
        )
        past = fields.Datetime.now() - relativedelta(days=10)
        self.env.cr.execute(
            "UPDATE onergy_advance SET write_date = %s WHERE id = %s",
            (past, advance.id),
        )
        advance.invalidate_recordset()
        self.assertIn("onergy_change_date", self.open_as("resident", "/my/advance"))
        response = self.post_as("resident", {"amount": "170"})
        self.assertIn("done=requested", response.url)
        self.assertEqual(advance.amount, 160.0)
        self.company.onergy_advance_change_days = 5
        response = self.post_as("resident", {"amount": "170"})
        self.assertIn("done=changed", response.url)

    def test_outside_the_band_it_becomes_a_request(self):
        response = self.post_as("resident", {"amount": "20"})
        self.assertIn("done=requested", response.url)
        self.assertEqual(self.contract.advance_ids.mapped("amount"), [150.0])
        record = self.env["onergy.request"].search(
            [("contract_id", "=", self.contract.id)]
        )
        self.assertEqual(
            (record.category, record.partner_id, record.channel),
            ("advance", self.payer, "portal"),
        )
        self.assertRegex(record.description, "20[.,]00")

    def test_bounds_themselves_are_allowed(self):
        advice = self.get_advice()
        for amount in (advice["low"], advice["high"]):
            response = self.post_as("resident", {"amount": str(amount)})
            self.assertIn("done=changed", response.url)
        cent = Decimal("0.01")
        for amount in (advice["low"] - cent, advice["high"] + cent):
            response = self.post_as("resident", {"amount": str(amount)})
            self.assertIn("done=requested", response.url)

    def test_nonsense_is_explained(self):
        for amount in ("", "abc", "-1", "1e9", "NaN"):
            page = self.post_as("resident", {"amount": amount}).text
            self.assertIn("o_onergy_error", page, amount)
            self.assertNotIn("onergy_effect", page, amount)
        self.assertEqual(len(self.contract.advance_ids), 1)

    def test_without_a_forecast_it_is_a_request(self):
        page = self.open_as("other", "/my/advance?amount=100")
        self.assertIn("onergy_effect", page)
        response = self.post_as("other", {"amount": "100"})
        self.assertIn("done=requested", response.url)

    def test_not_the_advance_of_somebody_else(self):
        url = f"/my/advance?contract_id={self.contract.id}"
        self.open_as("other", url, 404)
        self.post_as("other", {"amount": "160", "contract_id": self.contract.id}, 404)
        self.assertEqual(self.contract.advance_ids.mapped("amount"), [150.0])

    def test_not_after_the_contract(self):
        self.contract.date_end = date(2025, 12, 31)
        self.assertNotIn("onergy_amount", self.open_as("resident", "/my/advance"))
        self.post_as("resident", {"amount": "160"}, 404)

    def test_visitor_has_to_log_in(self):
        self.authenticate(None, None)
        self.assertIn("/web/login", self.url_open("/my/advance").url)

    def test_bill_page(self):
        self.invoice_advances(150.0)
        settlement = self.settle().settlement_ids.filtered("move_id")
        move = settlement.move_id
        page = self.open_as("resident", f"/my/bill/{move.id}")
        for text in ("42.80", "1.842.80", "OLD", "NEW", "422.970", "319.82|7.46"):
            self.assertRegex(page, text.replace(".", "[.,]"))
        self.assertIn(f"/my/bill/{move.id}", self.open_as("resident", "/my/finance"))
        self.open_as("other", f"/my/bill/{move.id}", 404)
        # Another bill has no such page.
        self.open_as(
            "resident", f"/my/bill/{settlement.advance_ids[0].move_id.id}", 404
        )
