from datetime import timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, TransactionCase, tagged

from odoo.addons.mail.tests.common import MockEmail

from .common import OnergyCommon

OLD, NEW, THIRD = (
    "NL91ABNA0417164300",
    "NL20INGB0001234567",
    "NL44RABO0123456789",
)


@tagged("post_install", "-at_install")
class TestMandate(MockEmail, OnergyCommon, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mandates = cls.env["onergy.mandate"]
        cls.account = cls.env["res.partner.bank"].create(
            {"acc_number": OLD, "partner_id": cls.resident.id}
        )
        cls.contract.write(
            {"bank_account_id": cls.account.id, "payment_method": "direct_debit"}
        )
        cls.mandate = cls.contract.mandate_ids

    def setUp(self):
        super().setUp()
        self.changes = []

        def record(mandates):
            self.changes += [(mandate.name, mandate.state) for mandate in mandates]

        self.patch(type(self.mandates), "_mandate_changed", record)

    def _sign(self, iban=NEW, contract=None):
        with self.mock_mail_gateway():
            return self.mandates._sign_new(
                contract or self.contract, iban, "F. Resident", "portal"
            )

    def _run_cron(self):
        with self.enter_registry_test_mode():
            self.env.ref("onergy_residents.ir_cron_mandate").method_direct_trigger()

    # ------------------------------------------------------------------ by staff

    def test_a_contract_entered_by_staff_has_a_mandate(self):
        self.assertEqual(self.mandate.state, "active")
        self.assertEqual(self.mandate.signed_how, "recorded")
        self.assertEqual(self.mandate.bank_account_id, self.account)
        self.assertIn(self.company.name, self.mandate.text)

    def test_the_contract_and_its_mandate_never_disagree(self):
        other = self.env["res.partner.bank"].create(
            {"acc_number": NEW, "partner_id": self.resident.id}
        )
        self.contract.bank_account_id = other
        self.assertEqual(self.mandate.state, "replaced")
        active = self.contract._get_mandate("active")
        self.assertEqual(active.bank_account_id, other)
        self.assertNotEqual(active.name, self.mandate.name)
        self.contract.payment_method = "bank_transfer"
        self.assertEqual(active.state, "revoked")
        self.assertFalse(self.contract._get_mandate("active"))

    def test_writing_the_same_account_again_is_no_change(self):
        self.contract.write(
            {"bank_account_id": self.account.id, "payment_method": "direct_debit"}
        )
        self.assertEqual(self.contract.mandate_ids, self.mandate)
        self.assertFalse(self.changes)

    # ------------------------------------------------------------------ a new one

    def test_new_account_is_used_after_the_prenotification_period(self):
        # A Tuesday; five working days later is the next Tuesday.
        with freeze_time("2026-11-24 10:00:00"):
            mandate = self._sign()
        self.assertEqual(mandate.state, "pending")
        self.assertEqual(str(mandate.valid_from), "2026-12-01")
        self.assertEqual(self.contract.bank_account_id, self.account)
        self.assertEqual(self.mandate.state, "active")
        with freeze_time("2026-11-30 10:00:00"):
            self._run_cron()
            self.assertEqual(mandate.state, "pending")
        with freeze_time("2026-12-01 04:00:00"):
            self._run_cron()
        self.assertEqual(mandate.state, "active")
        self.assertEqual(self.mandate.state, "replaced")
        self.assertEqual(str(self.mandate.date_end), "2026-12-01")
        self.assertEqual(self.contract.bank_account_id.sanitized_acc_number, NEW)
        self.assertEqual(
            sorted(self.changes),
            sorted([(self.mandate.name, "replaced"), (mandate.name, "active")]),
        )

    def test_bank_transfer_becomes_direct_debit(self):
        mandate = self._sign(contract=self.contract_2)
        self.assertEqual(self.contract_2.payment_method, "bank_transfer")
        mandate._activate()
        self.assertEqual(self.contract_2.payment_method, "direct_debit")
        self.assertEqual(self.contract_2._get_mandate("active"), mandate)

    def test_no_waiting_when_the_company_wants_none(self):
        self.company.onergy_mandate_days = 0
        self.assertEqual(self._sign().state, "active")

    def test_a_second_change_takes_the_place_of_the_first(self):
        first = self._sign()
        second = self._sign(THIRD)
        self.assertEqual(first.state, "cancelled")
        self.assertEqual(second.state, "pending")
        self.assertEqual(self.mandate.state, "active")

    def test_wrong_number_is_refused(self):
        for iban in ("", "NL91ABNA0417164301", "0417164300", "nonsense"):
            with self.subTest(iban=iban), self.assertRefused(UserError, "IBAN"):
                self._sign(iban)

    def test_number_may_be_typed_with_spaces_and_in_small_letters(self):
        mandate = self._sign("nl20 ingb 0001 2345 67")
        self.assertEqual(mandate.bank_account_id.sanitized_acc_number, NEW)

    def test_account_in_use_needs_no_new_mandate(self):
        with self.assertRefused(UserError, "already use"):
            self._sign("NL91 ABNA 0417 1643 00")

    def test_known_account_is_not_made_twice(self):
        known = self.env["res.partner.bank"].create(
            {"acc_number": NEW, "partner_id": self.resident.id, "active": False}
        )
        self.assertEqual(self._sign().bank_account_id, known)
        self.assertTrue(known.active)

    def test_ended_contract_takes_none(self):
        self.contract.date_end = fields.Date.today() - timedelta(days=1)
        with self.assertRefused(UserError, "has ended"):
            self._sign()

    def test_not_too_often_in_a_day(self):
        for number in range(4):
            self._sign((NEW, THIRD)[number % 2])
        with self.assertRefused(UserError, "too often"):
            self._sign()

    # ------------------------------------------------------------------ telling

    def test_the_payer_is_told_at_his_address_and_the_old_one(self):
        user = self.resident._onergy_get_or_create_portal_user()[self.resident]
        changes = self.env["onergy.email.change"]
        changes.create(
            {
                "user_id": user.id,
                "email_old": "before@example.com",
                "email_new": "first@example.com",
                "state": "done",
                "date_done": fields.Datetime.now() - timedelta(days=3),
            }
        )
        changes.create(
            {
                "user_id": user.id,
                "email_old": "long.ago@example.com",
                "email_new": "before@example.com",
                "state": "done",
                "date_done": fields.Datetime.now() - timedelta(days=60),
            }
        )
        with self.mock_mail_gateway():
            self.mandates._sign_new(self.contract, NEW, "F. Resident", "portal")
        told = {mail["email_to"][0]: mail["body"] for mail in self._mails}
        self.assertEqual(set(told), {"first@example.com", "before@example.com"})
        for body in told.values():
            self.assertIn("4567", body)
            self.assertNotIn(NEW, body)
            self.assertIn("/my/payment", body)

    def test_who_has_no_email_gets_a_letter(self):
        clerk = self.staff["customer_service"]
        self.company.onergy_request_user_id = clerk
        self.resident.email = False
        mandate = self._sign()
        self.assertEqual(mandate.letter_state, "todo")
        self.assertEqual(mandate.activity_ids.user_id, clerk)
        action = mandate.with_user(clerk).action_print_letters()
        self.assertEqual(action["type"], "ir.actions.report")
        self.assertEqual(mandate.letter_state, "done")
        self.assertFalse(mandate.activity_ids)

    def test_letter_and_form_say_which_account(self):
        mandate = self._sign()
        reports = self.env["ir.actions.report"]
        letter = reports._render_qweb_html(
            "onergy_residents.action_report_mandate_letter", mandate.ids
        )[0].decode()
        self.assertIn("4567", letter)
        self.assertNotIn(NEW, letter)
        form = reports._render_qweb_html(
            "onergy_residents.action_report_mandate_form", mandate.ids
        )[0].decode()
        self.assertIn(NEW, form.replace(" ", ""))
        self.assertIn(mandate.name, form)

    # ------------------------------------------------------------------ ending

    def test_payer_changes_his_mind(self):
        mandate = self._sign()
        with self.mock_mail_gateway():
            mandate._cancel()
        self.assertEqual(mandate.state, "cancelled")
        self.assertEqual(self.mandate.state, "active")
        self.assertEqual(self.contract.payment_method, "direct_debit")
        self.assertIn("4567", self._mails[0]["body"])
        with freeze_time(fields.Date.today() + timedelta(days=30)):
            self._run_cron()
        self.assertEqual(self.contract.bank_account_id, self.account)

    def test_revoked_mandate_ends_direct_debit(self):
        pending = self._sign()
        with self.mock_mail_gateway():
            self.mandate._revoke()
        self.assertEqual(self.mandate.state, "revoked")
        self.assertEqual(pending.state, "cancelled")
        self.assertEqual(self.contract.payment_method, "bank_transfer")
        self.assertEqual(self.mandate.date_end, fields.Date.today())
        self.assertEqual(len(self._mails), 1)
        self.assertIn((self.mandate.name, "revoked"), self.changes)

    def test_signed_mandate_cannot_be_deleted(self):
        with self.assertRefused(UserError, "proof"):
            self.mandate.unlink()

    # ------------------------------------------------------------------ the clerk

    def _entry(self, **context):
        wizard = self.env["onergy.mandate.entry"].with_user(
            self.staff["customer_service"]
        )
        return Form(
            wizard.with_context(
                active_model="onergy.contract", active_id=self.contract.id, **context
            )
        )

    def test_clerk_takes_in_a_signed_form_with_its_scan(self):
        entry = self._entry()
        entry.iban = NEW
        entry.signed_date = fields.Date.today() - timedelta(days=2)
        entry.scan = b"JVBERi0xLjQK"
        with self.mock_mail_gateway():
            action = entry.save().action_sign()
        mandate = self.mandates.browse(action["res_id"])
        self.assertEqual(mandate.state, "pending")
        self.assertEqual(mandate.signed_how, "paper")
        self.assertEqual(mandate.holder_name, "First resident")
        self.assertEqual(mandate.signed_by_id, self.staff["customer_service"])
        scan = self.env["ir.attachment"].search(
            [("res_model", "=", "onergy.mandate"), ("res_id", "=", mandate.id)]
        )
        self.assertEqual(scan.name, f"{mandate.name}.pdf")
        self.assertEqual(scan.raw, b"%PDF-1.4\n")

    def test_printed_form_waits_for_its_signature(self):
        entry = self._entry()
        entry.iban = NEW
        action = entry.save().action_print()
        self.assertEqual(action["type"], "ir.actions.report")
        draft = self.contract.mandate_ids.filtered(lambda m: m.state == "draft")
        self.assertEqual(self.contract.bank_account_id, self.account)
        context = draft.with_user(self.staff["customer_service"]).action_sign()
        form = Form(
            self.env["onergy.mandate.entry"]
            .with_user(self.staff["customer_service"])
            .with_context(**context["context"])
        )
        with self.mock_mail_gateway():
            form.save().action_sign()
        self.assertEqual(draft.state, "pending")

    def test_signature_of_tomorrow_is_refused(self):
        entry = self._entry()
        entry.iban = NEW
        entry.signed_date = fields.Date.today() + timedelta(days=1)
        with self.assertRefused(UserError, "day on which"):
            entry.save().action_sign()

    def test_only_customer_service_changes_mandates(self):
        pending = self._sign()
        for role in ("metering", "accountant"):
            user = self.staff[role]
            for button in ("action_revoke", "action_cancel", "action_print_letters"):
                with (
                    self.subTest(role=role, button=button),
                    self.assertRaises(UserError),
                ):
                    getattr(pending.with_user(user), button)()
            with self.subTest(role=role), self.assertRaises(AccessError):
                self.env["onergy.mandate.entry"].with_user(user).create(
                    {"contract_id": self.contract.id, "iban": NEW, "holder_name": "X"}
                )
        clerk = self.staff["customer_service"]
        with self.assertRaises(AccessError):
            pending.with_user(clerk).write({"state": "active"})
        with self.mock_mail_gateway():
            pending.with_user(clerk).action_cancel()
            self.mandate.with_user(clerk).action_revoke()
        self.assertEqual(self.mandate.state, "revoked")
        self.assertEqual(self.mandate.ended_by_id, clerk)

    # ------------------------------------------------------------------ settings

    def test_creditor_identifier_is_checked(self):
        # The check digits leave the business code out, so both are right.
        for right in ("DE98ZZZ09999999999", "DE98ABC09999999999"):
            self.company.onergy_creditor_identifier = right
        self.assertIn("DE98ABC", self.mandates._get_text(self.company))
        for wrong in ("DE97ZZZ09999999999", "98", "DE98"):
            with self.subTest(wrong=wrong), self.assertRaises(ValidationError):
                self.company.onergy_creditor_identifier = wrong

    def test_each_reason_is_explained(self):
        reasons = self.env["onergy.debit.reason"]
        for code in ("AM04", "AC04", "AC01", "MD01", "MD06", "MS02", "MS03"):
            with self.subTest(code=code):
                reason = reasons._explain(code.lower())
                self.assertEqual(reason.code, code)
                self.assertNotIn(code, reason.text + reason.advice)
        self.assertEqual(reasons._explain("ZZ99").code, "OTHER")
        self.assertEqual(reasons._explain(None).code, "OTHER")

    def test_payment_method_of_several_contracts_at_once(self):
        accounts = self.env["res.partner.bank"].create(
            [
                {"acc_number": f"NL00TEST{number:010d}", "partner_id": partner.id}
                for number, partner in enumerate((self.resident, self.resident_2))
            ]
        )
        (self.contract | self.contract_2).payment_method = "bank_transfer"
        for contract, account in zip(
            self.contract | self.contract_2, accounts, strict=True
        ):
            contract.bank_account_id = account
        (self.contract | self.contract_2).payment_method = "direct_debit"
        active = (self.contract | self.contract_2)._get_mandate("active")
        self.assertEqual(active.bank_account_id, accounts)
