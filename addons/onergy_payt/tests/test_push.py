from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import PaytCommon


@tagged("post_install", "-at_install")
class TestPush(PaytCommon):
    """What we tell Payt."""

    def test_posting_writes_the_outbox_and_sends_nothing(self):
        move = self.invoice()
        self.assertEqual(self.payt.counts.total(), 0)
        operation = self.operations(self.mirror(move))
        self.assertEqual((operation.kind, operation.state), ("invoice", "pending"))

    def test_invoice_arrives_after_its_payer(self):
        move = self.invoice(121.0)
        self.push()
        stored = self.at_payt(move)
        self.assertEqual(str(stored["total_amount"]), "121.00")
        self.assertEqual(str(stored["open_amount"]), "121.00")
        debtor = self.payt.state.debtors[stored["debtor_id"]]
        self.assertEqual(debtor["name"], "Eerste bewoner")
        self.assertEqual(debtor["debtor_number"], self.payer.debtor_number)
        contact = self.payt.state.find(
            "contacts", contact_identifier=debtor["contact_identifier"]
        )
        self.assertEqual(contact["default_email_address"], "eerste@example.com")
        self.assertEqual(contact["postal_address_city"], "Utrecht")

    def test_ids_and_links_are_read_back(self):
        move = self.invoice()
        self.push()
        mirror = self.mirror(move)
        self.assertEqual(mirror.payt_id, self.at_payt(move)["id"])
        self.assertIn("/i/", mirror.public_url)
        self.assertEqual(mirror.status, "sent")
        self.assertTrue(mirror.debtor_id.payt_id)

    def test_who_sends_the_invoice(self):
        first = self.invoice()
        self.push()
        self.assertTrue(self.at_payt(first)["sent_at"])
        self.connection.send_mode = "payt"
        second = self.invoice()
        self.push()
        self.assertFalse(self.at_payt(second)["sent_at"])

    def test_nothing_before_the_start_date(self):
        old = self.invoice(invoice_date="2024-12-31")
        self.push()
        self.assertFalse(old.payt_invoice_id)
        self.assertFalse(self.payt.state.invoices)

    def test_a_batch_is_one_call_of_each_kind(self):
        for number in range(5):
            self.invoice(
                payer=self._create_payer(f"P{number}", f"p{number}@example.com")
            )
        self.payt.counts.clear()
        self.push()
        self.assertEqual(self.payt.counts["POST /v1/contacts"], 1)
        self.assertEqual(self.payt.counts["POST /v1/debtors"], 1)
        self.assertEqual(self.payt.counts["POST /v1/invoices"], 1)
        self.assertEqual(len(self.payt.state.invoices), 5)

    def test_sending_twice_changes_nothing(self):
        self.invoice()
        self.push()
        self.mirror(self.env["account.move"].search([], limit=1))
        calls = self.payt.counts["POST /v1/invoices"]
        self.push()
        self.assertEqual(self.payt.counts["POST /v1/invoices"], calls)

    def test_a_credit_note_is_negative_and_settled_by_open_amounts(self):
        move = self.invoice(100.0)
        credit = self.invoice(100.0, move_type="out_refund")
        self.push()
        self.assertEqual(str(self.at_payt(credit)["total_amount"]), "-100.00")
        lines = (move | credit).line_ids.filtered(
            lambda line: line.account_id.account_type == "asset_receivable"
        )
        lines.reconcile()
        self.push()
        self.assertEqual(self.at_payt(move)["open_amount"], 0)
        self.assertEqual(self.at_payt(credit)["open_amount"], 0)

    def test_the_open_amount_follows_a_payment_in_odoo(self):
        move = self.invoice(100.0)
        self.push()
        self._pay_in_odoo(move, 40.0)
        self.assertEqual(
            self.operations(self.mirror(move), kind="open_amount").state, "pending"
        )
        self.push()
        self.assertEqual(str(self.at_payt(move)["open_amount"]), "60.00")

    def _pay_in_odoo(self, move, amount):
        self.env["account.payment.register"].with_context(
            active_model="account.move", active_ids=move.ids
        ).create({"amount": amount})._create_payments()

    def test_a_changed_address_goes_to_payt(self):
        self.invoice()
        self.push()
        self.payer.email = "nieuw@example.com"
        self.push()
        (contact,) = self.payt.state.contacts.values()
        self.assertEqual(contact["default_email_address"], "nieuw@example.com")

    def test_a_change_that_payt_does_not_hear_of_costs_no_call(self):
        self.invoice()
        self.push()
        self.payt.counts.clear()
        self.payer.write({"comment": "Belt graag", "phone": self.payer.phone})
        self.push()
        self.assertEqual(self.payt.counts["POST /v1/debtors"], 0)

    def test_a_dispute_blocks_and_the_end_of_it_resumes(self):
        move = self.invoice()
        self.push()
        self.mirror(move).action_dispute()
        self.push()
        self.assertTrue(self.at_payt(move)["blocked"])
        self.mirror(move).action_end_dispute()
        self.push()
        self.assertFalse(self.at_payt(move)["blocked"])

    def test_an_invoice_taken_back_is_blocked_never_deleted(self):
        move = self.invoice()
        self.push()
        name = move.name
        move.button_draft()
        self.push()
        stored = self.payt.state.find("invoices", invoice_number=name)
        self.assertTrue(stored["blocked"])

    def test_an_invoice_taken_back_before_sending_never_leaves(self):
        move = self.invoice()
        move.button_draft()
        self.push()
        self.assertFalse(self.payt.state.invoices)

    # ------------------------------------------------------------- taken back meanwhile

    def _while_sending(self, change):
        """Let a change happen after Payt got the invoices and before we note that."""
        push = self.env.registry["payt.push"]
        talk_originally, hold_originally = push._talk_invoices, push._take_hold
        changes, due = [change], []

        def talk(push, *args):
            result = talk_originally(push, *args)
            due.extend(changes)
            changes.clear()
            return result

        def take_hold(push, records):
            while due:
                self.env.invalidate_all()
                due.pop()()
                self.env.flush_all()
            return hold_originally(push, records)

        self.patch(push, "_talk_invoices", talk)
        self.patch(push, "_take_hold", take_hold)

    def test_an_invoice_taken_back_while_it_was_sent_is_blocked(self):
        move = self.invoice()
        name = move.name
        self._while_sending(move.button_draft)
        self.push()
        self.push()
        self.assertEqual(move.state, "draft")
        stored = self.payt.state.find("invoices", invoice_number=name)
        self.assertTrue(stored["blocked"])

    def test_an_invoice_that_got_another_payer_while_it_was_sent_is_blocked(self):
        move = self.invoice()
        other = self._create_payer("Tweede bewoner", "tweede@example.com")
        self._while_sending(lambda: self._give_to(move, other))
        self.push()
        self.push()
        stored = self.at_payt(move)
        self.assertTrue(stored["blocked"])
        self.assertEqual(stored["open_amount"], 0)
        self.assertEqual(self.mirror(move).partner_id, self.payer)
        self.assertEqual(
            self.operations(self.mirror(move), state="failed").error_code, "payer"
        )

    def test_an_invoice_of_which_we_did_not_hear_is_blocked_when_it_turns_up(self):
        """The job was killed after Payt had it; then the invoice was taken back."""
        move = self.invoice()
        self.push()
        mirror = self.mirror(move)
        mirror.write({"sent_date": False, "payt_id": False, "status": "waiting"})
        name = move.name
        move.button_draft()
        self.connection.cursor_ids.sudo().watermark = False
        self.pull()
        self.push()
        stored = self.payt.state.find("invoices", invoice_number=name)
        self.assertTrue(stored["blocked"])

    def test_an_invoice_that_payt_has_is_not_deleted(self):
        move = self.invoice()
        self.push()
        move.button_draft()
        with self.assertRaises(UserError), self.env.cr.savepoint():
            move.unlink()
        move.button_cancel()
        self.assertEqual(move.state, "cancel")

    def test_an_invoice_that_is_being_sent_is_not_deleted(self):
        move = self.invoice()
        self.operations(self.mirror(move)).state = "sending"
        move.button_draft()
        with self.assertRaises(UserError):
            move.unlink()

    def test_an_invoice_that_payt_never_had_is_deleted(self):
        move = self.invoice()
        move.button_draft()
        move.unlink()
        self.push()
        self.assertFalse(self.payt.state.invoices)

    def test_confirming_again_leaves_a_complaint_alone(self):
        move = self.invoice()
        self.push()
        self.mirror(move).action_dispute()
        move.button_draft()
        move.action_post()
        self.push()
        self.assertTrue(self.mirror(move).is_disputed)
        self.assertTrue(self.at_payt(move)["blocked"])

    def test_confirming_again_resumes_what_was_taken_back(self):
        move = self.invoice()
        self.push()
        move.button_draft()
        self.push()
        move.action_post()
        self.push()
        self.assertFalse(self.at_payt(move)["blocked"])

    # ----------------------------------------------------------------- another payer

    def _give_to(self, move, payer):
        move.button_draft()
        move.partner_id = payer
        move.action_post()

    def test_an_invoice_that_got_another_payer_in_time_goes_out_under_that_one(self):
        move = self.invoice()
        other = self._create_payer("Tweede bewoner", "tweede@example.com")
        self._give_to(move, other)
        self.push()
        debtor = self.payt.state.debtors[self.at_payt(move)["debtor_id"]]
        self.assertEqual(debtor["name"], "Tweede bewoner")
        self.assertEqual(self.mirror(move).debtor_id.partner_id, other)

    def test_another_payer_sees_nothing_of_an_invoice_that_payt_has(self):
        """Payt cannot move an invoice: the first payer must not get the second's."""
        self.connection.send_pdf = True
        self.patch(
            self.env.registry["account.move"],
            "_get_invoice_legal_documents",
            lambda move, *a, **kw: {
                "filename": "f.pdf",
                "content": b"%PDF " + move.partner_id.name.encode(),
            },
        )
        move = self.invoice()
        self.push()
        other = self._create_payer("Tweede bewoner", "tweede@example.com")
        self._give_to(move, other)
        self.push()
        stored = self.at_payt(move)
        self.assertTrue(stored["blocked"])
        self.assertEqual(stored["open_amount"], 0)
        self.assertNotIn(b"%PDF Tweede bewoner", self.payt.state.files.values())
        operation = self.operations(self.mirror(move), kind="invoice", state="failed")
        self.assertEqual(operation.error_code, "payer")
        self.assertIn("Eerste bewoner", operation.reason)
        return move, operation

    def test_an_invoice_of_another_payer_goes_out_once_payt_has_forgotten_it(self):
        move, operation = (
            self.test_another_payer_sees_nothing_of_an_invoice_that_payt_has()
        )
        with self.payt.locked() as state:
            stored = self.at_payt(move)
            state.delete(
                "invoices",
                stored,
                invoice_number=stored["invoice_number"],
                origin_identifier=stored["invoice_identifier"],
                debtor_id=stored["debtor_id"],
            )
        self.connection.cursor_ids.sudo().last_run = False
        self.pull()
        operation.action_retry()
        # The new payer first, then the invoice.
        self.sync()
        debtor = self.payt.state.debtors[self.at_payt(move)["debtor_id"]]
        self.assertEqual(debtor["name"], "Tweede bewoner")
        self.assertFalse(self.at_payt(move).get("blocked"))
        self.assertEqual(str(self.at_payt(move)["open_amount"]), "100.00")

    def test_the_first_payer_gets_his_invoice_back(self):
        move, operation = (
            self.test_another_payer_sees_nothing_of_an_invoice_that_payt_has()
        )
        self._give_to(move, self.payer)
        self.push()
        self.assertFalse(self.at_payt(move)["blocked"])
        self.assertEqual(str(self.at_payt(move)["open_amount"]), "100.00")
        self.assertNotIn("failed", self.operations(self.mirror(move)).mapped("state"))

    def test_money_of_the_first_payer_is_not_booked_for_another(self):
        move = self.invoice()
        self.push()
        self.pay(move)
        move.button_draft()
        move.partner_id = self._create_payer("Tweede bewoner", "tweede@example.com")
        move.action_post()
        self.pull()
        transaction = self.env["payt.transaction"].search([])
        self.assertEqual(transaction.state, "attention")
        self.assertIn("another payer", transaction.problem)

    def test_pdf_goes_along_and_only_once(self):
        self.connection.send_pdf = True
        move = self.invoice()
        self.patch(
            self.env.registry["account.move"],
            "_get_invoice_legal_documents",
            lambda move, *a, **kw: {
                "filename": "f.pdf",
                "content": b"%PDF " + move.name.encode(),
            },
        )
        self.push()
        stored = self.at_payt(move)
        self.assertEqual(
            self.payt.state.files[stored["checksum"]], b"%PDF " + move.name.encode()
        )
        self.mirror(move).action_send()
        self.push()
        self.assertEqual(self.payt.counts["PUT upload"], 1)

    def test_without_a_pdf_engine_the_invoice_still_goes(self):
        self.connection.send_pdf = True

        reason = "No engine"

        def refuse(move, *args, **kwargs):
            raise UserError(reason)

        self.patch(
            self.env.registry["account.move"], "_get_invoice_legal_documents", refuse
        )
        move = self.invoice()
        self.push()
        self.assertTrue(self.at_payt(move))
        operation = self.operations(self.mirror(move), kind="invoice")
        self.assertEqual((operation.state, operation.error_code), ("partial", "no_pdf"))

    # ------------------------------------------------------------------------ trouble

    def test_one_refused_invoice_does_not_stop_the_others(self):
        good, bad = self.invoice(), self.invoice()
        self.payt.faults.add(
            {"kind": "partial", "operation": "POST /v1/invoices", "only": [bad.name]}
        )
        self.push()
        self.assertTrue(self.at_payt(good))
        self.assertFalse(self.at_payt(bad))
        operation = self.operations(self.mirror(bad), kind="invoice")
        self.assertEqual(operation.state, "failed")
        self.assertIn("Refused by the simulator", operation.reason)
        operation.action_retry()
        self.push()
        self.assertTrue(self.at_payt(bad))

    def test_an_error_without_a_name_makes_us_send_one_by_one(self):
        moves = [self.invoice() for _number in range(3)]
        self.payt.faults.add(
            {"kind": "unmapped_error", "operation": "POST /v1/invoices"}
        )
        self.push()
        self.assertTrue(all(self.at_payt(move) for move in moves))
        states = {self.operations(self.mirror(m), kind="invoice").state for m in moves}
        self.assertEqual(states, {"done"})
        self.assertEqual(self.payt.counts["POST /v1/invoices"], 4)

    def test_one_record_that_breaks_payt_does_not_hold_up_the_others(self):
        moves = [self.invoice() for _number in range(9)]
        bad = moves[4]
        self.payt.faults.add(
            {"kind": "poison", "operation": "POST /v1/invoices", "only": [bad.name]}
        )
        self.push()
        self.assertEqual(len(self.payt.state.invoices), 8)
        operation = self.operations(self.mirror(bad), kind="invoice")
        self.assertEqual((operation.state, operation.error_code), ("failed", "poison"))
        self.assertIn("on this record", operation.reason)
        self.assertFalse(self.at_payt(bad))
        others = self.operations(kind="invoice") - operation
        self.assertEqual(set(others.mapped("state")), {"done"})
        self.payt.faults.clear()
        operation.action_retry()
        self.push()
        self.assertTrue(self.at_payt(bad))

    def test_a_record_that_breaks_payt_alone_fails_in_the_end(self):
        move = self.invoice()
        self.payt.faults.add(
            {"kind": "poison", "operation": "POST /v1/invoices", "only": [move.name]}
        )
        operation = self.operations(self.mirror(move), kind="invoice")
        for state in ("retry", "retry", "retry", "retry", "failed"):
            self.push()
            self.assertEqual(operation.state, state)

    def test_a_call_that_fails_for_all_is_no_fault_of_a_record(self):
        moves = [self.invoice() for _number in range(3)]
        self.payt.faults.add(
            {"kind": "server_error", "operation": "POST /v1/invoices", "times": 99}
        )
        self.push()
        states = self.operations(kind="invoice").mapped("state")
        self.assertEqual(states, ["retry"] * 3)
        self.payt.faults.clear()
        self.push()
        self.assertTrue(all(self.at_payt(move) for move in moves))

    def test_a_pdf_that_does_not_arrive_holds_up_only_its_invoice(self):
        self.connection.send_pdf = True
        self.patch(
            self.env.registry["account.move"],
            "_get_invoice_legal_documents",
            lambda move, *a, **kw: {
                "filename": "f.pdf",
                "content": b"%PDF " + move.name.encode(),
            },
        )
        moves = [self.invoice() for _number in range(3)]
        self.payt.faults.add(
            {"kind": "server_error", "operation": "PUT upload", "times": 4}
        )
        # One after the other, so that all four breakdowns hit the same file.
        self.patch(self.env.registry["payt.push"], "_parallel_uploads", lambda push: 1)
        self.push()
        arrived = [move for move in moves if self.at_payt(move)]
        self.assertEqual(len(arrived), 2)
        self.push()
        self.assertTrue(all(self.at_payt(move) for move in moves))
        self.assertEqual(len(self.payt.state.files), 3)

    def test_an_invoice_waits_for_its_payer(self):
        move = self.invoice()
        self.payt.faults.add({"kind": "partial", "operation": "POST /v1/debtors"})
        self.push()
        self.assertEqual(self.operations(self.mirror(move)).error_code, "debtor")
        self.payer.city = "Zeist"
        self.push()
        self.assertTrue(self.at_payt(move))

    def test_a_missing_permission_is_named_and_stops_only_that_kind(self):
        move = self.invoice()
        self.payt.faults.add(
            {
                "kind": "missing_scope",
                "operation": "POST /v1/invoices",
                "scope": "invoices:write",
            }
        )
        self.push()
        operation = self.operations(self.mirror(move), kind="invoice")
        self.assertEqual(operation.state, "failed")
        self.assertIn("invoices:write", operation.reason)
        self.assertTrue(self.payt.state.debtors)

    def test_a_long_retry_after_moves_the_next_try(self):
        busy = {"kind": "rate_limit", "operation": "POST /v1/contacts"}
        self.payt.faults.add({**busy, "retry_after": 5000})
        move = self.invoice()
        before = fields.Datetime.now()
        self.push()
        (waiting,) = self.operations(error_code="rate_limit")
        self.assertEqual(waiting.kind, "debtor")
        self.assertGreaterEqual((waiting.next_try - before).total_seconds(), 4990)
        self.run_cron("push")
        self.assertFalse(self.at_payt(move))
        self.push()
        self.assertFalse(self.operations(error_code="rate_limit"))

    def test_a_dead_payt_never_stops_posting_and_catches_up(self):
        self.payt.faults.add({"kind": "cut_before", "times": 999})
        move = self.invoice()
        self.push()
        self.assertEqual(move.state, "posted")
        self.assertEqual(self.operations(self.mirror(move)).state, "pending")
        self.assertIn("No answer", self.connection.last_error)
        self.payt.faults.clear()
        self.sync()
        self.assertTrue(self.at_payt(move))
        self.assertFalse(self.connection.last_error)

    def test_a_crash_while_sending_loses_nothing(self):
        move = self.invoice()
        operation = self.operations(self.mirror(move))
        operation.write({"state": "sending", "claimed_date": "2025-01-01 00:00:00"})
        self.push()
        self.push()
        self.assertTrue(self.at_payt(move))

    def test_a_change_while_sending_is_sent_afterwards(self):
        move = self.invoice()
        push, sent = self.env.registry["payt.push"], []
        original = push._sent_values

        def change(model, invoice, payload, *rest):
            sent.append(payload["description"])
            if len(sent) == 1:
                # Payt has the invoice, and we have not written that down yet.
                invoice.move_id.payment_reference = "ANDERS"
                invoice.action_send()
            return original(model, invoice, payload, *rest)

        self.patch(push, "_sent_values", change)
        self.push()
        self.assertEqual(sent, [sent[0], "ANDERS"])
        (at_payt,) = self.payt.state.invoices.values()
        self.assertEqual(at_payt["description"], "ANDERS")
        operations = self.operations(self.mirror(move), kind="invoice")
        self.assertEqual(operations.mapped("state"), ["done", "done"])

    def test_changes_are_one_operation_until_sent(self):
        move = self.invoice()
        for _number in range(3):
            self.env["payt.operation"]._enqueue("invoice", self.mirror(move))
        self.assertEqual(len(self.operations(self.mirror(move))), 1)

    # -------------------------------------------------------------------------- lines

    def test_lines_go_along_with_the_rates_they_need(self):
        self.connection.send_lines = True
        tax = self.env["account.tax"].create(
            {"name": "BTW 21", "amount": 21.0, "company_id": self.company.id}
        )
        move = self.invoice(100.0, post=False)
        move.invoice_line_ids.tax_ids = tax
        move.write(
            {
                "invoice_line_ids": [
                    (0, 0, {"name": "Zonder", "price_unit": 0.15234, "quantity": 100}),
                    (0, 0, {"name": "Let op", "display_type": "line_note"}),
                ]
            }
        )
        move.invoice_line_ids.filtered(lambda li: li.name == "Zonder").tax_ids = False
        move.action_post()
        credit = self.invoice(50.0, move_type="out_refund")
        self.push()
        first, second = self.at_payt(move)["invoice_lines"]
        self.assertEqual(
            (
                first["total_excl_tax_amount"],
                first["vat_amount"],
                first["total_incl_tax_amount"],
                first["vat_percentage"],
            ),
            ("100.00", "21.00", "121.00", "21.00"),
        )
        self.assertEqual(second["product_price"], "0.15234")
        self.assertEqual(second["total_incl_tax_amount"], "15.23")
        rates = self.payt.state.vat_rates
        self.assertEqual(rates[first["vat_rate_code"]]["category"], "regular")
        self.assertEqual(rates[second["vat_rate_code"]]["category"], "none")
        (line,) = self.at_payt(credit)["invoice_lines"]
        self.assertEqual(line["total_incl_tax_amount"], "-50.00")
        self.assertEqual(self.payt.counts["POST /v1/vat_rates"], 1)
        self.invoice(10.0)
        self.push()
        self.assertEqual(self.payt.counts["POST /v1/vat_rates"], 1)

    def test_no_lines_unless_asked(self):
        move = self.invoice()
        self.push()
        self.assertFalse(self.at_payt(move)["invoice_lines"])
