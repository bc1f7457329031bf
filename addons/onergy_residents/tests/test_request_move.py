from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import Form, TransactionCase, tagged

from .common import OnergyCommon


@tagged("post_install", "-at_install")
class TestRequestMove(OnergyCommon, TransactionCase):
    """A clerk makes a move of what somebody wrote, and finds the way back."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.clerk = cls.staff["customer_service"]
        cls.connection.owner_id = cls.env["res.partner"].create({"name": "Owner"})
        cls.today = fields.Date.context_today(cls.contract)

    def _request(self, **values):
        return (
            self.env["onergy.request"]
            .create(
                {
                    "subject": "I move",
                    "category": "move",
                    "channel": "portal",
                    "description": "<p>On the first of May.</p>",
                    **values,
                }
            )
            .with_user(self.clerk)
        )

    def _make_move(self, request, **values):
        """One click, and what only the clerk knows."""
        action = request.action_make_move()
        self.assertEqual(action["res_model"], "onergy.move")
        self.assertFalse(action.get("res_id"), "nothing is kept before he saves")
        form = Form(
            self.env["onergy.move"]
            .with_user(self.clerk)
            .with_context(**action["context"])
        )
        for name, value in values.items():
            form[name] = value
        return form.save()

    def test_one_click_and_back(self):
        request = self._request(partner_id=self.resident.id)
        last_day = self.today - timedelta(days=1)
        move = self._make_move(request, date_end=last_day)
        self.assertEqual(move.contract_id, self.contract)
        self.assertEqual(move.partner_id, self.resident)
        self.assertEqual((move.kind, move.channel), ("move_out", "portal"))
        self.assertIn("first of May", move.note)
        self.assertEqual(move.action_open_request()["res_id"], request.id)
        self.assertEqual(request.move_count, 1)
        self.assertEqual(request.action_open_moves()["res_id"], move.id)
        for record, other in ((move, request), (request, move)):
            bodies = "".join(record.message_ids.mapped("body"))
            self.assertIn(f'data-oe-id="{other.id}"', bodies)
        self.assertNotEqual(request.state, "closed")
        move.action_carry_out()
        self.assertEqual(request.state, "closed", "the mail of the move answers it")

    def test_stays_open_when_the_move_sends_no_mail(self):
        self.resident.email = False
        request = self._request(partner_id=self.resident.id)
        move = self._make_move(request, date_end=self.today)
        move.action_carry_out()
        self.assertNotEqual(request.state, "closed")

    def test_who_pays_for_nothing_moves_in(self):
        newcomer = self.env["res.partner"].create({"name": "Newcomer"})
        request = self._request(partner_id=newcomer.id)
        context = request.action_make_move()["context"]
        self.assertEqual(context["default_kind"], "move_in")
        self.assertFalse(context["default_contract_id"])

    def test_which_of_two_homes_is_for_the_clerk(self):
        self._create_contract(
            self.env["onergy.connection"].create(
                {
                    "complex_id": self.complex.id,
                    "street": "Kade",
                    "house_number": "9",
                    "zip": "1234 AB",
                    "city": "Utrecht",
                }
            ),
            self.resident,
        )
        request = self._request(partner_id=self.resident.id)
        self.assertFalse(request.action_make_move()["context"]["default_contract_id"])
        request.contract_id = self.contract
        self.assertEqual(
            request.action_make_move()["context"]["default_contract_id"],
            self.contract.id,
        )

    def test_death_of_a_form_without_login(self):
        self.connection.house_addition = "A bis"
        request = self._request(
            category="death",
            channel="public",
            contact_name="Daughter",
            email_from="daughter@example.com",
            phone="0301234567",
            date_death=self.today,
            home_zip="1234ab",
            home_number="1 a-bis",
        )
        move = self._make_move(request)
        self.assertEqual(move.contract_id, self.contract)
        self.assertEqual(move.partner_id, self.resident)
        self.assertEqual((move.kind, move.date_death), ("death", self.today))
        self.assertEqual(move.contact_name, "Daughter")
        self.assertEqual(move.contact_email, "daughter@example.com")
        self.assertEqual(move.channel, "phone")
        move.action_carry_out()
        self.assertIn("First resident", self.resident.name)
        self.assertEqual(self.resident.email, "daughter@example.com")
        self.assertEqual(request.state, "closed")

    def test_an_address_that_nobody_knows_is_left_open(self):
        for number in ("99", "", "1b"):
            request = self._request(
                category="death", home_zip="1234 AB", home_number=number
            )
            context = request.action_make_move()["context"]
            self.assertFalse(context["default_connection_id"], number)
            self.assertEqual(context["default_kind"], "death")

    def test_who_may_not_make_moves_makes_none(self):
        request = self._request(partner_id=self.resident.id)
        context = request.action_make_move()["context"]
        values = {
            name.removeprefix("default_"): value for name, value in context.items()
        }
        for role in ("metering", "accountant"):
            with self.subTest(role), self.assertRaises(AccessError):
                self.env["onergy.move"].with_user(self.staff[role]).create(values)
