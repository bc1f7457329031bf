from psycopg2.errors import CheckViolation, UniqueViolation

from odoo.exceptions import ValidationError
from odoo.tests import TransactionCase, tagged
from odoo.tools import mute_logger

from .common import OnergyCommon


@tagged("post_install", "-at_install")
class TestConnection(OnergyCommon, TransactionCase):
    def _refused(self, error=CheckViolation):
        self.enterContext(mute_logger("odoo.sql_db"))
        return self.assertRaises(error)

    def test_ean_check_digit(self):
        valid = "87168712345678901"
        # GS1: from the left 3, 1, 3 ... for a number of 18 digits.
        total = sum(
            int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(valid)
        )
        check = -total % 10
        self.connection.ean = f"{valid}{check}"
        self.env.flush_all()
        for wrong in range(10):
            if wrong == check:
                continue
            with self.subTest(wrong=wrong), self._refused():
                self.connection.ean = f"{valid}{wrong}"
                self.env.flush_all()

    def test_ean_of_the_gs1_example(self):
        """GS1's worked example of an 18-digit key: 37610425002123456, digit 9."""
        self.connection.ean = "376104250021234569"
        self.env.flush_all()
        with self._refused():
            self.connection.ean = "376104250021234568"
            self.env.flush_all()

    def test_ean_has_18_digits_and_may_be_typed_in_groups(self):
        self.connection.ean = "376 104 250 021 234 569"
        self.assertEqual(self.connection.ean, "376104250021234569")
        for wrong in ("37610425002123456", "3761042500212345690", "37610425002123456A"):
            with self.subTest(ean=wrong), self._refused():
                self.connection.ean = wrong
                self.env.flush_all()

    def test_ean_belongs_to_one_connection(self):
        self.connection.ean = "376104250021234569"
        self.env.flush_all()
        with self._refused(UniqueViolation):
            self.connection_2.ean = "376104250021234569"
            self.env.flush_all()

    def test_bag_id_has_16_digits(self):
        self.connection.bag_id = "0344 0100 0012 3456"
        self.assertEqual(self.connection.bag_id, "0344010000123456")
        self.env.flush_all()
        for wrong in ("344010000123456", "0344010000123456X"):
            with self.subTest(bag_id=wrong), self._refused():
                self.connection.bag_id = wrong
                self.env.flush_all()

    def test_postcode_is_written_one_way(self):
        for typed in ("3512jc", "3512 JC", " 3512  jC "):
            with self.subTest(typed=typed):
                self.connection.zip = typed
                self.assertEqual(self.connection.zip, "3512 JC")
        self.complex.zip = "3512jc"
        self.assertEqual(self.complex.zip, "3512 JC")

    def test_what_is_no_dutch_postcode_is_refused(self):
        for wrong in ("0512 JC", "3512", "3512 J", "3512 SS", "B-1000"):
            with (
                self.subTest(zip=wrong),
                self.assertRefused(ValidationError, "1234 AB"),
            ):
                self.connection.zip = wrong
        self.connection.write({"country_id": self.env.ref("base.be").id, "zip": "1000"})
        self.assertEqual(self.connection.zip, "1000")

    def test_address_line(self):
        for number, addition, line in [
            ("12", False, "Dorpsstraat 12, 1234 AB Utrecht"),
            ("12", "A", "Dorpsstraat 12A, 1234 AB Utrecht"),
            ("12", "2", "Dorpsstraat 12-2, 1234 AB Utrecht"),
        ]:
            with self.subTest(line=line):
                self.connection.write(
                    {"house_number": number, "house_addition": addition}
                )
                self.assertEqual(self.connection.name, line)

    def test_house_numbers_are_sorted_as_numbers(self):
        self.connection.house_number = "10"
        self.assertEqual(
            self.complex.connection_ids, self.connection_2 | self.connection
        )

    def test_in_use_is_not_archived(self):
        with self.assertRefused(ValidationError, self.contract.name):
            self.connection.action_archive()
        with self.assertRefused(ValidationError, self.contract.name):
            self.complex.action_archive()
        self.assertTrue(self.connection_2.active)
        (self.contract | self.contract_2).date_end = "2025-12-31"
        self.complex.action_archive()
        self.assertFalse(self.connection.active)

    def test_goes_to_another_company_only_without_contracts(self):
        company = self.env["res.company"].create({"name": "Second supplier"})
        elsewhere = self.env["onergy.complex"].create(
            {"name": "Elsewhere", "code": "T", "company_id": company.id}
        )
        with self.assertRefused(ValidationError, "another company"):
            self.connection.complex_id = elsewhere
        with self.assertRefused(ValidationError, "another company"):
            self.complex.company_id = company
        new = self.connection.copy()
        new.complex_id = elsewhere
        self.assertEqual(new.company_id, company)

    def test_season_is_a_month_and_day(self):
        for wrong in ("10-32", "13-01", "1-10", "okt"):
            with self.subTest(value=wrong), self.assertRaises(ValidationError):
                self.complex.season_start = wrong

    def test_who_pays_now(self):
        self.contract.date_end = "2025-12-31"
        free = self.connection
        self.assertFalse(free.current_contract_id)
        self.assertEqual(self.connection_2.current_partner_id, self.resident_2)
        connections = self.connection | self.connection_2
        search = self.env["onergy.connection"].search
        mine = [("id", "in", connections.ids)]
        self.assertEqual(
            search([*mine, ("current_contract_id", "=", False)]), self.connection
        )
        self.assertEqual(
            search([*mine, ("current_contract_id", "=", self.contract_2.id)]),
            self.connection_2,
        )

    def test_lists_take_few_queries(self):
        connections = self.env["onergy.connection"].create(
            [
                {
                    "complex_id": self.complex.id,
                    "street": "Lange straat",
                    "house_number": str(number),
                    "zip": "1234 AB",
                    "city": "Utrecht",
                }
                for number in range(1, 21)
            ]
        )
        for connection in connections:
            self._create_contract(connection, self.resident)
        self.env.flush_all()
        self.env.invalidate_all()
        with self.assertQueryCount(7):
            connections.mapped("contract_count")
            connections.mapped("current_partner_id.name")
