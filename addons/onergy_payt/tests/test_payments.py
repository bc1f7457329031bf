from datetime import datetime

from freezegun import freeze_time

from odoo.tests import tagged

from ..payt_fields import PAYMENT_FIELDS
from .common import PaytCommon


@tagged("post_install", "-at_install")
class TestPayments(PaytCommon):
    """Money that Payt receives, in our books."""

    def sent(self, amount=100.0, **kw):
        move = self.invoice(amount, **kw)
        self.push()
        return move

    def transaction(self, payt_id):
        return self.env["payt.transaction"].search([("payt_id", "=", payt_id)])

    def test_an_online_payment_is_booked_and_reconciled(self):
        move = self.sent()
        transaction = self.transaction(self.pay(move))
        self.pull()
        self.assertEqual(move.payment_state, "paid")
        transaction = self.env["payt.transaction"].search([])
        self.assertEqual(transaction.state, "booked")
        payment = transaction.payment_id
        self.assertEqual(payment.amount, 100.0)
        self.assertEqual(payment.journal_id, self.connection.journal_id)
        self.assertIn(move.name, payment.memo)
        self.assertEqual(payment.state, "paid")
        self.assertEqual(payment.reconciled_invoice_ids, move)
        self.assertEqual(payment.move_id.origin_payment_id, payment)
        self.assertEqual(payment.move_id.line_ids.payment_id, payment)
        self.assertEqual(move.matched_payment_ids | payment, payment)

    def test_reading_again_books_nothing_twice(self):
        move = self.sent()
        self.pay(move)
        for _number in range(3):
            self.pull()
        self.assertEqual(self.env["account.payment"].search_count([]), 1)

    def test_our_own_open_amounts_are_not_taken_for_payments(self):
        """Payt answers each pushed open amount with a payment of its own making."""
        move = self.sent(100.0)
        self.env["account.payment.register"].with_context(
            active_model="account.move", active_ids=move.ids
        ).create({"amount": 30.0})._create_payments()
        self.sync()
        self.assertTrue(self.payt.state.payments)
        self.assertFalse(self.env["payt.transaction"].search([]))
        self.assertEqual(move.amount_residual, 70.0)

    def test_a_fresh_payment_is_not_undone_by_our_open_amount(self):
        """The lost update: he pays while our older amount is on its way."""
        move = self.sent(100.0)
        self.env["account.payment.register"].with_context(
            active_model="account.move", active_ids=move.ids
        ).create({"amount": 40.0})._create_payments()
        self.pay(move, amount="60.00")
        self.push()
        self.assertEqual(self.at_payt(move)["open_amount"], 0)
        self.assertEqual(move.amount_residual, 0)
        self.sync()
        self.assertEqual(self.at_payt(move)["open_amount"], 0)

    def test_failed_and_cancelled_payments_are_no_money(self):
        move = self.sent()
        self.pay(move, status="failed")
        self.pay(move, status="cancelled")
        self.pull()
        self.assertEqual(move.amount_residual, 100.0)
        states = self.env["payt.transaction"].search([]).mapped("state")
        self.assertEqual(set(states), {"closed"})

    def test_one_payment_for_several_invoices_is_split_as_payt_says(self):
        first, second = self.invoice(100.0), self.invoice(50.0)
        self.push()
        with self.payt.locked() as state:
            transaction = state.start_payment(
                [self.at_payt(first), self.at_payt(second)], amounts=["30.00", "50.00"]
            )
            state.finish_payment(transaction, "paid")
        self.pull()
        self.assertEqual(first.amount_residual, 70.0)
        self.assertEqual(second.amount_residual, 0.0)
        self.assertEqual(self.env["account.payment"].search_count([]), 1)

    def _pay_two_at_once(self):
        """One payment of two invoices, and the invoices."""
        first, second = self.invoice(100.0), self.invoice(50.0)
        self.sync()
        with self.payt.locked() as state:
            transaction = state.start_payment(
                [self.at_payt(first), self.at_payt(second)]
            )
            state.finish_payment(transaction, "paid")
        return transaction, first, second

    def test_a_payment_seen_through_one_of_its_invoices_waits_for_the_other(self):
        _row, first, second = self._pay_two_at_once()
        self.mirror(first).action_fetch()
        transaction = self.env["payt.transaction"].search([])
        self.assertEqual((transaction.state, len(transaction.line_ids)), ("new", 1))
        self.assertFalse(transaction.activity_ids)
        self.pull()
        self.assertEqual(transaction.state, "booked")
        self.assertEqual((first | second).mapped("payment_state"), ["paid", "paid"])

    def test_a_row_that_comes_late_books_what_waited_for_a_person(self):
        _row, first, second = self._pay_two_at_once()
        with self.payt.locked() as state:
            late = state.find("payments", invoice_id=self.at_payt(second)["id"])
            state.payments.pop(late["id"])
        for _poll in range(2):
            self.pull()
        transaction = self.env["payt.transaction"].search([])
        self.assertEqual(transaction.state, "attention")
        self.assertIn("add up", transaction.problem)
        with self.payt.locked() as state:
            state.payments[late["id"]] = state.touch(late)
        self.pull()
        self.assertEqual(transaction.state, "booked")
        self.assertFalse(transaction.problem or transaction.activity_ids)
        self.assertEqual((first | second).mapped("payment_state"), ["paid", "paid"])

    def test_a_chargeback_seen_through_one_of_its_invoices_waits_too(self):
        row, first, second = self._pay_two_at_once()
        self.pull()
        with self.payt.locked() as state:
            state.take_back(row, "charged_back", "MD06")
        self.mirror(first).action_fetch()
        transaction = self.env["payt.transaction"].search([])
        self.assertEqual(transaction.state, "booked")
        self.pull()
        self.assertEqual(transaction.state, "reversed")
        self.assertEqual((first | second).mapped("amount_residual"), [100.0, 50.0])

    def test_a_payment_without_rows_comes_to_a_person(self):
        move = self.sent(100.0)
        self.payt.faults.add(
            {
                "kind": "missing_scope",
                "operation": "GET /v1/payments",
                "scope": "payments:read",
                "times": 99,
            }
        )
        self.pay(move)
        self.pull()
        transaction = self.env["payt.transaction"].search([])
        self.assertEqual((transaction.status, transaction.state), ("paid", "new"))
        # Meanwhile our open amount does not undo it.
        self.mirror(move).action_send_open_amount()
        self.push()
        self.assertEqual(self.at_payt(move)["open_amount"], 0)
        self.pull()
        self.assertEqual(transaction.state, "attention")
        self.assertIn("which invoices", transaction.problem)
        self.assertTrue(transaction.activity_ids)
        self.payt.faults.clear()
        self.pull()
        self.assertEqual(transaction.state, "booked")
        self.assertEqual(move.payment_state, "paid")

    def test_a_payment_of_which_payt_lists_no_rows_is_not_undone(self):
        """Payt answers, and leaves the rows of this payment out."""
        move, other = self.sent(100.0), self.sent(50.0)
        self.pay(move)
        self.payt.state.payments.clear()
        for _poll in range(2):
            self.pull()
        transaction = self.env["payt.transaction"].search([])
        self.assertEqual(transaction.state, "attention")
        self.assertEqual(transaction.move_names, move.name)
        self.mirror(other).open_amount = 20.0
        for mirror in self.mirror(move) | self.mirror(other):
            mirror.action_send_open_amount()
        self.push()
        self.assertEqual(self.at_payt(move)["open_amount"], 0)
        # What somebody else owes has nothing to do with it.
        self.assertEqual(self.at_payt(other)["open_amount"], 50)
        transaction.action_settle()
        self.mirror(move).action_send_open_amount()
        self.push()
        self.assertEqual(self.at_payt(move)["open_amount"], 100)

    def test_a_payment_of_before_the_first_poll_is_not_undone(self):
        """Nobody has read the lists yet, and the rows of the payment do not come."""
        for send in ("action_send_open_amount", "action_send"):
            move = self.sent(100.0)
            self.pay(move)
            self.payt.state.payments.clear()
            # Paid in part by bank, we had told; that is undone here.
            self.mirror(move).open_amount = 20.0
            getattr(self.mirror(move), send)()
            self.push()
            with self.subTest(send):
                self.assertEqual(self.at_payt(move)["open_amount"], 0)
                self.assertTrue(self.mirror(move).transaction_ids)

    def test_without_leave_to_read_payments_the_amount_goes_on(self):
        move = self.sent(100.0)
        self.mirror(move).open_amount = 20.0
        with self.payt.locked() as state:
            state.invoices[self.at_payt(move)["id"]]["open_amount"] = 20
        self.payt.faults.add(
            {
                "kind": "missing_scope",
                "operation": "GET /v1/psp_transactions",
                "scope": "payments:read",
                "times": 9,
            }
        )
        self.mirror(move).action_send_open_amount()
        self.push()
        self.assertEqual(self.at_payt(move)["open_amount"], 100)

    def test_payments_of_before_we_began_call_nobody(self):
        move = self.sent(100.0)
        with self.payt.locked() as state:
            stored = state.insert(
                "invoices",
                {
                    **self.at_payt(move),
                    "id": state.new_id(),
                    "token": "old",
                    "invoice_number": "OLD/1",
                    "invoice_identifier": "of-somebody-else",
                },
            )
            old = state.start_payment([stored])
            state.finish_payment(old, "paid")
            old["paid_at"] = datetime(2024, 6, 20, 12)
            new = state.start_payment([stored], amounts=["10.00"])
            state.finish_payment(new, "paid")
        for _poll in range(2):
            self.pull()
        transactions = self.env["payt.transaction"].search([])
        history = transactions.filtered(lambda t: t.payt_id == old["id"])
        self.assertEqual(history.state, "shown")
        self.assertFalse(history.activity_ids)
        # What is paid since then for an invoice that we do not know is no history.
        self.assertEqual((transactions - history).state, "attention")

    def test_a_payment_of_before_we_began_for_our_invoice_is_booked(self):
        move = self.sent(100.0)
        payt_id = self.pay(move)
        self.payt.state.psp_transactions[payt_id]["paid_at"] = datetime(2024, 6, 20, 12)
        self.pull()
        self.assertEqual(move.payment_state, "paid")

    def test_a_part_taken_back_before_we_saw_the_payment_comes_to_a_person(self):
        move = self.sent(100.0)
        payt_id = self.pay(move)
        with self.payt.locked() as state:
            transaction = state.psp_transactions[payt_id]
            transaction["parts"] = [type(transaction["amount"])("30.00")]
            state.take_back(transaction, "refunded")
        for _poll in range(2):
            self.pull()
        transaction = self.env["payt.transaction"].search([])
        self.assertEqual(transaction.state, "attention")
        self.assertIn("part", transaction.problem)

    def _reverse_at(self, moment):
        """Book a payment now, take it back at a moment; return both dates."""
        self.pay(self.sent(100.0))
        self.pull()
        transaction = self.env["payt.transaction"].sudo().search([])
        # The job has no time zone of its own.
        job = transaction.with_user(self.env.ref("base.user_root")).sudo()
        with freeze_time(moment):
            job._reverse()
        return transaction.payment_id.date, transaction.reversal_move_id.date

    def test_a_chargeback_counts_on_the_day_of_the_company(self):
        self.env.ref("base.user_root").tz = False
        _booked, reversed_on = self._reverse_at("2036-06-30 22:30:00")
        self.assertEqual(str(reversed_on), "2036-07-01")

    def test_a_chargeback_is_never_before_its_payment(self):
        booked, reversed_on = self._reverse_at("2025-06-30 12:00:00")
        self.assertEqual(reversed_on, booked)

    def test_costs_of_payt_are_kept_apart(self):
        self.connection.cost_account_id = self.company_data["default_account_revenue"]
        move = self.sent(100.0)
        self._pay_with_costs(move, "15.00")
        self.pull()
        self.assertEqual(move.payment_state, "paid")
        payment = self.env["account.payment"].search([])
        self.assertEqual(payment.amount, 115.0)
        cost = payment.move_id.line_ids.filtered(
            lambda line: line.account_id == self.connection.cost_account_id
        )
        self.assertEqual(cost.credit, 15.0)

    def _pay_with_costs(self, move, costs):
        with self.payt.locked() as state:
            stored = self.at_payt(move)
            transaction = state.start_payment([stored])
            transaction["amount"] += type(transaction["amount"])(costs)
            state.finish_payment(transaction, "paid")
            state.insert(
                "payments",
                {
                    "invoice_id": stored["id"],
                    "total_amount": type(transaction["amount"])(costs),
                    "payment_date": "2025-06-20",
                    "cost_type": "administration_costs",
                    "transaction_type": "payment",
                    "payment_method": "ideal",
                    "psp_transaction_id": transaction["id"],
                },
            )

    def test_costs_without_an_account_wait_for_a_person(self):
        move = self.sent(100.0)
        self._pay_with_costs(move, "15.00")
        self.pull()
        transaction = self.env["payt.transaction"].search([])
        self.assertEqual(transaction.state, "attention")
        self.assertTrue(transaction.activity_ids)
        self.connection.cost_account_id = self.company_data["default_account_revenue"]
        transaction.action_book()
        self.assertEqual(move.payment_state, "paid")

    def test_paying_too_much_calls_a_person(self):
        move = self.sent(100.0)
        self.pay(move, amount="120.00")
        self.pull()
        self.assertEqual(move.payment_state, "paid")
        transaction = self.env["payt.transaction"].search([])
        self.assertEqual(transaction.state, "booked")
        self.assertRegex(transaction.activity_ids.note, r"20[.,]00")

    def test_an_invoice_paid_at_the_bank_meanwhile(self):
        move = self.sent(100.0)
        self.pay(move)
        self.env["account.payment.register"].with_context(
            active_model="account.move", active_ids=move.ids
        ).create({})._create_payments()
        self.sync()
        transaction = self.env["payt.transaction"].search([])
        self.assertEqual(transaction.state, "booked")
        self.assertTrue(transaction.activity_ids)

    def test_a_chargeback_reopens_the_invoice(self):
        move = self.sent(100.0)
        payt_id = self.pay(move, method="direct_debit")
        self.pull()
        self.payt.control_take_back({"id": payt_id, "reversal_code": "MD06"})
        self.sync()
        self.assertEqual(move.amount_residual, 100.0)
        self.assertEqual(move.payment_state, "not_paid")
        transaction = self.env["payt.transaction"].search([])
        self.assertEqual(transaction.state, "reversed")
        self.assertTrue(transaction.reversal_move_id)
        self.assertEqual(self.mirror(move).reversal_code, "MD06")
        self.assertEqual(str(self.at_payt(move)["open_amount"]), "100.00")
        for line in transaction.payment_id.move_id.line_ids:
            self.assertTrue(line.reconciled)

    def test_a_refund_reopens_the_invoice_too(self):
        move = self.sent(100.0)
        payt_id = self.pay(move)
        self.pull()
        self.payt.control_take_back({"id": payt_id, "status": "refunded"})
        for _round in range(2):
            self.sync()
        transaction = self.transaction(payt_id)
        self.assertEqual(transaction.state, "reversed")
        self.assertEqual(transaction.activity_ids.summary, "Refunded")
        self.assertEqual(move.amount_residual, 100.0)
        reversals = self.env["account.move"].search_count(
            [("reversed_entry_id", "=", transaction.payment_id.move_id.id)]
        )
        self.assertEqual(reversals, 1)

    def test_part_of_a_payment_taken_back_waits_for_a_person(self):
        first, second = self.invoice(100.0), self.invoice(50.0)
        self.push()
        with self.payt.locked() as state:
            transaction = state.start_payment(
                [self.at_payt(first), self.at_payt(second)]
            )
            state.finish_payment(transaction, "paid")
        self.pull()
        with self.payt.locked() as state:
            state.take_back(transaction, "refunded")
            # Only the second invoice's part went back.
            kept = [
                row
                for row in state.payments.values()
                if row["total_amount"] < 0 and row["total_amount"] != -50
            ]
            for row in kept:
                state.payments.pop(row["id"])
        for _poll in range(2):  # the other row may still come in the first
            self.pull()
        booked = self.transaction(transaction["id"])
        self.assertEqual(booked.state, "attention")
        self.assertEqual(first.amount_residual, 0.0)

    # ------------------------------------------------- what no rule can decide

    def assert_waits(self, move, problem):
        """The payment is not booked, a person is called, and Payt is not told
        that the invoice is open."""
        transaction = self.env["payt.transaction"].search([])
        self.assertEqual(transaction.state, "attention")
        self.assertIn(problem, transaction.problem)
        self.assertTrue(transaction.activity_ids)
        self.assertFalse(self.env["account.payment"].search([]))
        self.assertEqual(move.amount_residual, 100.0)
        self.sync()
        self.assertEqual(self.at_payt(move)["open_amount"], 0)

    def test_another_currency_waits_for_a_person(self):
        move = self.sent(100.0)
        payt_id = self.pay(move)
        self.payt.state.psp_transactions[payt_id]["currency_code"] = "GBP"
        self.pull()
        self.assert_waits(move, "currency")

    def test_parts_that_do_not_add_up_wait_for_a_person(self):
        move = self.sent(100.0)
        payt_id = self.pay(move)
        self.payt.state.psp_transactions[payt_id]["amount"] += 1
        for _poll in range(2):  # another row may still come in the first
            self.pull()
        self.assert_waits(move, "add up")

    def test_a_payment_for_a_draft_waits_for_a_person(self):
        move = self.sent(100.0)
        self.pay(move)
        move.button_draft()
        self.pull()
        transaction = self.env["payt.transaction"].search([])
        self.assertEqual(transaction.state, "attention")
        self.assertIn("not posted", transaction.problem)

    def test_a_payment_for_several_payers_waits_for_a_person(self):
        other = self._create_payer("Tweede bewoner", "tweede@example.com")
        first, second = self.invoice(100.0), self.invoice(50.0, payer=other)
        self.push()
        with self.payt.locked() as state:
            transaction = state.start_payment(
                [self.at_payt(first), self.at_payt(second)]
            )
            state.finish_payment(transaction, "paid")
        self.pull()
        self.assert_waits(first, "several payers")

    def test_a_payment_for_an_invoice_of_somebody_else_is_left_alone(self):
        """Payt's administration may hold invoices that do not come from here."""
        move = self.sent(100.0)
        with self.payt.locked() as state:
            values = {**self.at_payt(move), "invoice_number": "X/1"}
            values.pop("id")
            stranger = state.insert(
                "invoices", {**values, "invoice_identifier": "other-1"}
            )
            transaction = state.start_payment([stranger])
            state.finish_payment(transaction, "paid")
        self.pull()
        booked = self.transaction(transaction["id"])
        self.assertEqual(booked.state, "attention")
        self.assertFalse(self.env["account.payment"].search([]))

    def test_what_people_read_of_a_way_of_paying(self):
        move = self.sent(100.0)
        labels = {}
        for method in ("ideal", "direct_debit", "bankline_2030"):
            payt_id = self.pay(move, method=method, status="failed")
            self.pull()
            labels[method] = self.transaction(payt_id)
        self.assertEqual(labels["ideal"].method_label, "iDEAL | Wero")
        self.assertEqual(labels["direct_debit"].method_label, "Direct debit")
        # A way of paying that is newer than this addon.
        unknown = labels["bankline_2030"]
        self.assertEqual(unknown.method_label, "bankline_2030")
        self.assertEqual(unknown.method_kind, "other")

    def test_a_status_that_we_do_not_know_is_no_money(self):
        move = self.sent(100.0)
        payt_id = self.pay(move, status="failed")
        self.payt.state.psp_transactions[payt_id]["status"] = "authorised"
        self.pull()
        self.assertEqual(self.transaction(payt_id).status, "processing")
        self.assertFalse(self.connection.last_error)
        self.assertEqual(move.amount_residual, 100.0)

    def test_a_chargeback_before_we_saw_the_payment_leaves_nothing(self):
        move = self.sent(100.0)
        payt_id = self.pay(move)
        self.payt.control_take_back({"id": payt_id})
        self.sync()
        self.assertEqual(self.env["account.payment"].search_count([]), 0)
        self.assertEqual(move.amount_residual, 100.0)

    def test_paid_charged_back_and_paid_again(self):
        move = self.sent(100.0)
        payt_id = self.pay(move)
        self.pull()
        self.payt.control_take_back({"id": payt_id})
        self.pull()
        self.pay(move)
        self.sync()
        self.assertEqual(move.payment_state, "paid")
        self.assertEqual(self.at_payt(move)["open_amount"], 0)

    def test_a_locked_period_books_on_the_first_open_day(self):
        self.company.fiscalyear_lock_date = "2025-06-30"
        move = self.sent(
            100.0, invoice_date="2025-07-01", invoice_date_due="2025-07-15"
        )
        payt_id = self.pay(move)
        self.payt.state.psp_transactions[payt_id]["paid_at"] = datetime(2025, 6, 20, 12)
        self.pull()
        payment = self.env["account.payment"].search([])
        self.assertEqual(str(payment.date), "2025-07-01")
        self.assertIn("2025-06-20", payment.memo)

    def test_another_source_books_the_money(self):
        self.connection.booking_mode = "status"
        move = self.sent(100.0)
        self.pay(move)
        self.sync()
        self.assertEqual(move.amount_residual, 100.0)
        self.assertEqual(self.env["payt.transaction"].search([]).state, "shown")
        self.assertEqual(self.at_payt(move)["open_amount"], 0)

    def test_ids_as_numbers_are_the_same_ids(self):
        move = self.sent(100.0)
        self.pay(move)
        self.payt.faults.add({"kind": "int_ids", "times": 99})
        self.pull()
        self.payt.faults.clear()
        self.pull()
        self.assertEqual(self.env["account.payment"].search_count([]), 1)
        self.assertEqual(move.payment_state, "paid")

    def test_stale_rows_do_not_turn_back_the_clock(self):
        move = self.sent(100.0)
        payt_id = self.pay(move, status="pending")
        self.pull()
        row = self.env["payt.transaction"].search([])
        old = {
            "id": payt_id,
            "amount": "100.00",
            "currency_code": "EUR",
            "status": "pending",
            "updated_at": "2020-01-01T00:00:00.000Z",
        }
        self.payt.state.finish_payment(
            self.payt.state.psp_transactions[payt_id], "paid"
        )
        self.pull()
        self.env["payt.transaction"].sudo()._upsert(self.connection, [old])
        self.assertEqual(row.status, "paid")

    def test_open_amounts_of_a_batch_are_worked_out_together(self):
        moves = [self.invoice(10.0) for _number in range(12)]
        self.sync()
        for move in moves:
            self.mirror(move).open_amount = 5.0
        mirrors = self.env["payt.invoice"].sudo().union(*map(self.mirror, moves))

        def count(mirrors):
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            for mirror in mirrors:
                mirror._amounts()
            return self.env.cr.sql_log_count - before

        self.assertEqual(count(mirrors.browse(mirrors[:2].ids)), count(mirrors))

    def test_booking_one_hundred_takes_few_queries(self):
        moves = self.env["account.move"]
        for _number in range(20):
            moves |= self.invoice(10.0)
        self.push()
        for move in moves:
            self.pay(move)
        with self.enter_registry_test_mode():
            connection = self.connection.sudo()
            client = connection._get_client()
            for rows in client.pages("payments", fields=PAYMENT_FIELDS):
                self.env["payt.pull"].sudo()._apply_payments(connection, rows)
            self.env.flush_all()
            before = self.env.cr.sql_log_count
            self.env["payt.transaction"].sudo()._process(connection)
            self.env.flush_all()
            used = self.env.cr.sql_log_count - before
        self.assertEqual(set(moves.mapped("payment_state")), {"paid"})
        self.assertLessEqual(used / 20, 18, f"{used} queries for 20 payments")
