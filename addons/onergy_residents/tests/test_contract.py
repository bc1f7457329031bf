from freezegun import freeze_time
from lxml import etree
from psycopg2 import IntegrityError
from psycopg2.errors import (
    CheckViolation,
    ExclusionViolation,
    UniqueViolation,
)

from odoo import Command
from odoo.exceptions import UserError, ValidationError
from odoo.tests import TransactionCase, tagged
from odoo.tools import mute_logger
from odoo.tools.safe_eval import safe_eval

from odoo.addons.account.tests.common import AccountTestInvoicingCommon

from .common import OnergyCommon


@tagged("post_install", "-at_install")
class TestContract(OnergyCommon, TransactionCase):
    def test_overlap_is_refused_by_the_database(self):
        self.contract.date_end = "2025-06-30"
        self._create_contract(self.connection, self.resident_2, "2025-07-01")
        with mute_logger("odoo.sql_db"), self.assertRaises(ExclusionViolation):
            self._create_contract(
                self.connection, self.resident, "2025-06-30", "2025-06-30"
            )

    def test_ends_on_the_day_it_starts_at_the_earliest(self):
        self.contract.date_end = "2025-01-01"
        self.env.flush_all()
        with mute_logger("odoo.sql_db"), self.assertRaises(CheckViolation):
            self.contract.date_end = "2024-12-31"
            self.env.flush_all()

    def test_number_of_contract_and_debtor(self):
        self.assertRegex(self.contract.name, r"^C\d{6}$")
        self.assertNotEqual(self.contract.name, self.contract_2.name)
        number = self.resident.debtor_number
        self.assertTrue(number)
        self._create_contract(
            self.connection, self.resident, "2024-01-01", "2024-12-31"
        )
        self.assertEqual(self.resident.debtor_number, number)

    def test_payer_of_a_contract_without_bills_may_be_corrected(self):
        other = self.env["res.partner"].create({"name": "Other"})
        self.contract.partner_id = other
        self.assertTrue(other.debtor_number)

    def test_one_debtor_number_in_a_company(self):
        with mute_logger("odoo.sql_db"), self.assertRaises(UniqueViolation):
            self.resident_2.debtor_number = self.resident.debtor_number
            self.env.flush_all()

    def test_two_companies_may_number_alike_a_shared_contact_may_not(self):
        first, second = self.env["res.company"].create(
            [{"name": "First supplier"}, {"name": "Second supplier"}]
        )
        self.env["res.partner"].create(
            [
                {"name": "One", "company_id": first.id, "debtor_number": "77"},
                {"name": "Two", "company_id": second.id, "debtor_number": "77"},
            ]
        )
        self.env.flush_all()
        with self.assertRefused(ValidationError, "77"):
            self.env["res.partner"].create({"name": "Three", "debtor_number": "77"})
        shared = self.env["res.partner"].create({"name": "Four", "debtor_number": "78"})
        with self.assertRefused(ValidationError, "78"):
            shared.copy({"company_id": first.id, "debtor_number": "78"})

    def test_state_follows_the_calendar(self):
        self.contract.date_end = "2025-06-30"
        contracts = self.env["onergy.contract"]
        for day, state in [
            ("2024-12-31", "future"),
            ("2025-01-01", "running"),
            ("2025-06-30", "running"),
            ("2025-07-01", "ended"),
        ]:
            with self.subTest(day=day), freeze_time(f"{day} 12:00:00"):
                self.contract.invalidate_recordset()
                self.assertEqual(self.contract.state, state)
                for other in ("future", "running", "ended"):
                    found = contracts.search(
                        [("id", "=", self.contract.id), ("state", "=", other)]
                    )
                    self.assertEqual(bool(found), state == other)
                self.assertFalse(
                    contracts.search(
                        [("id", "=", self.contract.id), ("state", "!=", state)]
                    )
                )

    def test_bank_account_is_the_payers(self):
        banks = self.env["res.partner.bank"].create(
            [
                {"acc_number": "NL91ABNA0417164300", "partner_id": self.resident.id},
                {"acc_number": "NL02ABNA0123456789", "partner_id": self.resident_2.id},
            ]
        )
        self.contract.bank_account_id = banks[0]
        with self.assertRefused(ValidationError, "Second resident"):
            self.contract.bank_account_id = banks[1]

    def test_running_contract_is_not_archived(self):
        with self.assertRefused(ValidationError, "End it"):
            self.contract.action_archive()
        self.contract.date_end = "2025-01-31"
        self.contract.action_archive()
        # Its days are free again.
        self._create_contract(self.connection, self.resident_2)

    def test_found_by_whatever_the_caller_says(self):
        self.connection.ean = "376104250021234569"
        for text in (
            self.resident.debtor_number,
            "first@example",
            "First res",
            "Dorpsstraat 1,",
            "376104250021234569",
            self.contract.name,
        ):
            with self.subTest(text=text):
                found = self.env["onergy.contract"].search(
                    self._everything("onergy.contract", text)
                )
                self.assertEqual(found, self.contract)
                found = self.env["res.partner"].search(
                    self._everything("res.partner", text)
                )
                self.assertEqual(found, self.resident)

    def _everything(self, model, text):
        """Return the domain of the first field of a model's search view."""
        view = {
            "onergy.contract": "onergy_residents.view_contract_search",
            "res.partner": "onergy_residents.view_resident_search",
        }[model]
        arch = self.env[model].get_view(self.env.ref(view).id, "search")["arch"]
        node = etree.fromstring(arch).find("field")
        return safe_eval(node.get("filter_domain"), {"self": text})

    def test_contact_is_found_by_debtor_number(self):
        names = self.env["res.partner"].name_search(self.resident.debtor_number)
        self.assertIn(self.resident.id, [id_ for id_, _name in names])
        self.assertNotIn(self.resident_2.id, [id_ for id_, _name in names])


@tagged("post_install", "-at_install")
class TestAdvance(OnergyCommon, TransactionCase):
    def test_amount_in_force(self):
        self.contract.advance_ids = [
            Command.create({"date_from": "2025-01-01", "amount": 90}),
            Command.create({"date_from": "2025-07-01", "amount": 110}),
        ]
        for day, amount in [
            ("2024-12-31", 0),
            ("2025-01-01", 90),
            ("2025-06-30", 90),
            ("2025-07-01", 110),
        ]:
            with self.subTest(day=day), freeze_time(f"{day} 12:00:00"):
                self.contract.invalidate_recordset()
                self.assertEqual(self.contract.current_advance_amount, amount)

    def test_every_change_is_in_the_history(self):
        self.contract.advance_ids = [
            Command.create({"date_from": "2025-01-01", "amount": 90})
        ]
        self.assertIn("90,00", self.contract.message_ids[0].body)
        self.contract.advance_ids.amount = 95
        body = self.contract.message_ids[0].body
        self.assertIn("90,00", body)
        self.assertIn("95,00", body)
        count = len(self.contract.message_ids)
        self.contract.advance_ids.note = "Only a note"
        self.assertEqual(len(self.contract.message_ids), count)
        self.contract.advance_ids.unlink()
        self.assertIn("removed", self.contract.message_ids[0].body)

    def test_one_amount_from_a_day_on_and_never_negative(self):
        self.contract.advance_ids = [
            Command.create({"date_from": "2025-01-01", "amount": 0})
        ]
        for values, error in [
            ({"date_from": "2025-01-01", "amount": 5}, UniqueViolation),
            ({"date_from": "2025-02-01", "amount": -1}, CheckViolation),
        ]:
            with (
                self.subTest(values=values),
                mute_logger("odoo.sql_db"),
                self.assertRaises(error),
            ):
                self.contract.advance_ids = [Command.create(values)]
                self.env.flush_all()


@tagged("post_install", "-at_install")
class TestGap(OnergyCommon, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.startClassPatcher(freeze_time("2026-03-10 12:00:00"))
        cls.owner = cls.env["res.partner"].create({"name": "Owner"})
        cls.complex.owner_id = cls.owner

    def _gaps(self, connection=None):
        gaps = self.env["onergy.contract.gap"].search(
            [("connection_id", "=", (connection or self.connection).id)]
        )
        gaps.invalidate_recordset()
        return [
            (str(gap.date_from), str(gap.date_to or ""), gap.days, gap.state)
            for gap in gaps
        ]

    def test_no_gap_while_somebody_pays(self):
        self.assertEqual(self._gaps(), [])

    def test_between_two_contracts(self):
        self.contract.date_end = "2026-01-31"
        self._create_contract(self.connection, self.resident_2, "2026-02-01")
        self.assertEqual(self._gaps(), [])
        self.contract.date_end = "2026-01-30"
        self.assertEqual(self._gaps(), [("2026-01-31", "2026-01-31", 1, "past")])

    def test_after_the_last_contract(self):
        self.contract.date_end = "2026-03-09"
        self.assertEqual(self._gaps(), [("2026-03-10", "", 1, "open")])
        self.contract.date_end = "2026-03-10"
        self.assertEqual(self._gaps(), [("2026-03-11", "", 0, "upcoming")])

    def test_before_the_first_contract(self):
        self.connection.supply_start = "2024-12-30"
        self.assertEqual(self._gaps(), [("2024-12-30", "2024-12-31", 2, "past")])
        self.connection.supply_start = "2025-01-01"
        self.assertEqual(self._gaps(), [])

    def test_without_any_contract(self):
        new = self.connection.copy({"supply_start": "2026-03-01"})
        self.assertEqual(self._gaps(new), [("2026-03-01", "", 10, "open")])
        new.action_archive()
        self.assertEqual(self._gaps(new), [])

    def test_owner_pays(self):
        self.contract.date_end = "2026-01-31"
        self._create_contract(self.connection, self.resident_2, "2026-03-01")
        gap = self.env["onergy.contract.gap"].search(
            [("connection_id", "=", self.connection.id)]
        )
        clerk = self.staff["customer_service"]
        action = gap.with_user(clerk).action_start_vacancy()
        contract = self.env["onergy.contract"].search(action["domain"])
        self.assertRecordValues(
            contract,
            [
                {
                    "partner_id": self.owner.id,
                    "role": "vacancy",
                    "date_start": gap.date_from,
                    "date_end": gap.date_to,
                    "invoice_delivery": "post",
                }
            ],
        )
        self.assertEqual(self._gaps(), [])

    def test_no_owner_is_said(self):
        self.complex.owner_id = False
        self.contract.date_end = "2026-01-31"
        gap = self.env["onergy.contract.gap"].search(
            [("connection_id", "=", self.connection.id)]
        )
        with self.assertRefused(UserError, "Dorpsstraat 1"):
            gap.action_start_vacancy()


@tagged("post_install", "-at_install")
class TestContractInvoices(OnergyCommon, AccountTestInvoicingCommon):
    @classmethod
    def get_default_groups(cls):
        manager = cls.env.ref("onergy_residents.group_manager")
        return super().get_default_groups() | manager

    def test_bills_keep_their_contract(self):
        move = self.init_invoice(
            "out_invoice", partner=self.resident, amounts=[100], post=False
        )
        move.onergy_contract_id = self.contract
        move.action_post()
        self.assertEqual(self.contract.invoice_count, 1)
        action = self.contract.action_open_invoices()
        self.assertEqual(self.env["account.move"].search(action["domain"]), move)
        for values in (
            {"partner_id": self.resident_2.id},
            {"connection_id": self.connection_2.id},
        ):
            with self.assertRefused(ValidationError, "new contract"):
                self.contract.write(values)
        self.contract.write({"partner_id": self.resident.id, "role": "tenant"})
        self.contract.date_end = "2025-12-31"
        with self.assertRefused(ValidationError, "invoices"):
            self.contract.action_archive()
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(IntegrityError),
        ):
            self.contract.unlink()
