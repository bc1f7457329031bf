from odoo.tests import tagged

from .common import PaytCommon

WRITES = (
    "POST /v1/contacts",
    "POST /v1/debtors",
    "POST /v1/files",
    "PUT upload",
    "POST /v1/invoices",
    "PATCH /v1/invoices",
    "PATCH /v1/invoices/block",
    "PATCH /v1/invoices/resume",
    "POST /v1/messages",
    "PATCH /v1/payment_plans/{id}/approve",
)
READS = (
    "GET /v1/debtors",
    "GET /v1/invoices",
    "GET /v1/psp_transactions",
    "GET /v1/payments",
    "GET /v1/payment_plans",
    "GET /v1/messages",
    "GET /v1/credit_cases",
    "GET /v1/notes",
)
MISBEHAVIOUR = (
    {"kind": "rate_limit"},
    {"kind": "rate_limit", "retry_after": 3600},
    {"kind": "rate_limit", "times": 6},
    {"kind": "server_error", "status": 503},
    {"kind": "server_error", "times": 6},
    {"kind": "bad_gateway"},
    {"kind": "cut_before"},
    {"kind": "cut_before", "times": 6},
    {"kind": "cut_after"},
    {"kind": "cut_after", "times": 6},
    {"kind": "error_after"},
    {"kind": "slow", "seconds": 0.01},
    {"kind": "token_expired"},
    {"kind": "missing_scope"},
)
ONLY_WRITES = (
    {"kind": "empty"},
    {"kind": "partial"},
    {"kind": "partial_not_found"},
    {"kind": "unmapped_error"},
)
ONLY_READS = ({"kind": "int_ids"},)
# Where the fault does not exist: a message has no bulk answer to spoil, for instance.
NOT_FOR = {
    "empty": ("POST /v1/files",),
}


class Ledger:
    """Compares what Odoo, Payt and the payers would each swear to."""

    def settle(self, rounds=40):
        """Let time pass and people press ‘Try again’ until nothing moves any more."""
        for _round in range(rounds):
            stuck = self.operations().filtered(
                lambda o: o.state in ("failed", "unknown")
            )
            stuck.claimed_date = "2025-01-01 00:00:00"
            stuck.filtered(lambda o: o.state == "failed").action_retry()
            crashed = self.operations(state="sending")
            crashed.claimed_date = "2025-01-01 00:00:00"
            self.push()
            self.pull()
            waiting = self.operations().filtered(
                lambda o: o.state not in ("done", "partial", "cancelled")
            )
            if not waiting and not self.payt.faults.pending:
                break
        self.push()
        self.pull()

    def check_ledger(self, moves):
        for move in moves:
            self.check_invoice(move)
        self.check_transactions()
        self.check_messages()
        left = self.operations().filtered(
            lambda o: o.state not in ("done", "partial", "cancelled")
        )
        self.assertFalse(left, left.mapped(lambda o: (o.kind, o.state, o.reason)))

    def check_invoice(self, move):
        found = [
            row
            for row in self.payt.state.invoices.values()
            if row["invoice_number"] == move.name
        ]
        self.assertEqual(len(found), 1, f"{move.name} is {len(found)} times at Payt")
        sign = -1 if move.move_type == "out_refund" else 1
        self.assertAlmostEqual(
            float(found[0]["total_amount"]), sign * move.amount_total
        )
        self.assertAlmostEqual(
            float(found[0]["open_amount"]), sign * move.amount_residual, places=2
        )
        self.assertEqual(bool(found[0].get("blocked")), self.mirror(move).is_disputed)

    def check_transactions(self):
        payments = self.env["account.payment"].sudo().search([])
        for row in self.payt.state.psp_transactions.values():
            booked = payments.filtered(
                lambda p, row=row: p.payt_transaction_id.payt_id == row["id"]
            )
            transaction = booked.payt_transaction_id
            if row["status"] == "paid":
                self.assertEqual(
                    len(booked), 1, f"{row['id']} booked {len(booked)} times"
                )
                self.assertEqual(booked.amount, float(row["amount"]))
                self.assertFalse(transaction.reversal_move_id)
            elif booked:
                self.assertEqual(transaction.state, "reversed")
                self.assertTrue(transaction.reversal_move_id)

    def check_messages(self):
        at_payt = self.payt.state.messages.values()
        sent = self.env["payt.message"].sudo().search([("kind", "=", "out")])
        self.assertEqual(
            sorted(
                row["content"] for row in at_payt if row["sender_type"] == "creditor"
            ),
            sorted(sent.mapped("body")),
        )
        received = self.env["payt.message"].sudo().search([("kind", "=", "in")])
        self.assertEqual(
            sorted(row["content"] for row in at_payt if row["sender_type"] == "debtor"),
            sorted(received.mapped("body")),
        )


@tagged("post_install", "-at_install")
class TestFaults(Ledger, PaytCommon):
    """Every misbehaviour × every operation: nothing lost, nothing doubled."""

    def setUp(self):
        super().setUp()
        self.connection.send_pdf = True
        self.patch(self.env.registry["payt.push"], "_look_up_after", lambda push: 0)
        self.patch(
            self.env.registry["account.move"],
            "_get_invoice_legal_documents",
            lambda move, *args, **kwargs: {
                "filename": "invoice.pdf",
                "content": b"%PDF " + move.name.encode(),
            },
        )

    def live_through(self, faults):
        """A payer's whole story with these faults under way."""
        payer = self._create_payer("Betaler", "betaler@example.com")
        moves = self.invoice(100.0, payer) | self.invoice(40.0, payer)
        self._arm(faults)
        self.push()
        self.settle(8)
        first = moves[0]
        self._arm(faults)
        self.pay(first, amount="30.00")
        payt_id = self.pay(first, amount="10.00")
        self._pay_in_odoo(first, 20.0)
        mirror = self.mirror(first)
        mirror.action_dispute()
        self.env["payt.message"]._send(
            mirror.debtor_id, "Ons antwoord", "Hallo", mirror
        )
        self.payt.control_comment({"invoice_number": first.name, "text": "Een vraag"})
        with self.payt.locked() as state:
            state.plan([self.at_payt(moves[1])], [("40.00", "2025-08-01")], "Krap")
        payer.phone = "030 123 45 67"
        self.push()
        self.pull()
        self.settle(8)
        self._arm(faults)
        plan = self.env["payt.plan"].search([("partner_id", "=", payer.id)])
        plan.action_approve()
        self.payt.control_take_back({"id": payt_id, "reversal_code": "MD06"})
        mirror.action_end_dispute()
        self.settle(8)
        self.payt.faults.clear()
        met = {fault["operation"] for fault in faults} - set(self.payt.counts)
        self.assertFalse(met, "these operations were never called")
        self.settle()
        self.check_ledger(moves)
        self.assertEqual(plan.state, "active")
        self.assertEqual(first.amount_residual, 50.0)

    def _arm(self, faults):
        self.payt.faults.clear()
        for fault in faults:
            self.payt.faults.add(dict(fault))

    def _pay_in_odoo(self, move, amount):
        self.env["account.payment.register"].with_context(
            active_model="account.move", active_ids=move.ids
        ).create({"amount": amount})._create_payments()

    def start_again(self):
        self.payt.reset()
        self.payt.rate_limit = 0

    def _matrix(self, operations, faults):
        """One story per misbehaviour, which meets it in every operation."""
        for fault in faults:
            with self.subTest(**fault):
                savepoint = self.env.cr.savepoint()
                try:
                    self.live_through(
                        [
                            {**fault, "operation": operation}
                            for operation in operations
                            if operation not in NOT_FOR.get(fault["kind"], ())
                        ]
                    )
                finally:
                    savepoint.close(rollback=True)
                    self.env.invalidate_all()
                    self.start_again()

    def test_without_any_fault(self):
        self.live_through([])

    def test_each_fault_at_each_write(self):
        self._matrix(WRITES, (*MISBEHAVIOUR, *ONLY_WRITES))

    def test_each_fault_at_each_read(self):
        self._matrix(READS, (*MISBEHAVIOUR, *ONLY_READS))

    def test_upload_address_expired(self):
        self.live_through([{"kind": "expired_upload", "operation": "PUT upload"}])
