from datetime import timedelta
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import STATIC_TOKEN, PaytCommon


@tagged("post_install", "-at_install")
class TestPull(PaytCommon):
    """What Payt tells us besides money."""

    def setUp(self):
        super().setUp()
        self.move = self.invoice(100.0)
        self.sync()

    def phase(self, phase, **values):
        self.payt.control_phase(
            {"invoice_number": self.move.name, "phase": phase, **values}
        )

    # ---------------------------------------------------------------------- phases

    def test_a_reminder_shows_on_the_invoice_and_in_its_history(self):
        self.phase("reminder_1", costs="5.00")
        self.pull()
        mirror = self.mirror(self.move)
        self.assertEqual((mirror.status, mirror.status_number), ("reminder", 1))
        self.assertEqual(mirror.costs_open, 5.0)
        self.assertEqual(self.move.amount_residual, 100.0)
        self.assertEqual(self.move.payt_status, "reminder")
        self.assertIn("Reminder 1", str(self.move.message_ids[0].body))
        found = self.env["account.move"].search(
            [("payt_invoice_ids.status", "=", "reminder")]
        )
        self.assertIn(self.move, found)

    def test_the_history_tells_each_step_once(self):
        self.phase("reminder_1")
        before = len(self.move.message_ids)
        for _number in range(3):
            self.pull()
        self.assertEqual(len(self.move.message_ids), before + 1)

    def test_a_quiet_poll_costs_one_call_per_list(self):
        self.payt.counts.clear()
        self.pull()
        self.assertEqual(set(self.payt.counts.values()), {1})
        self.assertEqual(self.payt.counts.total(), 8)

    def _no_time(self):
        """Let the scheduler's time be up after each list."""
        cron = self.env.registry["ir.cron"]
        original = cron._commit_progress

        def commit(model, *args, **kwargs):
            original(model, *args, **kwargs)
            return 0

        self.patch(cron, "_commit_progress", commit)

    def test_a_round_goes_on_where_time_was_up(self):
        self._no_time()
        self.connection.cursor_ids.sudo().last_run = False
        self.pay(self.move)
        before = self.connection.last_pull
        self.payt.counts.clear()
        self.pull()
        self.assertEqual(len(self.payt.counts), 12)
        self.assertEqual(set(self.payt.counts.values()), {1})
        self.assertEqual(self.move.payment_state, "paid")
        self.assertGreater(self.connection.last_pull, before)
        self.pull()
        self.assertEqual(self.payt.counts["GET /v1/debtors"], 2)

    def test_a_refused_list_does_not_hold_up_the_others_when_time_is_short(self):
        self._no_time()
        self.phase("reminder_1")
        self.payt.faults.add(
            {
                "kind": "missing_scope",
                "operation": "GET /v1/debtors",
                "scope": "debtors:read",
                "times": 99,
            }
        )
        self.pull()
        self.assertEqual(self.mirror(self.move).status, "reminder")

    def test_a_second_company_has_its_turn_when_time_is_short(self):
        company = self.env["res.company"].create({"name": "Andere leverancier"})
        other = self.connection.sudo().copy(
            {"company_id": company.id, "journal_id": False, "cost_account_id": False}
        )
        other.write(
            {
                "api_token": self.connection.sudo().api_token,
                "live_enabled": True,
                "fingerprint": self.connection.sudo().fingerprint,
            }
        )
        self._no_time()
        for _call in range(3):
            self.pull()
        self.assertTrue(other.last_pull)
        self.assertTrue(self.connection.last_pull)

    def test_what_changes_while_a_list_is_read_is_read_again(self):
        """A list of many pages: after its first page, a row on that page changes."""
        self.connection.page_size = 1
        second = self.invoice(50.0)
        self.sync()
        cursor = self.connection.cursor_ids.filtered(lambda c: c.resource == "invoices")
        cursor.sudo().watermark = False
        original = self.env.registry["payt.pull"]._apply_invoices
        hour = timedelta(hours=1)

        def apply(pull, connection, rows):
            unmatched = original(pull, connection, rows)
            if rows[0]["id"] == self.at_payt(self.move)["id"]:
                with self.payt.locked() as state:
                    # It takes Payt an hour to come to the second page.
                    state.latest += hour
                    state.advance(self.at_payt(self.move), "reminder_1")
                    state.latest += hour
                    state.touch(self.at_payt(second))
            return unmatched

        with patch.object(self.env.registry["payt.pull"], "_apply_invoices", apply):
            self.pull()
        self.pull()
        self.assertEqual(self.mirror(self.move).status, "reminder")

    def test_a_watermark_stays_when_there_is_no_news(self):
        cursor = self.connection.cursor_ids.filtered(lambda c: c.resource == "invoices")
        before = cursor.watermark
        self.pull()
        self.assertEqual(cursor.watermark, before)
        self.phase("reminder_1")
        self.pull()
        self.assertGreaterEqual(cursor.watermark, before)

    def test_a_break_halfway_loses_no_page(self):
        self.connection.page_size = 2
        moves = [self.invoice(10.0) for _number in range(5)]
        self.push()
        for move in moves:
            self.payt.control_phase(
                {"invoice_number": move.name, "phase": "reminder_2"}
            )
        # The first page comes, then the line breaks for good.
        self.payt.faults.add(
            {"kind": "cut_before", "operation": "GET /v1/invoices", "times": 9}
        )
        self.pull()
        self.payt.faults.clear()
        self.pull()
        statuses = {self.mirror(move).status for move in moves}
        self.assertEqual(statuses, {"reminder"})

    def test_what_a_job_writes_is_in_the_language_of_who_reads_it(self):
        self.env["res.lang"]._activate_lang("nl_NL")
        self.env.user.lang = "nl_NL"
        self.phase("reminder_2")
        self.connection.sudo().api_token = "wrong"
        self.pull()
        self.assertEqual(
            self.connection.activity_ids.summary, "Payt laat ons niet binnen"
        )
        self.connection.sudo().api_token = STATIC_TOKEN
        self.pull()
        self.assertIn("Payt: Herinnering 2", self.move.message_ids[:1].body)

    def test_trouble_is_over_when_all_lists_can_be_read(self):
        refused = {"kind": "missing_scope", "operation": "GET /v1/notes"}
        self.payt.faults.add({**refused, "scope": "notes:read"})
        self.pull()
        self.assertEqual(self.connection.last_error_code, "permission")
        self.assertIn("notes:read", self.connection.trouble)
        # Sending goes well, but the notes still cannot be read.
        self.invoice()
        self.push()
        self.assertTrue(self.connection.trouble)
        self.pull()
        self.assertFalse(self.connection.trouble)
        self.assertFalse(self.connection.last_error)

    def test_one_refused_list_does_not_stop_the_others(self):
        self.phase("reminder_1")
        self.payt.faults.add(
            {
                "kind": "missing_scope",
                "operation": "GET /v1/debtors",
                "scope": "debtors:read",
            }
        )
        self.pull()
        self.assertEqual(self.mirror(self.move).status, "reminder")
        cursor = self.connection.cursor_ids.filtered(lambda c: c.resource == "debtors")
        self.assertIn("debtors:read", cursor.last_error)

    def test_a_case_keeps_its_costs_apart(self):
        self.phase("debt_collection")
        self.pull()
        mirror = self.mirror(self.move)
        self.assertEqual(mirror.status, "debt_collection")
        self.assertEqual(mirror.case_id.collection_costs, 40.0)
        self.assertEqual(mirror.case_id.interest, 1.25)
        self.assertEqual(self.move.amount_residual, 100.0)

    def test_deleted_at_payt(self):
        with self.payt.locked() as state:
            stored = self.at_payt(self.move)
            state.delete(
                "invoices",
                stored,
                invoice_number=stored["invoice_number"],
                origin_identifier=stored["invoice_identifier"],
                debtor_id=stored["debtor_id"],
            )
        self.connection.cursor_ids.sudo().last_run = False
        self.pull()
        self.assertEqual(self.mirror(self.move).status, "deleted")
        self.assertTrue(self.move.activity_ids)

    # --------------------------------------------------------------------- messages

    def test_a_question_reaches_staff_without_mailing_anyone(self):
        self.payt.control_comment(
            {"invoice_number": self.move.name, "text": "Klopt <b>dit</b>?"}
        )
        self.pull()
        message = self.env["payt.message"].search([])
        self.assertEqual((message.kind, message.is_unread), ("in", True))
        self.assertEqual(message.move_id, self.move)
        note = message.mail_message_id
        self.assertEqual(note.author_id, self.payer)
        self.assertIn("Klopt &lt;b&gt;dit&lt;/b&gt;?", str(note.body))
        self.assertTrue(note.is_internal or note.subtype_id.internal)
        mailed = self.env["mail.mail"].search([]).recipient_ids
        self.assertNotIn(self.payer, mailed)
        self.assertTrue(self.move.activity_ids)

    def test_an_answer_goes_back_once(self):
        self.payt.control_comment({"invoice_number": self.move.name, "text": "Vraag"})
        self.pull()
        message = self.env["payt.message"].search([])
        wizard = (
            self.env["payt.answer.wizard"]
            .with_context(default_message_id=message.id)
            .create({"body": "Dat klopt."})
        )
        self.assertIn(message.subject, wizard.subject)
        wizard.action_send()
        self.sync()
        self.sync()
        answers = [
            row["content"]
            for row in self.payt.state.messages.values()
            if row["sender_type"] == "creditor"
        ]
        self.assertEqual(answers, ["Dat klopt."])
        self.assertEqual(self.env["payt.message"].search_count([]), 2)
        self.assertFalse(message.is_unread)

    def test_a_note_is_for_staff(self):
        with self.payt.locked() as state:
            state.insert(
                "notes",
                {
                    "content": "Gebeld, betaalt vrijdag",
                    "invoice_id": self.at_payt(self.move)["id"],
                    "debtor_id": self.at_payt(self.move)["debtor_id"],
                    "created_at": state.now(),
                },
            )
        self.pull()
        self.assertEqual(self.env["payt.message"].search([]).kind, "note")

    def test_what_is_read_here_is_read_at_payt_and_the_reverse(self):
        for text in ("Een", "Twee"):
            self.payt.control_comment({"invoice_number": self.move.name, "text": text})
        self.pull()
        first, second = self.env["payt.message"].search([], order="id")
        first.action_mark_read()
        self.push()
        rows = {row["id"]: row for row in self.payt.state.messages.values()}
        self.assertTrue(rows[first.payt_id].get("read_at"))
        self.assertFalse(rows[second.payt_id].get("read_at"))
        with self.payt.locked() as state:
            state.mark_read({"id": second.payt_id, "read": True})
        self.pull()
        self.assertFalse(second.is_unread)

    # --------------------------------------------------------------------- deletions

    def _delete(self, table, row, **extra):
        with self.payt.locked() as state:
            state.delete(table, row, **extra)
        self.connection.cursor_ids.sudo().last_run = False
        self.pull()

    def test_a_deleted_case_is_put_away(self):
        self.phase("debt_collection")
        self.pull()
        case = self.mirror(self.move).case_id
        (row,) = self.payt.state.credit_cases.values()
        with self.payt.locked():
            self.at_payt(self.move).update(
                active_credit_case_id=None, debt_collection_at=None
            )
            self.payt.state.touch(self.at_payt(self.move))
        self._delete("credit_cases", row, debtor_id=row["debtor_id"])
        self.assertFalse(case.active)
        mirror = self.mirror(self.move)
        self.assertFalse(mirror.case_id or mirror.has_case)
        self.assertNotEqual(mirror.status, "debt_collection")

    def test_a_deleted_plan_has_ended(self):
        plan = self._propose()
        (row,) = self.payt.state.payment_plans.values()
        self._delete("payment_plans", row, debtor_id=row["debtor_id"])
        self.assertEqual(plan.state, "ended")
        self.assertFalse(plan.activity_ids)

    def _delete_payment(self):
        (row,) = self.payt.state.payments.values()
        self._delete(
            "payments", row, invoice_id=row["invoice_id"], origin_identifier=""
        )

    def test_a_deleted_payment_that_was_booked_needs_a_person(self):
        self.pay(self.move)
        self.pull()
        self._delete_payment()
        transaction = self.env["payt.transaction"].search([])
        self.assertEqual(transaction.state, "attention")
        self.assertIn("deleted", transaction.problem)
        self.assertTrue(transaction.activity_ids)
        self.assertEqual(self.move.payment_state, "paid")

    def test_a_deleted_payment_that_was_not_booked_yet_is_forgotten(self):
        self.connection.journal_id.inbound_payment_method_line_ids.write(
            {"payment_account_id": False}
        )
        self.pay(self.move)
        self.pull()
        transaction = self.env["payt.transaction"].search([])
        self.assertEqual(transaction.state, "attention")
        self.assertTrue(transaction.line_ids)
        self._delete_payment()
        self.assertFalse(transaction.line_ids)
        self.assertEqual(self.move.amount_residual, 100.0)

    # ----------------------------------------------------------------- bank payments

    def _match_bank(self, amount="100.00"):
        self.payt.control_match_bank(
            {"invoice_number": self.move.name, "amount": amount}
        )
        self.pull()
        return self.env["payt.bank.payment"].search([])

    def test_a_bank_payment_is_a_suggestion_and_books_nothing(self):
        payment = self._match_bank()
        self.assertEqual((payment.amount, payment.state), (100.0, "new"))
        self.assertEqual(self.move.amount_residual, 100.0)
        self.assertTrue(self.move.activity_ids)
        self.assertEqual(self.env["account.payment"].search_count([]), 0)
        self.connection.invalidate_recordset()
        self.assertEqual(self.connection.bank_count, 1)

    def test_our_open_amount_does_not_undo_what_payt_saw_at_the_bank(self):
        payment = self._match_bank("60.00")
        self.mirror(self.move).action_send_open_amount()
        self.mirror(self.move).action_send()
        self.push()
        self.assertEqual(str(self.at_payt(self.move)["open_amount"]), "40.00")
        # The bank statement brings it into our books: nothing is counted twice.
        self._pay_in_odoo(60.0)
        self.sync()
        self.assertEqual(payment.state, "booked")
        self.assertEqual(str(self.at_payt(self.move)["open_amount"]), "40.00")
        self._pay_in_odoo(40.0)
        self.sync()
        self.assertEqual(self.at_payt(self.move)["open_amount"], 0)

    def _see_bank_payment_while_sending(self):
        """Payt found 60 of 100 at the bank, and we hear of it in a push."""
        self.payt.control_match_bank(
            {"invoice_number": self.move.name, "amount": "60.00"}
        )

    def test_an_open_amount_does_not_undo_a_bank_payment_seen_while_sending(self):
        self._see_bank_payment_while_sending()
        credit = self.invoice(10.0, move_type="out_refund")
        (self.move | credit).line_ids.filtered(
            lambda line: line.account_id.account_type == "asset_receivable"
        ).reconcile()
        self.assertEqual(self.move.amount_residual, 90.0)
        self.push()
        self.assertEqual(str(self.at_payt(self.move)["open_amount"]), "40.00")
        payment = self.env["payt.bank.payment"].search([])
        self.assertEqual((payment.amount, payment.state), (60.0, "new"))

    def test_sending_again_does_not_undo_a_bank_payment_seen_while_sending(self):
        self._see_bank_payment_while_sending()
        self.mirror(self.move).action_send()
        self.push()
        self.assertEqual(str(self.at_payt(self.move)["open_amount"]), "40.00")

    def test_a_bank_payment_that_comes_while_a_list_is_read_is_not_in_the_books(self):
        """Payt finds it after we read its invoices and before we read its payments."""
        original = self.env.registry["payt.pull"]._apply_invoices
        late = [lambda: self._see_bank_payment_while_sending()]

        def apply(pull, connection, rows):
            result = original(pull, connection, rows)
            if late:
                late.pop()()
            return result

        self.patch(self.env.registry["payt.pull"], "_apply_invoices", apply)
        self.phase("reminder_1")
        self.pull()
        self.assertEqual(self.env["payt.bank.payment"].search([]).state, "new")
        self.mirror(self.move).action_send()
        self.push()
        self.assertEqual(str(self.at_payt(self.move)["open_amount"]), "40.00")

    def _pay_in_odoo(self, amount):
        self.env["account.payment.register"].with_context(
            active_model="account.move", active_ids=self.move.ids
        ).create({"amount": amount})._create_payments()

    def test_a_wrong_match_is_refused_and_payt_told(self):
        payment = self._match_bank()
        payment.action_ignore()
        self.push()
        self.assertEqual(str(self.at_payt(self.move)["open_amount"]), "100.00")

    def test_a_suggestion_opens_the_payment_wizard_filled_in(self):
        action = self._match_bank("60.00").action_register()
        wizard = (
            self.env[action["res_model"]].with_context(**action["context"]).create({})
        )
        self.assertEqual(wizard.amount, 60.0)

    def test_the_reason_of_a_difference_is_named(self):
        self._match_bank("60.00")
        row = self.differences()
        self.assertEqual(row.kind, "amount")
        self.assertIn("bank", row.explanation)

    def test_a_deleted_bank_payment_is_no_suggestion_any_more(self):
        self._match_bank()
        self._delete_payment()
        self.assertFalse(self.env["payt.bank.payment"].search([]))

    # ------------------------------------------------------------------------- plans

    def _ask(self, count=3):
        return (
            self.env["payt.plan"].sudo()._propose(self.mirror(self.move), count, "Krap")
        )

    def test_a_proposal_of_our_portal_is_made_at_payt_when_approved(self):
        plan = self._ask()
        self.assertEqual(plan.term_ids.mapped("amount"), [33.34, 33.33, 33.33])
        self.assertTrue(plan.activity_ids)
        self.sync()
        self.assertFalse(self.payt.state.payment_plans)
        plan.action_approve()
        self.sync()
        (row,) = self.payt.state.payment_plans.values()
        self.assertEqual((plan.payt_id, plan.state), (row["id"], "active"))
        self.assertEqual(self.mirror(self.move).status, "plan")
        self.assertFalse(plan.activity_ids)
        self.assertEqual(self.env["payt.plan"].search_count([]), 1)

    def test_a_plan_with_unclear_outcome_is_not_made_twice(self):
        self.patch(self.env.registry["payt.push"], "_look_up_after", lambda push: 0)
        for number, kind in enumerate(("cut_after", "error_after", "cut_before"), 1):
            with self.subTest(kind=kind):
                plan = self._ask(number + 1)
                self.payt.faults.add(
                    {"kind": kind, "operation": "POST /v1/payment_plans"}
                )
                plan.action_approve()
                self.push()
                self.assertEqual(self.operations(plan).state, "unknown")
                self.push()
                self.sync()
                self.assertEqual(len(self.payt.state.payment_plans), number)
                self.assertEqual(plan.state, "active")
                self.assertEqual(self.env["payt.plan"].search_count([]), number)

    def test_a_refused_proposal_is_told_in_a_message(self):
        plan = self._ask()
        plan.action_reject()
        self.sync()
        self.assertEqual(plan.state, "rejected")
        self.assertFalse(self.payt.state.payment_plans)
        (row,) = self.payt.state.messages.values()
        self.assertIn("cannot agree", row["content"])
        with self.assertRaises(UserError):
            plan.action_approve()

    def test_a_proposal_about_another_amount_is_not_approved(self):
        plan = self._ask()
        self._pay_in_odoo(40.0)
        with self.assertRaises(UserError):
            plan.action_approve()

    def _propose(self):
        with self.payt.locked() as state:
            state.plan(
                [self.at_payt(self.move)],
                [("50.00", "2025-07-01"), ("50.00", "2025-08-01")],
                reason="Even krap",
            )
        self.pull()
        return self.env["payt.plan"].search([])

    def test_a_proposed_plan_is_decided_by_a_person(self):
        plan = self._propose()
        self.assertEqual((plan.state, plan.reason), ("proposed", "Even krap"))
        self.assertEqual((plan.amount, len(plan.term_ids)), (100.0, 2))
        self.assertTrue(plan.activity_ids)
        plan.action_approve()
        with self.assertRaises(UserError):
            plan.action_reject()
        self.sync()
        self.assertEqual(plan.state, "active")
        self.assertEqual(self.mirror(self.move).status, "plan")
        self.assertFalse(plan.activity_ids)
        plan.action_deactivate()
        self.sync()
        self.assertEqual(plan.state, "ended")

    def test_a_decision_with_unclear_outcome_is_looked_up(self):
        self.patch(self.env.registry["payt.push"], "_look_up_after", lambda push: 0)
        plan = self._propose()
        self.payt.faults.add(
            {"kind": "cut_after", "operation": "PATCH /v1/payment_plans/{id}/approve"}
        )
        plan.action_approve()
        self.push()
        self.assertEqual(self.operations(plan).state, "unknown")
        self.push()
        self.assertEqual(self.operations(plan).state, "done")
        self.assertEqual(self.payt.counts["PATCH /v1/payment_plans/{id}/approve"], 1)

    # ------------------------------------------------------------------------ e-mail

    def _give_email(self, address):
        with self.payt.locked() as state:
            debtor = state.debtors[self.at_payt(self.move)["debtor_id"]]
            state.change_email(debtor, address)
        self.pull()
        return self.mirror(self.move).debtor_id

    def test_a_given_address_is_a_proposal(self):
        debtor = self._give_email("nieuw@example.com")
        self.assertEqual(debtor.proposed_email, "nieuw@example.com")
        self.assertEqual(self.payer.email, "eerste@example.com")
        self.payer.action_payt_accept_email()
        self.assertEqual(self.payer.email, "nieuw@example.com")
        self.push()
        (contact,) = self.payt.state.contacts.values()
        self.assertEqual(contact["default_email_address"], "nieuw@example.com")
        self.assertFalse(debtor.proposed_email)

    def test_a_refused_address_stays_refused(self):
        debtor = self._give_email("fout@example.com")
        self.payer.action_payt_refuse_email()
        self.phase("reminder_1")
        self.pull()
        self.pull()
        self.assertFalse(debtor.proposed_email)
        self.assertEqual(self.payer.email, "eerste@example.com")

    # ------------------------------------------------------------------- differences

    def differences(self):
        self.env.flush_all()
        return self.env["payt.difference"].search(
            [("connection_id", "=", self.connection.id)]
        )

    def test_no_difference_when_all_is_well(self):
        self.assertFalse(self.differences())

    def test_another_open_amount_is_explained_and_mended(self):
        self.mirror(self.move).open_amount = 60.0
        self.at_payt(self.move)["open_amount"] = type(
            self.at_payt(self.move)["open_amount"]
        )("60.00")
        row = self.differences()
        self.assertEqual((row.kind, row.difference), ("amount", 40.0))
        self.assertTrue(row.explanation)
        row.action_mend()
        self.assertFalse(self.differences(), "a change on its way is no difference")
        self.push()
        self.assertFalse(self.differences())
        self.assertEqual(str(self.at_payt(self.move)["open_amount"]), "100.00")

    def test_an_unbooked_online_payment_is_named_as_the_reason(self):
        self.pay(self.move, amount="30.00")
        self.pull()
        transaction = self.env["payt.transaction"].search([])
        payment = transaction.payment_id
        payment.move_id.line_ids.remove_move_reconcile()
        transaction.sudo().state = "attention"
        self.operations(state="pending").state = "cancelled"
        self.assertIn("online", self.differences().explanation)

    def test_an_invoice_that_never_arrived_is_sent(self):
        late = self.invoice(50.0)
        self.operations(self.mirror(late)).state = "cancelled"
        row = self.differences()
        self.assertEqual((row.kind, row.move_id), ("missing", late))
        row.action_mend()
        self.push()
        self.assertTrue(self.at_payt(late))

    def test_a_deleted_invoice_can_be_sent_again(self):
        self.mirror(self.move).status = "deleted"
        row = self.differences()
        self.assertEqual(row.kind, "deleted")
        with self.payt.locked() as state:
            state.invoices.clear()
        row.action_mend()
        self.push()
        self.assertTrue(self.at_payt(self.move))

    def test_a_cancelled_invoice_is_closed_at_payt(self):
        name = self.move.name
        self.move.button_draft()
        self.push()
        row = self.differences()
        self.assertEqual(row.kind, "cancelled")
        row.action_mend()
        self.push()
        stored = self.payt.state.find("invoices", invoice_number=name)
        self.assertEqual(stored["open_amount"], 0)
        self.assertFalse(self.differences())

    def test_another_total_is_for_a_person_and_mended_by_a_credit(self):
        stored = self.at_payt(self.move)
        stored["total_amount"] = stored["total_amount"] + 5
        self.payt.state.touch(stored)
        self.pull()
        row = self.differences()
        self.assertEqual((row.kind, row.difference), ("total", -5.0))
        # Payt does not change a total, so there is nothing to send.
        row.action_mend()
        self.assertFalse(self.operations(state="pending"))
        action = row.action_credit()
        wizard = (
            self.env[action["res_model"]]
            .with_context(**action["context"])
            .create({"journal_id": self.move.journal_id.id})
        )
        result = wizard.modify_moves()
        self.env["account.move"].browse(result["res_id"]).action_post()
        self.sync()
        self.assertFalse(self.differences())

    def test_webhooks_gone_silent_are_noticed(self):
        self.assertFalse(self.connection.webhooks_silent)
        self.phase("reminder_1")
        self.pull()
        self.connection.invalidate_recordset()
        self.assertTrue(self.connection.webhooks_silent)
