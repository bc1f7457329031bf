from datetime import date, timedelta

from dateutil.relativedelta import relativedelta

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import TransactionCase, tagged
from odoo.tools import SQL

from .common import OnergyCommon

IBAN = "NL91ABNA0417164300"


@tagged("post_install", "-at_install")
class TestForget(OnergyCommon, TransactionCase):
    """What is left of a past resident when the books need him no longer."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.today = fields.Date.today()

    def _get_texts(self, records):
        """Return all that these records and their chatter say, as one text."""
        self.env.flush_all()
        self.env.invalidate_all()
        # Values only: a field may well be called a secret.
        lines = [str(list(vals.values())) for vals in records.sudo().read()]
        if "message_ids" in records._fields:
            messages = records.message_ids
            lines += messages.mapped("body")
            lines += [str(value.read()) for value in messages.sudo().tracking_value_ids]
        return " ".join(lines)

    def _run(self):
        with self.enter_registry_test_mode():
            self.env.ref("onergy_residents.ir_cron_purge").method_direct_trigger()

    def _age(self, records, **values):
        """Let these have been written last three years ago."""
        self.env.flush_all()
        long_ago = fields.Datetime.now() - relativedelta(years=3)
        for name, value in {"write_date": long_ago, **values}.items():
            self.env.cr.execute(
                SQL(
                    "UPDATE %s SET %s = %s WHERE id IN %s",
                    SQL.identifier(records._table),
                    SQL.identifier(name),
                    value,
                    records._ids,
                )
            )
        self.env.invalidate_all()

    def _is_to_go(self):
        lines = self.env["onergy.purge"]._preview(self.company)
        return bool(lines.filtered(lambda line: line.kind == "resident").count)

    # ------------------------------------------------------------------ when

    def test_years_count_from_the_end_of_the_year(self):
        """AWR article 52(4): what ended in January is kept until New Year as well."""
        year = self.today.year - 7
        for last_day, is_gone in (
            (date(year, 1, 1), False),
            (date(year - 1, 12, 31), True),
            (date(year - 1, 1, 1), True),
        ):
            with self.subTest(last_day):
                self.contract.date_start = date(year - 2, 1, 1)
                self.contract.date_end = last_day
                self.assertEqual(self._is_to_go(), is_gone)
                # The same day that he is told when he asks.
                until = self.resident._onergy_get_books_until()
                self.assertEqual(until < self.today, is_gone)

    def test_each_company_has_books_of_its_own(self):
        other = self.env["res.company"].create(
            {"name": "Other supplier", "onergy_keep_billing_years": 10}
        )
        site = self.env["onergy.complex"].create(
            {"name": "Other", "code": "O", "company_id": other.id}
        )
        home = self.connection.copy({"complex_id": site.id})
        year = self.today.year
        self.contract.date_start = date(year - 12, 1, 1)
        self.contract.date_end = date(year - 11, 12, 31)
        contract = self._create_contract(
            home, self.resident, date(year - 12, 1, 1), date(year - 9, 6, 1)
        )
        self.assertEqual(contract.company_id, other)
        self.assertFalse(self._is_to_go())
        self.assertEqual(
            self.resident._onergy_get_books_until(), date(year + 1, 12, 31)
        )
        contract.date_end = date(year - 11, 6, 1)
        self.assertTrue(self._is_to_go())

    # ------------------------------------------------------------------ what

    def test_the_account_number_goes(self):
        """Odoo only archives a bank account: its number has to be overwritten."""
        banks = self.env["res.partner.bank"].with_context(active_test=False)
        account = banks.create(
            {
                "acc_number": IBAN,
                "acc_holder_name": "First resident",
                "partner_id": self.resident.id,
                "note": "Of his wife",
            }
        )
        self.contract.bank_account_id = account
        archived = account.copy({"acc_number": "NL20INGB0001234567", "active": False})
        self.contract.date_end = self.today - relativedelta(years=9)
        self.contract.date_start = self.today - relativedelta(years=10)
        self.resident._onergy_anonymise()
        left = banks.search([("partner_id", "=", self.resident.id)])
        text = self._get_texts(left) + self._get_texts(self.resident)
        for secret in (IBAN, "NL20INGB0001234567", "First resident", "wife"):
            with self.subTest(secret):
                self.assertNotIn(secret, text)
        self.assertFalse(left.filtered("active"))
        self.assertLessEqual(account | archived, left)

    def _create_move(self, **values):
        move = self.env["onergy.move"].create(
            {
                "contract_id": self.contract.id,
                "date_end": self.today - relativedelta(years=3),
                "next_kind": "resident",
                "next_name": "Third resident",
                "next_email": "successor@example.com",
                "next_phone": "030 765 4321",
                "new_street": "Secret street 9",
                "contact_name": "Secret daughter",
                "contact_email": "daughter@example.com",
                "note": "Secret remark",
                **values,
            }
        )
        move.message_post(body="Secret words")
        move.new_city = "Secret town"
        self.env.flush_all()
        return move

    def test_what_a_move_said_goes_after_its_time(self):
        self.contract.date_start = self.today - relativedelta(years=5)
        old = self._create_move()
        old.action_carry_out()
        recent = self._create_move(
            contract_id=self.contract_2.id, date_end=self.today + timedelta(days=9)
        )
        recent.action_cancel()
        self._run()
        self.assertFalse(old.forgotten)
        self._age(old, date_done=fields.Datetime.now() - relativedelta(years=3))
        self._run()
        text = self._get_texts(old)
        for secret in ("ecret", "successor@", "daughter@", "765 4321"):
            with self.subTest(secret):
                self.assertNotIn(secret, text)
        self.assertFalse(old.next_name)
        # He pays now, as does the resident before him.
        self.assertEqual(old.next_partner_id.name, "Third resident")
        self.assertEqual(old.state, "done")
        self.assertEqual(recent.note, "Secret remark")
        with self.assertRefused(UserError, "no longer kept"):
            old.action_undo()

    def test_sheets_grants_and_reasons_go_after_their_time(self):
        sheet = self.env["onergy.move.sheet"].create(
            {"name": "homes.xlsx", "partner_id": self.resident.id}
        )
        erasure = self.env["onergy.erasure"].create(
            {"partner_id": self.resident.id, "reason": "Secret reason"}
        )
        erasure._cancel_by_resident()
        grant = self._give("viewer@example.com")
        viewer = grant.partner_id
        kept = self._give("second@example.com")
        grant.action_revoke()
        self._run()
        self.assertTrue(sheet.exists() and grant.exists())
        self.assertEqual(erasure.reason, "Secret reason")
        long_ago = fields.Datetime.now() - relativedelta(years=3)
        self._age(sheet, sent_on=long_ago)
        self._age(grant, revoked_on=long_ago)
        self._age(erasure, date_decided=long_ago.date())
        self._run()
        self.assertFalse(sheet.exists())
        self.assertFalse(grant.exists())
        self.assertNotIn("ecret", self._get_texts(erasure))
        self.assertTrue(kept.exists())
        self.assertEqual(kept.partner_id.name, "Secret viewer")
        # Who was made to look at a home, and looks no more, is forgotten.
        user = viewer.with_context(active_test=False).user_ids
        self.assertFalse(user.active)
        text = self._get_texts(viewer) + self._get_texts(user)
        self.assertNotIn("ecret", text)
        self.assertNotIn("viewer@example.com", text)

    def _give(self, email):
        return self.env["onergy.access.grant"]._give(
            self.contract, "Secret viewer", email, self.today
        )

    def test_who_has_other_business_here_is_not_forgotten(self):
        """A resident who looks at his neighbour's home stays a resident."""
        self.resident_2._onergy_get_or_create_portal_user()
        grant = self._give("second@example.com")
        self.assertEqual(grant.partner_id, self.resident_2)
        grant._forget()
        self.assertEqual(self.resident_2.name, "Second resident")

    def test_an_answer_nobody_came_back_to_goes_after_its_time(self):
        stage = self.env["onergy.request.stage"].search([("state", "=", "answered")])
        old, recent = self.env["onergy.request"].create(
            [
                {
                    "subject": "S",
                    "partner_id": self.resident.id,
                    "stage_id": stage[:1].id,
                }
                for _number in range(2)
            ]
        )
        self._age(old)
        self._run()
        self.assertFalse(old.exists())
        self.assertTrue(recent.exists())

    def test_nothing_he_or_others_told_of_him_is_left(self):
        move = self._create_move()
        sheet = self.env["onergy.move.sheet"].create(
            {"name": "homes.xlsx", "partner_id": self.resident.id}
        )
        erasure = self.env["onergy.erasure"].create(
            {"partner_id": self.resident.id, "reason": "Secret reason"}
        )
        question = self.env["onergy.request"].create(
            {"subject": "Secret", "partner_id": self.resident.id}
        )
        grant = self._give("viewer@example.com")
        viewer = grant.partner_id
        before = self._create_move(
            contract_id=self.contract_2.id, next_partner_id=self.resident.id
        )
        self.contract.date_start = self.today - relativedelta(years=10)
        self.contract.date_end = self.today - relativedelta(years=9)
        self.resident._onergy_anonymise()
        for gone in (sheet, question, grant):
            with self.subTest(gone):
                self.assertFalse(gone.exists())
        self.assertNotIn("ecret", self._get_texts(move))
        self.assertNotIn("ecret", self._get_texts(erasure))
        self.assertNotIn("ecret", self._get_texts(viewer))
        # Of the move before him only what was told of himself goes.
        self.assertFalse(before.next_name or before.next_email or before.next_phone)
        self.assertEqual(before.new_street, "Secret street 9")
