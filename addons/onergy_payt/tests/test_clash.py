from psycopg2.errors import SerializationFailure

from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import PaytCommon


@tagged("post_install", "-at_install")
class TestClash(PaytCommon):
    """A webhook, the poll and people change what a job is working on.

    The database refuses the second writer; here it is made to. (Two real transactions
    meet in the project's test of two jobs.)
    """

    def clash(self, model, method, times=1):
        """Let the first calls of a method clash after they did their work."""
        original, left = getattr(self.env.registry[model], method), [times]

        def clashing(records, *args, **kwargs):
            result = original(records, *args, **kwargs)
            if left[0]:
                left[0] -= 1
                raise SerializationFailure("could not serialize access")
            return result

        self.patch(self.env.registry[model], method, clashing)

    def test_a_list_is_written_again(self):
        move = self.invoice()
        self.push()
        self.pay(move)
        self.clash("payt.pull", "_apply_invoices", times=3)
        self.clash("payt.pull", "_apply_payments")
        self.clash("payt.transaction", "_process")
        self.pull()
        self.assertEqual(move.payment_state, "paid")
        self.assertEqual(self.env["payt.transaction"].search_count([]), 1)
        self.assertFalse(self.connection.last_error)

    def test_a_list_that_always_clashes_is_read_next_time(self):
        move = self.invoice()
        self.push()
        self.pay(move)
        self.clash("payt.pull", "_apply_payments", times=5)
        with mute_logger("odoo.addons.base.models.ir_cron"):
            self.pull()
        self.assertEqual(move.payment_state, "not_paid")
        self.pull()
        self.assertEqual(move.payment_state, "paid")

    def test_a_batch_whose_result_clashes_goes_again_and_no_other(self):
        first, second = self.invoice(), self.invoice()
        self.connection.batch_size = 1
        self.clash("payt.push", "_catch_up")
        self.push()
        self.assertEqual(
            self.operations(kind="invoice").sorted("id").mapped("state"),
            ["retry", "done"],
        )
        self.assertIn("same moment", self.operations(state="retry").reason)
        self.push()
        self.assertEqual(set(self.operations(kind="invoice").mapped("state")), {"done"})
        self.assertEqual(len(self.payt.state.invoices), 2)
        self.assertTrue(self.mirror(first).sent_date and self.mirror(second).sent_date)

    def test_a_message_whose_result_clashes_is_not_sent_twice(self):
        self.patch(self.env.registry["payt.push"], "_look_up_after", lambda push: 0)
        move = self.invoice()
        self.push()
        self.env["payt.message"]._send(self.mirror(move).debtor_id, "Dag", "Tot zo.")
        self.clash("payt.message", "_note_sent")
        self.push()
        self.assertEqual(self.operations(kind="message").state, "unknown")
        self.push()
        self.assertEqual(self.operations(kind="message").state, "done")
        self.assertEqual(len(self.payt.state.messages), 1)
