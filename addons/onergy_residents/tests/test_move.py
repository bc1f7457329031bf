from datetime import timedelta

from freezegun import freeze_time
from psycopg2.errors import UniqueViolation

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, TransactionCase, tagged
from odoo.tools import mute_logger

from odoo.addons.account.tests.common import AccountTestInvoicingCommon
from odoo.addons.mail.tests.common import MailCase

from .common import OnergyCommon


class MoveCommon(OnergyCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.owner = cls.env["res.partner"].create(
            {"name": "Housing association", "email": "owner@example.com"}
        )
        cls.env["res.lang"]._activate_lang("en_US")
        cls.resident.lang = "en_US"
        cls.complex.owner_id = cls.owner
        cls.company.onergy_request_user_id = cls.staff["customer_service"]
        cls.clerk = cls.staff["customer_service"]

    def _report(self, **values):
        return (
            self.env["onergy.move"]
            .with_user(self.clerk)
            .create(
                {
                    "contract_id": self.contract.id,
                    "date_end": "2026-03-31",
                    **values,
                }
            )
        )

    def _spans(self, connection=None):
        """(payer, first day, last day, role) of each contract, oldest first."""
        contracts = self.env["onergy.contract"].search(
            [("connection_id", "=", (connection or self.connection).id)],
            order="date_start",
        )
        return [
            (c.partner_id.name, str(c.date_start), str(c.date_end or ""), c.role)
            for c in contracts
        ]


@tagged("post_install", "-at_install")
@freeze_time("2026-03-10 12:00:00")
class TestMove(MoveCommon, MailCase, TransactionCase):
    def test_preview_says_what_happens_and_nothing_happens_yet(self):
        move = self._report(next_kind="owner")
        for text in ("C0", "First resident", "31-03-2026", "Housing association"):
            self.assertIn(text, move.preview)
        self.assertFalse(move.has_problems)
        self.assertEqual(
            self._spans(), [("First resident", "2025-01-01", "", "tenant")]
        )

    def test_vacancy_for_the_owner(self):
        move = self._report(next_kind="owner")
        move.action_carry_out()
        self.assertEqual(move.state, "done")
        self.assertEqual(
            self._spans(),
            [
                ("First resident", "2025-01-01", "2026-03-31", "tenant"),
                ("Housing association", "2026-04-01", "", "vacancy"),
            ],
        )

    def test_next_resident_and_the_days_between(self):
        move = self._report(
            next_kind="resident",
            next_name="Third resident",
            next_email="third@example.com",
            next_date="2026-04-15",
        )
        move.action_carry_out()
        self.assertEqual(
            self._spans(),
            [
                ("First resident", "2025-01-01", "2026-03-31", "tenant"),
                ("Housing association", "2026-04-01", "2026-04-14", "vacancy"),
                ("Third resident", "2026-04-15", "", "tenant"),
            ],
        )
        self.assertTrue(move.next_partner_id.debtor_number)
        self.assertEqual(move.next_partner_id.street, "Dorpsstraat 1")
        gaps = self.env["onergy.contract.gap"]
        self.assertFalse(gaps.search([("connection_id", "=", self.connection.id)]))

    def test_vacancy_stops_before_a_contract_that_was_there(self):
        self.contract.date_end = "2026-06-30"
        self._create_contract(self.connection, self.resident_2, "2026-07-01")
        move = self._report(next_kind="unknown")
        self.assertIn("Until now the contract ended on 30-06-2026", move.preview)
        move.action_carry_out()
        self.assertEqual(
            self._spans()[1],
            ("Housing association", "2026-04-01", "2026-06-30", "vacancy"),
        )

    def test_next_unknown_leaves_a_work_item(self):
        move = self._report(next_kind="unknown")
        move.action_carry_out()
        successor = self.env.ref("onergy_residents.mail_activity_type_successor")
        activity = move.activity_ids.filtered(lambda a: a.activity_type_id == successor)
        self.assertEqual(activity.user_id, self.clerk)
        self.assertEqual(str(activity.date_deadline), "2026-03-31")
        queue = self.env.ref("onergy_residents.work_queue_successor")
        self.assertEqual(queue.with_user(self.clerk).waiting_count, 1)
        self.env["onergy.move"].create(
            {
                "kind": "move_in",
                "connection_id": self.connection.id,
                "contract_id": move.vacancy_contract_id.id,
                "next_kind": "resident",
                "next_name": "Third resident",
                "next_date": "2026-05-01",
            }
        ).action_carry_out()
        self.assertFalse(activity.exists().active)
        queue.invalidate_recordset()
        self.assertEqual(queue.with_user(self.clerk).waiting_count, 0)

    def test_entering_the_next_one_later_shows_as_a_gap(self):
        move = self._report(next_kind="later", date_end="2026-03-09")
        self.assertIn("Nobody pays from 10-03-2026", move.preview)
        move.action_carry_out()
        gap = self.env["onergy.contract.gap"].search(
            [("connection_id", "=", self.connection.id)]
        )
        self.assertEqual(str(gap.date_from), "2026-03-10")

    def test_problems_stop_it_and_say_the_remedy(self):
        self.complex.owner_id = False
        for values, text in (
            ({"next_kind": "owner"}, "No owner is known"),
            ({"date_end": "2024-12-31"}, "started on 01-01-2025"),
            ({"next_kind": "resident"}, "who the next resident is"),
            (
                {
                    "next_kind": "resident",
                    "next_name": "X",
                    "next_date": "2026-03-31",
                },
                "before the last day is over",
            ),
            ({"date_end": False}, "Fill in the last day"),
            ({"kind": "death", "date_end": False}, "speaks for the heirs"),
        ):
            with self.subTest(text):
                move = self._report(**values)
                self.assertIn(text, move.preview)
                self.assertTrue(move.has_problems)
                with self.assertRefused(UserError, text):
                    move.action_carry_out()
                move.action_cancel()
        self.assertEqual(len(self._spans()), 1)

    def test_one_report_at_a_time(self):
        self._report()
        with mute_logger("odoo.sql_db"), self.assertRaises(UniqueViolation):
            self._report()

    def test_twice_is_refused(self):
        move = self._report(next_kind="owner")
        move.action_carry_out()
        with self.assertRefused(UserError, "already carried out"):
            move.action_carry_out()
        self.assertEqual(len(self._spans()), 2)

    def test_undo_puts_everything_back(self):
        self.contract.date_end = "2026-12-31"
        move = self._report(
            next_kind="resident",
            next_name="Third resident",
            next_date="2026-05-01",
            date_end="2026-03-01",
            new_street="Kade 5",
            new_zip="4321zz",
            new_city="Ede",
        )
        before = self._spans()
        self.resident.write({"street": "Dorpsstraat 1", "zip": "1234 AB"})
        move.action_carry_out()
        self.assertEqual(self.resident.street, "Kade 5")
        self.assertEqual(self.resident.zip, "4321 ZZ")
        newcomer = move.next_partner_id
        move.action_undo()
        self.assertEqual(move.state, "checked")
        self.assertEqual(self._spans(), before)
        self.assertEqual(self.resident.street, "Dorpsstraat 1")
        self.assertFalse(newcomer.active)
        self.assertFalse(move.next_contract_id)
        log = "".join(move.message_ids.mapped("body"))
        self.assertIn("taken back", log)
        move.action_carry_out()
        self.assertEqual(len(self._spans()), 3)

    def test_undo_stops_where_later_contracts_were_entered(self):
        move = self._report(next_kind="later", date_end="2026-03-01")
        move.action_carry_out()
        self._create_contract(self.connection, self.resident_2, "2026-03-02")
        with (
            mute_logger("odoo.sql_db"),
            self.assertRefused(UserError, "Take them away first"),
        ):
            move.action_undo()

    def test_new_address_counts_from_the_day_after(self):
        move = self._report(next_kind="owner", new_street="Kade 5", new_city="Ede")
        move.action_carry_out()
        self.assertFalse(self.resident.street)
        with freeze_time("2026-03-31 12:00:00"):
            self.env["onergy.move"]._cron_after_last_day()
        self.assertFalse(self.resident.street)
        with freeze_time("2026-04-01 12:00:00"):
            self.env["onergy.move"]._cron_after_last_day()
        self.assertEqual(self.resident.street, "Kade 5")
        self.assertTrue(move.address_applied)

    def test_moving_in_replaces_who_pays_now(self):
        self.contract.date_end = "2025-12-31"
        vacancy = self._create_contract(
            self.connection, self.owner, "2026-01-01", role="vacancy"
        )
        form = Form(self.env["onergy.move"].with_user(self.clerk))
        form.kind = "move_in"
        form.connection_id = self.connection
        self.assertEqual(form.contract_id, vacancy)
        form.next_date = fields.Date.to_date("2026-03-16")
        form.next_name = "Third resident"
        move = form.save()
        self.assertNotIn("has not reported", move.preview)
        move.action_carry_out()
        self.assertEqual(
            self._spans()[1:],
            [
                ("Housing association", "2026-01-01", "2026-03-15", "vacancy"),
                ("Third resident", "2026-03-16", "", "tenant"),
            ],
        )

    def test_moving_in_over_somebody_who_lives_there_warns(self):
        move = self._report(
            kind="move_in",
            next_kind="resident",
            next_name="Third resident",
            next_date="2026-04-01",
        )
        self.assertEqual(str(move.date_end), "2026-03-31")
        self.assertIn("First resident has not reported a move", move.preview)

    def test_first_contract_of_a_new_dwelling(self):
        home = self.connection.copy({"house_number": "9"})
        move = self.env["onergy.move"].create(
            {
                "kind": "move_in",
                "connection_id": home.id,
                "next_date": "2026-04-01",
                "next_kind": "resident",
                "next_partner_id": self.resident_2.id,
            }
        )
        move.action_carry_out()
        self.assertEqual(
            self._spans(home), [("Second resident", "2026-04-01", "", "tenant")]
        )
        move.action_undo()
        self.assertEqual(self._spans(home), [])

    def test_sale_with_a_known_buyer_hands_over_the_ownership(self):
        self.contract.role = "owner_occupier"
        self.connection.owner_id = self.resident
        move = self._report(kind="sale", next_kind="resident", next_name="Buyer")
        move.action_carry_out()
        buyer = move.next_partner_id
        self.assertEqual(move.next_contract_id.role, "owner_occupier")
        self.assertEqual(self.connection.owner_id, buyer)
        move.action_undo()
        self.assertEqual(self.connection.owner_id, self.resident)

    def test_sale_with_an_unknown_buyer(self):
        move = self._report(kind="sale", next_kind="unknown")
        move.action_carry_out()
        self.assertEqual(move.vacancy_contract_id.partner_id, self.owner)
        self.assertIn("Find out", "".join(move.activity_ids.mapped("display_name")))

    # -- death

    def _report_death(self, **values):
        return self._report(
            kind="death",
            date_end=False,
            contact_name="Daughter",
            contact_email="daughter@example.com",
            **values,
        )

    def test_after_a_death_the_estate_is_written_to(self):
        user = self.resident._onergy_get_or_create_portal_user()[self.resident]
        self.contract.payment_method = "direct_debit"
        changes = []
        self.patch(
            type(self.env["res.partner"]),
            "_onergy_contact_changed",
            lambda partner, old: changes.append((partner, old["email"])),
        )
        move = self._report_death()
        self.assertIn("Estate of First resident", move.preview)
        with self.mock_mail_gateway():
            move.action_carry_out()
        self.assertEqual(self.resident.name, "Estate of First resident")
        self.assertEqual(self.resident.email, "daughter@example.com")
        self.assertEqual(self.contract.payment_method, "bank_transfer")
        self.assertFalse(self.contract.date_end)
        self.assertFalse(user.active)
        self.assertEqual(changes, [(self.resident, "first@example.com")])
        mails = self.env["mail.mail"].search([("res_id", "=", move.id)])
        self.assertEqual(mails.mapped("email_to"), ["daughter@example.com"])
        for mail in mails:
            self.assertNotIn("first@example.com", mail.body_html)
            self.assertIn("Dear Daughter", mail.body_html)
        # The heirs report the end later: an ordinary move, written to them.
        end = self._report(next_kind="owner")
        self.assertIn("daughter@example.com", end._get_mail_to())
        end.action_carry_out()
        self.assertEqual(str(self.contract.date_end), "2026-03-31")

    def test_death_undone(self):
        user = self.resident._onergy_get_or_create_portal_user()[self.resident]
        self.contract.payment_method = "direct_debit"
        move = self._report_death(new_street="Laan 1", new_zip="1234AB", new_city="Ede")
        move.action_carry_out()
        self.assertEqual(self.resident.street2, "Attn. Daughter")
        move.action_undo()
        self.assertEqual(self.resident.name, "First resident")
        self.assertEqual(self.resident.email, "first@example.com")
        self.assertFalse(self.resident.street)
        self.assertEqual(self.contract.payment_method, "direct_debit")
        self.assertTrue(user.active)

    def test_death_without_a_way_to_reach_the_heirs(self):
        move = self._report_death()
        move.contact_email = False
        self.assertIn("nobody gets the bills", move.preview)

    # -- work items and rights

    def test_activity_follows_the_move(self):
        move = self._report()
        self.assertEqual(move.activity_ids.user_id, self.clerk)
        self.assertEqual(str(move.activity_ids.date_deadline), "2026-03-31")
        move.date_end = "2026-01-01"
        self.assertEqual(str(move.activity_ids.date_deadline), "2026-03-10")
        move.action_cancel()
        self.assertFalse(move.activity_ids)
        move.action_reopen()
        self.assertTrue(move.activity_ids)

    def test_drafts_of_residents_are_thrown_away(self):
        move = self._report(state="draft")
        self.assertFalse(move.activity_ids)
        self.env.cr.execute(
            "UPDATE onergy_move SET write_date = '2026-03-01' WHERE id = %s",
            [move.id],
        )
        other = self._report(contract_id=self.contract_2.id)
        self.env["onergy.move"]._gc_drafts()
        self.assertFalse(move.exists())
        self.assertTrue(other.exists())

    def test_who_may_carry_out(self):
        move = self._report(next_kind="owner")
        for role in ("metering", "accountant"):
            with self.subTest(role), self.assertRaises(AccessError):
                move.with_user(self.staff[role]).action_carry_out()
        user = self.resident._onergy_get_or_create_portal_user()[self.resident]
        other = self.resident_2._onergy_get_or_create_portal_user()[self.resident_2]
        with self.assertRaises(AccessError):
            move.with_user(user).action_carry_out()
        self.assertEqual(self.env["onergy.move"].with_user(user).search([]), move)
        self.assertFalse(self.env["onergy.move"].with_user(other).search([]))
        for name in ("next_partner_id", "user_id", "preview", "undo_values"):
            with self.subTest(name), self.assertRaises(AccessError):
                move.with_user(user).read([name])
        public = self.env.ref("base.public_user")
        with self.assertRaises(AccessError):
            move.with_user(public).read(["name"])

    def test_from_the_contract(self):
        action = self.contract.with_user(self.clerk).action_report_move()
        form = Form(
            self.env["onergy.move"]
            .with_user(self.clerk)
            .with_context(**action["context"])
        )
        self.assertEqual(form.connection_id, self.connection)
        self.assertEqual(form.partner_id, self.resident)
        form.date_end = fields.Date.to_date("2026-04-30")
        move = form.save()
        self.assertEqual(self.contract.move_count, 1)
        self.assertEqual(self.contract.action_report_move()["res_id"], move.id)


@tagged("post_install", "-at_install")
class TestMoveBilled(MoveCommon, AccountTestInvoicingCommon):
    @classmethod
    def get_default_groups(cls):
        manager = cls.env.ref("onergy_residents.group_manager")
        return super().get_default_groups() | manager

    def test_undo_stops_at_a_bill_of_the_next_payer(self):
        today = fields.Date.today()
        move = self._report(next_kind="owner", date_end=today)
        move.action_carry_out()
        vacancy = move.vacancy_contract_id
        self.assertEqual(vacancy.date_start, today + timedelta(days=1))
        bill = self.init_invoice(
            "out_invoice", partner=self.owner, amounts=[100], post=False
        )
        bill.onergy_contract_id = vacancy
        bill.action_post()
        with self.assertRefused(UserError, "has invoices already"):
            move.action_undo()
        self.assertEqual(move.state, "done")
