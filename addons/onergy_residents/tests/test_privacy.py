import csv
import io
import json
import zipfile
from datetime import timedelta

from dateutil.relativedelta import relativedelta

from odoo import Command, fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, TransactionCase, new_test_user, tagged

from odoo.addons.mail.tests.common import MockEmail

from .common import OnergyCommon

DAILY = "onergy_residents.consent_purpose_daily"
TIPS = "onergy_residents.consent_purpose_tips"


@tagged("post_install", "-at_install")
class TestConsent(OnergyCommon, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.consents = cls.env["onergy.consent"]
        cls.daily, cls.tips = cls.env.ref(DAILY), cls.env.ref(TIPS)

    def _give(self, contract=None):
        contract = contract or self.contract
        return self.consents._give(contract.partner_id, self.daily, "phone", contract)

    def test_days_are_shown_on_a_recorded_basis_only(self):
        self.assertEqual(self.complex.daily_basis, "consent")
        self.assertFalse(self.contract.daily_readings_allowed)
        consent = self._give()
        self.assertTrue(self.contract.daily_readings_allowed)
        self.assertFalse(self.contract_2.daily_readings_allowed)
        consent._withdraw("phone")
        self.assertFalse(self.contract.daily_readings_allowed)
        self.complex.write(
            {"daily_basis": "contract", "daily_basis_note": "Terms of supply"}
        )
        self.assertTrue(self.contract_2.daily_readings_allowed)
        self._give()
        self.complex.daily_basis = "none"
        self.assertFalse(self.contract.daily_readings_allowed)

    def test_allowed_contracts_can_be_searched_and_cost_no_query_each(self):
        self._give()
        contracts = self.contract | self.contract_2
        found = self.env["onergy.contract"].search(
            [("daily_readings_allowed", "=", True), ("id", "in", contracts.ids)]
        )
        self.assertEqual(found, self.contract)
        found = self.env["onergy.contract"].search(
            [("daily_readings_allowed", "=", False), ("id", "in", contracts.ids)]
        )
        self.assertEqual(found, self.contract_2)
        self.env.flush_all()
        self.env.invalidate_all()
        self.contract.mapped("daily_readings_allowed")
        self.env.invalidate_all()
        # Contracts, complexes, consents, purposes.
        with self.assertQueryCount(5):
            contracts.mapped("daily_readings_allowed")

    def test_basis_of_the_contract_needs_grounds_and_a_date(self):
        with self.assertRaises(ValidationError):
            self.complex.write({"daily_basis": "contract"})
        self.complex.write({"daily_basis_date": "2020-01-01"})
        self.complex.write({"daily_basis": "contract", "daily_basis_note": "Article 7"})
        self.assertEqual(self.complex.daily_basis_date, fields.Date.today())

    def test_consent_keeps_the_text_it_was_given_to(self):
        consent = self._give()
        read_by = self.daily.with_context(lang=self.resident.lang)
        text, version = read_by.text, self.daily.version
        self.assertEqual((consent.text, consent.text_version), (text, version))
        self.daily.text = "Something else"
        self.assertEqual(self.daily.version, version + 1)
        self.assertEqual((consent.text, consent.text_version), (text, version))
        self.daily.sequence = 5
        self.assertEqual(self.daily.version, version + 1)

    def test_consent_is_given_once_and_may_be_given_again(self):
        first = self._give()
        self.assertEqual(self._give(), first)
        first._withdraw("paper")
        self.assertEqual(first.withdrawn_channel, "paper")
        self.assertEqual(first.withdrawn_by_id, self.env.user)
        self.assertNotEqual(self._give(), first)

    def test_consent_is_for_the_home_of_the_resident(self):
        with self.assertRefused(ValidationError, "not a contract of"):
            self.consents.create(
                {
                    "partner_id": self.resident_2.id,
                    "purpose_id": self.daily.id,
                    "contract_id": self.contract.id,
                }
            )
        with self.assertRefused(ValidationError, "Choose the home"):
            self.consents.create(
                {"partner_id": self.resident.id, "purpose_id": self.daily.id}
            )

    def test_clerk_records_and_withdraws_and_changes_nothing(self):
        clerk = self.staff["customer_service"]
        form = Form(self.consents.with_user(clerk))
        form.partner_id = self.resident
        form.purpose_id = self.tips
        consent = form.save()
        self.assertEqual(consent.given_by_id, clerk)
        with self.assertRaises(AccessError):
            consent.write({"date_given": "2020-01-01 00:00:00"})
        with self.assertRaises(AccessError):
            consent.unlink()
        consent.action_withdraw()
        self.assertEqual(consent.state, "withdrawn")
        for role in ("metering", "accountant"):
            user = self.staff[role]
            with self.subTest(role=role), self.assertRaises(UserError):
                consent.with_user(user).action_withdraw()

    def test_a_purpose_of_the_supplier_himself(self):
        purpose = self.env["onergy.consent.purpose"].create(
            {"name": "Open day", "text": "We may invite you."}
        )
        self.assertTrue(purpose.code)


@tagged("post_install", "-at_install")
class TestAccessLog(OnergyCommon, TransactionCase):
    """What is noted when staff open a resident's data."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.clerk = cls.staff["customer_service"]
        cls.log = cls.env["onergy.access.log"]
        cls.form = {"name": {}, "email": {}, "phone": {}}

    def _lines(self):
        return self.log.search([("user_id", "=", self.clerk.id)])

    def test_opening_a_form_is_noted_once_an_hour(self):
        for _time in range(2):
            self.resident.with_user(self.clerk).web_read(self.form)
        self.contract.with_user(self.clerk).web_read({"name": {}, "partner_id": {}})
        lines = self._lines()
        self.assertEqual(
            set(lines.mapped("res_model")), {"res.partner", "onergy.contract"}
        )
        self.assertEqual(len(lines), 2)
        self.assertEqual(lines.partner_id, self.resident)
        self.assertEqual(lines.company_id, self.company)
        self.assertEqual(set(lines.mapped("how")), {"form"})

    def test_lists_choices_and_strangers_are_not_noted(self):
        clerk = self.clerk
        self.env["res.partner"].with_user(clerk).web_search_read(
            [("id", "=", self.resident.id)], self.form
        )
        (self.resident | self.resident_2).with_user(clerk).web_read(self.form)
        self.resident.with_user(clerk).web_read({"display_name": {}})
        stranger = self.env["res.partner"].create({"name": "No resident"})
        stranger.with_user(clerk).web_read(self.form)
        self.resident.with_user(clerk).read(["email"])
        self.assertFalse(self._lines())

    def test_export_is_noted(self):
        exporter = new_test_user(
            self.env,
            "exporter",
            "onergy_residents.group_customer_service,base.group_allow_export",
        )
        residents = self.resident | self.resident_2
        residents.with_user(exporter).export_data(["name", "email"])
        lines = self.log.search([("user_id", "=", exporter.id)])
        self.assertEqual(lines.partner_id, residents)
        self.assertEqual(set(lines.mapped("how")), {"export"})

    def test_noting_costs_one_query(self):
        record = self.contract.with_user(self.clerk)
        specification = {"name": {}, "partner_id": {}}
        record.web_read(specification)

        def count(log):
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            record.with_context(onergy_log_views=log).web_read(specification)
            return self.env.cr.sql_log_count - before

        count(True)
        self.assertLessEqual(count(True) - count(False), 1)

    def test_a_form_is_read_on_the_main_database(self):
        """Odoo's own is for a replica, which takes no line in the log."""
        for model in ("res.partner", "onergy.contract"):
            method = type(self.env[model]).web_read
            self.assertFalse(method._readonly)

    def test_nobody_edits_it_and_managers_read_it(self):
        self.resident.with_user(self.clerk).web_read(self.form)
        line = self._lines()
        for role, user in self.staff.items():
            log = line.with_user(user)
            with self.subTest(role=role):
                if role == "manager":
                    self.assertTrue(log.read(["moment", "what"]))
                else:
                    with self.assertRaises(AccessError):
                        log.read(["moment"])
                for refused in (
                    lambda log=log: log.write({"how": "export"}),
                    log.unlink,
                    lambda log=log: log.create({"how": "form"}),
                ):
                    with self.assertRaises(UserError):
                        refused()
        # Not even the administrator.
        with self.assertRaises(UserError):
            line.write({"how": "export"})
        with self.assertRaises(UserError):
            line.unlink()


@tagged("post_install", "-at_install")
class TestDataExport(OnergyCommon, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.contract.advance_ids = [
            Command.create({"date_from": "2025-01-01", "amount": 90})
        ]
        cls.contract_2.advance_ids = [
            Command.create({"date_from": "2025-01-01", "amount": 77})
        ]
        cls.contract.write(
            {
                "bank_account_id": cls.env["res.partner.bank"]
                .create(
                    {"acc_number": "NL91ABNA0417164300", "partner_id": cls.resident.id}
                )
                .id,
                "payment_method": "direct_debit",
            }
        )

    def _read(self, partner):
        archive = zipfile.ZipFile(self.env["onergy.data.export"]._write(partner))
        return {
            name: archive.read(name).decode("utf-8-sig") for name in archive.namelist()
        }

    def test_everything_of_the_resident_and_nothing_of_another(self):
        clerk = self.staff["customer_service"]
        self.resident.with_user(clerk).web_read({"email": {}})
        self.env["onergy.consent"]._give(
            self.resident, self.env.ref(TIPS), "portal", self.contract
        )
        self.env["onergy.request"].create(
            {
                "subject": "=1+1",
                "description": "<p>My radiator</p>",
                "partner_id": self.resident.id,
            }
        )
        files = self._read(self.resident)
        everything = "".join(files.values())
        for text in (
            "First resident",
            "first@example.com",
            self.contract.name,
            "NL91ABNA0417164300",
            "My radiator",
            clerk.name,
            self.resident.debtor_number,
        ):
            with self.subTest(text=text):
                self.assertIn(text, everything)
        for text in ("Second resident", "second@example.com", self.contract_2.name):
            with self.subTest(text=text):
                self.assertNotIn(text, everything)
        self.assertIn("README.txt", files)

    def test_both_forms_say_the_same(self):
        files = self._read(self.resident)
        names = {name.rsplit(".", 1)[0] for name in files} - {"README"}
        for name in names:
            with self.subTest(kind=name):
                rows = json.loads(files[f"{name}.json"])
                table = csv.DictReader(io.StringIO(files[f"{name}.csv"]), delimiter=";")
                self.assertEqual(len(rows), len(list(table)))
        self.assertEqual(json.loads(files["advances.json"])[0]["amount"], 90)

    def test_a_spreadsheet_runs_nothing(self):
        self.env["onergy.request"].create(
            {"subject": "=1+1", "partner_id": self.resident.id}
        )
        self.assertIn("'=1+1", self._read(self.resident)["requests.csv"])

    def test_it_is_noted(self):
        self._read(self.resident)
        log = "".join(self.resident.message_ids.mapped("body"))
        self.assertIn("downloaded", log)

    def test_too_much_is_refused(self):
        export = self.env["onergy.data.export"]
        target = zipfile.ZipFile(io.BytesIO(), "w")
        with self.assertRefused(UserError, "too much"):
            export._write_csv(target, "x", ("a",), lambda: ((n,) for n in range(9)), 8)


@tagged("post_install", "-at_install")
class TestErasure(MockEmail, OnergyCommon, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.user = cls.resident._onergy_get_or_create_portal_user()[cls.resident]
        cls.resident.phone = "+31 30 000 0000"
        closed = cls.env["onergy.request.stage"].search([("state", "=", "closed")])[:1]
        cls.request = cls.env["onergy.request"].create(
            {
                "subject": "Old question",
                "partner_id": cls.resident.id,
                "stage_id": closed.id,
            }
        )
        cls.consent = cls.env["onergy.consent"]._give(
            cls.resident, cls.env.ref(TIPS), "portal", cls.contract
        )

    def _ask(self):
        with self.mock_mail_gateway():
            return (
                self.env["onergy.erasure"]
                .with_user(self.user)
                ._ask(self.resident, "I have moved.")
            )

    def _leave(self, days=1):
        self.contract.date_end = fields.Date.today() - timedelta(days=days)

    def test_request_has_a_month_and_a_person(self):
        clerk = self.staff["customer_service"]
        self.company.onergy_request_user_id = clerk
        erasure = self._ask()
        here = erasure.with_context(tz="Europe/Amsterdam")
        today = fields.Date.context_today(here)
        self.assertEqual(erasure.deadline, today + relativedelta(months=1))
        self.assertEqual(erasure.activity_ids.user_id, clerk)
        told = [to for mail in self._mails for to in mail["email_to"]]
        self.assertTrue([to for to in told if "first@example.com" in to])
        # Asking twice makes no second one; he may take it back.
        self.assertEqual(self._ask(), erasure)
        erasure._cancel_by_resident()
        self.assertEqual(erasure.state, "cancelled")
        self.assertFalse(erasure.activity_ids)
        self.assertNotEqual(self._ask(), erasure)

    def test_who_has_a_contract_keeps_what_it_needs(self):
        erasure = self._ask().with_user(self.staff["customer_service"])
        with self.mock_mail_gateway():
            erasure.action_erase()
        self.assertEqual(self.resident.name, "First resident")
        self.assertEqual(self.resident.email, "first@example.com")
        self.assertFalse(self.resident.phone)
        self.assertFalse(self.request.exists())
        self.assertEqual(self.consent.state, "withdrawn")
        self.assertTrue(self.user.active)
        # In the resident's own language.
        self.assertIn("zolang uw contract loopt", erasure.result)

    def test_who_has_left_is_forgotten_as_far_as_the_books_allow(self):
        self._leave()
        erasure = self._ask().with_user(self.staff["customer_service"])
        erasure.answer = "Goodbye."
        with self.mock_mail_gateway():
            erasure.action_erase()
        [mail] = self._mails
        self.assertIn("first@example.com", mail["email_to"][0])
        self.assertIn("Goodbye.", mail["body"])
        until = self.contract.date_end.year + 7
        self.assertIn(str(until), mail["body"])
        self.assertEqual(self.resident.name, "First resident")
        self.assertFalse(self.resident.email)
        self.assertFalse(self.user.active)
        self.assertNotEqual(self.user.login, self.resident.debtor_number)
        self.assertFalse(
            self.resident.message_ids.filtered(lambda m: "30 000" in (m.body or ""))
        )
        with self.assertRefused(UserError, "decided already"):
            erasure.action_erase()

    def test_refusal_owes_a_reason(self):
        erasure = self._ask().with_user(self.staff["customer_service"])
        with self.assertRefused(UserError, "why not"):
            erasure.action_refuse()
        erasure.answer = "There is an open bill."
        with self.mock_mail_gateway():
            erasure.action_refuse()
        self.assertEqual(erasure.state, "refused")
        self.assertIn("open bill", self._mails[0]["body"])
        self.assertTrue(self.request.exists())

    def test_only_customer_service_decides(self):
        erasure = self._ask()
        for role in ("metering", "accountant"):
            with self.subTest(role=role), self.assertRaises(UserError):
                erasure.with_user(self.staff[role]).action_erase()
        with self.assertRaises(AccessError):
            erasure.with_user(self.user).read(["state"])
        self.assertEqual(erasure.state, "new")
