import pickle
from contextlib import contextmanager

from odoo.tests import tagged

from .common import PaytCommon
from .ledger import Ledger

# Each operation of Payt with the method that makes us call it.
WRITES = {
    "POST /v1/contacts": "_cause_new_payer",
    "POST /v1/debtors": "_cause_new_payer",
    "POST /v1/files": "_cause_new_bill",
    "PUT upload": "_cause_new_bill",
    "POST /v1/invoices": "_cause_new_bill",
    "PATCH /v1/invoices": "_cause_open_amount",
    "PATCH /v1/invoices/block": "_cause_dispute",
    "PATCH /v1/invoices/resume": "_cause_end_of_dispute",
    "POST /v1/messages": "_cause_answer",
    "PATCH /v1/messages": "_cause_reading",
    "POST /v1/payment_plans": "_cause_plan",
    "PATCH /v1/payment_plans/{id}/approve": "_cause_approval",
    "PATCH /v1/payment_plans/{id}/reject": "_cause_rejection",
    "PATCH /v1/payment_plans/{id}/deactivate": "_cause_end_of_plan",
    "POST /v1/psp_mandates": "_cause_mandate",
    "DELETE /v1/psp_mandates": "_cause_no_mandate",
}
READS = {
    "GET /v1/debtors": "_cause_email",
    "GET /v1/invoices": "_cause_phase",
    "GET /v1/psp_transactions": "_cause_payment",
    "GET /v1/payments": "_cause_chargeback",
    "GET /v1/payment_plans": "_cause_proposal",
    "GET /v1/messages": "_cause_question",
    "GET /v1/credit_cases": "_cause_case",
    "GET /v1/notes": "_cause_question",
    "GET /v1/psp_mandates": "_cause_mandate",
    "GET /v1/psp_mandates/deleted": "_cause_nothing",
    "GET /v1/invoices/deleted": "_cause_nothing",
    "GET /v1/payments/deleted": "_cause_nothing",
    "GET /v1/credit_cases/deleted": "_cause_nothing",
    "GET /v1/payment_plans/deleted": "_cause_nothing",
}
MISBEHAVIOUR = (
    {"kind": "rate_limit"},
    {"kind": "rate_limit", "retry_after": 3600},
    {"kind": "server_error", "status": 503},
    {"kind": "server_error", "times": 6},
    {"kind": "bad_gateway"},
    {"kind": "cut_before"},
    {"kind": "cut_before", "times": 6},
    {"kind": "cut_after"},
    {"kind": "error_after"},
    {"kind": "slow", "seconds": 0.01},
    {"kind": "token_expired"},
    {"kind": "missing_scope"},
)
ONLY_WRITES = ({"kind": "empty"},)
ONLY_BULK = (
    {"kind": "partial"},
    {"kind": "partial_not_found"},
    {"kind": "unmapped_error"},
)
ONLY_READS = ({"kind": "int_ids"}, {"kind": "repeat_cursor"})
BULK = {
    "POST /v1/contacts",
    "POST /v1/debtors",
    "POST /v1/invoices",
    "PATCH /v1/invoices",
    "PATCH /v1/invoices/block",
    "PATCH /v1/invoices/resume",
    "PATCH /v1/messages",
}
# What an upload can suffer: it has no token and its answer no body.
UPLOAD = {"server_error", "cut_before", "cut_after", "slow"}
# An empty answer to an announcement means that Payt has the files: it would be a lie.
NOT_FOR = {"POST /v1/files": {"empty"}}


@tagged("post_install", "-at_install")
class TestFaults(Ledger, PaytCommon):
    """Every misbehaviour × every operation, each in a world of its own.

    A world has three bills at Payt, one of them disputed, a question to read, a
    proposed and an active plan, and a booked payment. Each cell changes one thing that
    makes us call one operation, lets that operation misbehave, waits until nothing
    moves any more and compares the books, the messages and the plans of both sides.
    """

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
        self._make_world()

    def _make_world(self):
        self.connection.push_mandates = True
        self.person = self._create_payer("Betaler", "betaler@example.com")
        self.site = self.env["onergy.complex"].create({"name": "Test", "code": "F"})
        self.contract = self._make_contract("1", "NL91 ABNA 0417 1643 00")
        self.moves = self.env["account.move"]
        for amount in (100.0, 40.0, 60.0):
            self.moves |= self.invoice(amount, self.person)
        self.sync()
        self.first, self.second, self.third = self.moves
        self.mirror(self.third).action_dispute()
        self.paid_id = self.pay(self.first, amount="30.00")
        self.payt.control_comment({"invoice_number": self.first.name, "text": "Vraag"})
        with self.payt.locked() as state:
            terms = [("40.00", "2025-08-01")]
            state.plan([self.at_payt(self.second)], terms, "Krap")
            state.plan([self.at_payt(self.third)], [("60.00", "2025-08-01")], "Krap")
        self.sync()
        self.proposed, active = self.env["payt.plan"].search([], order="id")
        active.action_approve()
        self.sync()
        self.active = active
        self.check_ledger(self.moves)

    # ------------------------------------------------------------------- the causes

    def _cause_nothing(self):
        """The list is read without any reason."""

    def _cause_new_payer(self):
        payer = self._create_payer("Nieuwe betaler", "nieuw@example.com")
        self.moves |= self.invoice(10.0, payer)

    def _cause_new_bill(self):
        for amount in (10.0, 20.0):
            self.moves |= self.invoice(amount, self.person)

    def _cause_open_amount(self):
        for move in (self.first, self.second):
            self.env["account.payment.register"].with_context(
                active_model="account.move", active_ids=move.ids
            ).create({"amount": 20.0})._create_payments()

    def _cause_dispute(self):
        (self.mirror(self.first) | self.mirror(self.second)).action_dispute()

    def _cause_end_of_dispute(self):
        self.mirror(self.third).action_end_dispute()

    def _cause_answer(self):
        mirror = self.mirror(self.first)
        self.env["payt.message"]._send(mirror.debtor_id, "Antwoord", "Hallo", mirror)

    def _cause_reading(self):
        self.env["payt.message"].search([("kind", "=", "in")]).action_mark_read()

    def _cause_plan(self):
        plans = self.env["payt.plan"].sudo()
        plans._propose(self.mirror(self.first), 2, "Krap").action_approve()

    def _cause_approval(self):
        self.proposed.action_approve()

    def _cause_rejection(self):
        self.proposed.action_reject()

    def _cause_end_of_plan(self):
        self.active.action_deactivate()

    def _cause_mandate(self):
        self._make_contract("2", "NL02 ABNA 0123 4567 89")

    def _cause_no_mandate(self):
        self.contract.payment_method = "bank_transfer"

    def _make_contract(self, number, iban):
        home = self.env["onergy.connection"].create(
            {
                "complex_id": self.site.id,
                "street": "Dorpsstraat",
                "house_number": number,
                "zip": "1234 AB",
                "city": "Utrecht",
            }
        )
        account = self.env["res.partner.bank"].create(
            {"partner_id": self.person.id, "acc_number": iban}
        )
        return self.env["onergy.contract"].create(
            {
                "connection_id": home.id,
                "partner_id": self.person.id,
                "date_start": "2025-01-01",
                "payment_method": "direct_debit",
                "bank_account_id": account.id,
            }
        )

    def _cause_email(self):
        with self.payt.locked() as state:
            debtor = state.debtors[self.at_payt(self.first)["debtor_id"]]
            state.change_email(debtor, "anders@example.com")

    def _cause_phase(self):
        self._phase("reminder_1")

    def _cause_case(self):
        self._phase("debt_collection")

    def _phase(self, phase):
        self.payt.control_phase({"invoice_number": self.first.name, "phase": phase})

    def _cause_payment(self):
        self.pay(self.first, amount="15.00")

    def _cause_chargeback(self):
        self.pay(self.first, amount="15.00")
        self.payt.control_take_back({"id": self.paid_id, "reversal_code": "MD06"})

    def _cause_proposal(self):
        with self.payt.locked() as state:
            state.plan([self.at_payt(self.first)], [("70.00", "2025-09-01")], "Krap")

    def _cause_question(self):
        self.payt.control_comment({"invoice_number": self.first.name, "text": "Nog?"})
        with self.payt.locked() as state:
            stored = self.at_payt(self.first)
            state.insert(
                "notes",
                {
                    "content": "Gebeld",
                    "invoice_id": stored["id"],
                    "debtor_id": stored["debtor_id"],
                    "created_at": state.now(),
                },
            )

    # ---------------------------------------------------------------------- the grid

    @contextmanager
    def _own_world(self):
        """Whatever happens in here leaves no trace, in Odoo nor at Payt."""
        self.env.flush_all()
        before = pickle.dumps(vars(self.payt.state))
        moves, savepoint = self.moves, self.env.cr.savepoint()
        try:
            yield
        finally:
            savepoint.close(rollback=True)
            self.env.invalidate_all()
            self.moves = moves
            with self.payt.locked() as state:
                vars(state).update(pickle.loads(before))
                self.payt.faults.clear()

    def _live_through(self, operation, cause, fault):
        self.payt.faults.add({**fault, "operation": operation})
        if fault["kind"] == "repeat_cursor":
            # A list of one page has no second cursor.
            self.connection.page_size = 1
        getattr(self, cause)()
        self.connection.cursor_ids.sudo().last_run = False
        (self.pull if operation.startswith("GET") else self.push)()
        self.assertLess(self._times_left(), fault.get("times", 1), "never called")
        self.settle(12)
        self.payt.faults.clear()
        self.check_ledger(self.moves)

    def _times_left(self):
        return sum(fault["times"] for fault in self.payt.faults.pending)

    def _grid(self, operations, faults):
        for operation, cause in operations.items():
            for fault in faults:
                if not self._exists(operation, fault["kind"]):
                    continue
                with (
                    self.subTest(operation=operation, **fault),
                    self._own_world(),
                ):
                    self._live_through(operation, cause, fault)

    @staticmethod
    def _exists(operation, kind):
        if operation == "PUT upload":
            return kind in UPLOAD
        if kind in [fault["kind"] for fault in ONLY_BULK] and operation not in BULK:
            return False
        return kind not in NOT_FOR.get(operation, ())

    def test_without_any_fault(self):
        for operation, cause in (WRITES | READS).items():
            with self.subTest(operation=operation), self._own_world():
                self.payt.counts.clear()
                getattr(self, cause)()
                self.connection.cursor_ids.sudo().last_run = False
                self.sync()
                self.assertTrue(self.payt.counts[operation])
                self.check_ledger(self.moves)

    def test_each_fault_at_each_write(self):
        self._grid(WRITES, (*MISBEHAVIOUR, *ONLY_WRITES, *ONLY_BULK))

    def test_each_fault_at_each_read(self):
        self._grid(READS, (*MISBEHAVIOUR, *ONLY_READS))

    def test_upload_address_expired(self):
        with self._own_world():
            fault = {"kind": "expired_upload"}
            self._live_through("PUT upload", "_cause_new_bill", fault)

    def test_the_ledger_can_find_a_fault(self):
        """A comparison that never fails would prove nothing."""
        transactions = self.env["payt.transaction"].sudo()
        wrongs = (
            lambda: self.at_payt(self.first).update(open_amount=1),
            lambda: self.payt.state.messages.popitem(),
            lambda: self.payt.state.payment_plans.popitem(),
            lambda: transactions.search([]).write({"payt_id": "other"}),
        )
        for number, wrong in enumerate(wrongs):
            with self.subTest(number), self._own_world():
                wrong()
                with self.assertRaises(AssertionError):
                    self.check_ledger(self.moves)
