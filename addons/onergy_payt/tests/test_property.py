from contextlib import suppress
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import PaytCommon
from .test_faults import Ledger

FAULTS = ("cut_before", "cut_after", "error_after", "rate_limit", "partial", "int_ids")


class Crash(Exception):
    """The server was killed."""


ACTIONS = st.one_of(
    st.tuples(st.just("bill"), st.integers(1, 3)),
    st.tuples(st.just("push"), st.just(0)),
    st.tuples(st.just("pull"), st.just(0)),
    st.tuples(st.just("webhook"), st.just(0)),
    st.tuples(st.just("pay_online"), st.integers(0, 9)),
    st.tuples(st.just("pay_at_bank"), st.integers(0, 9)),
    st.tuples(st.just("charge_back"), st.integers(0, 9)),
    st.tuples(st.just("ask"), st.integers(0, 9)),
    st.tuples(st.just("answer"), st.integers(0, 9)),
    st.tuples(st.just("dispute"), st.integers(0, 9)),
    st.tuples(st.just("fault"), st.integers(0, len(FAULTS) - 1)),
    st.tuples(st.just("crash"), st.integers(0, 1)),
)


@tagged("post_install", "-at_install")
class TestProperty(Ledger, PaytCommon):
    """Whatever happens in whatever order: in the end both sides agree."""

    def setUp(self):
        super().setUp()
        self.patch(self.env.registry["payt.push"], "_look_up_after", lambda push: 0)

    def test_random_lives_end_in_agreement(self):
        @settings(
            max_examples=12,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.lists(ACTIONS, min_size=6, max_size=14))
        def live(actions):
            savepoint = self.env.cr.savepoint()
            try:
                self._live(actions)
            finally:
                savepoint.close(rollback=True)
                self.env.invalidate_all()
                self.payt.reset()
                self.payt.rate_limit = 0

        live()

    def _live(self, actions):
        self.moves = self.invoice(100.0)
        self.texts = 0
        for name, number in actions:
            getattr(self, f"_do_{name}")(number)
        self.payt.faults.clear()
        self.settle()
        self.check_ledger(self.moves)

    def _move(self, number):
        return self.moves[number % len(self.moves)]

    def _do_bill(self, number):
        for _number in range(number):
            self.moves |= self.invoice(60.0)

    def _do_push(self, _number):
        self.push()

    def _do_pull(self, _number):
        self.pull()

    def _do_webhook(self, number):
        raw = b'{"event": {"event_name": "invoice_paid", "context": {}}}'
        self.env["payt.event"].sudo()._receive(self.connection.sudo(), raw)
        self.run_cron("event")

    def _do_pay_online(self, number):
        move = self._move(number)
        stored = self.at_payt(move)
        if stored and stored["open_amount"] >= 20:
            self.pay(move, amount="20.00")

    def _do_pay_at_bank(self, number):
        move = self._move(number)
        if move.amount_residual >= 10:
            self.env["account.payment.register"].with_context(
                active_model="account.move", active_ids=move.ids
            ).create({"amount": 10.0})._create_payments()

    def _do_charge_back(self, number):
        paid = [
            row
            for row in self.payt.state.psp_transactions.values()
            if row["status"] == "paid"
        ]
        if paid:
            with self.payt.locked() as state:
                state.take_back(paid[number % len(paid)], "charged_back", "MD06")

    def _do_ask(self, number):
        move = self._move(number)
        if self.at_payt(move):
            self.texts += 1
            text = f"Vraag {self.texts}"
            self.payt.control_comment({"invoice_number": move.name, "text": text})

    def _do_answer(self, number):
        mirror = self.mirror(self._move(number))
        if mirror.sent_date:
            self.texts += 1
            self.env["payt.message"]._send(
                mirror.debtor_id, "Antwoord", f"Antwoord {self.texts}", mirror
            )

    def _do_dispute(self, number):
        mirror = self.mirror(self._move(number))
        mirror._set_dispute(not mirror.is_disputed)

    def _do_fault(self, number):
        self.payt.faults.add({"kind": FAULTS[number], "times": 2})

    def _do_crash(self, number):
        """Killed after Payt did its work, before we could write down that it did."""
        if number:
            target, cron = ("payt.operation", "_finish"), "push"
        else:
            target, cron = ("payt.transaction", "_process"), "pull"
        model = self.env.registry[target[0]]
        with (
            patch.object(model, target[1], side_effect=Crash),
            # The scheduler wraps what a job raises.
            suppress(Crash, ValueError),
            mute_logger("odoo.addons.base.models.ir_cron", "odoo.tools.safe_eval"),
        ):
            self.make_due()
            self.run_cron(cron)
        self.env.invalidate_all()
