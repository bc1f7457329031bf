from odoo.modules.migration import load_script
from odoo.tests import tagged
from odoo.tools import SQL, file_path

from .common import PaytCommon


@tagged("post_install", "-at_install")
class TestMigration(PaytCommon):
    """The scripts of ``migrations``, on rows as the version before left them."""

    def _migrate(self, version="19.0.1.1.0"):
        path = file_path(f"onergy_payt/migrations/{version}/post-migration.py")
        self.env.flush_all()
        script = load_script(path, f"onergy_payt_{version.replace('.', '_')}")
        script.migrate(self.env.cr, "19.0.1.0.0")
        self.env.invalidate_all()

    def _as_before(self, mirrors, **values):
        """Write columns as an older version did, past what the models do now."""
        self.env.flush_all()
        for column, value in values.items():
            self.env.cr.execute(
                SQL(
                    "UPDATE payt_invoice SET %s = %s WHERE id IN %s",
                    SQL.identifier(column),
                    value,
                    tuple(mirrors.ids),
                )
            )
        self.env.invalidate_all()

    def test_who_paused_an_invoice_is_told_apart(self):
        disputed, taken_back, plain = moves = (
            self.invoice() | self.invoice() | self.invoice()
        )
        self.push()
        taken_back.button_draft()
        # One mark stood for both: the clerk's dispute and our own reset to draft.
        self._as_before(self.mirror(moves), is_taken_back=False, is_disputed=False)
        self._as_before(self.mirror(disputed | taken_back), is_disputed=True)
        self._migrate()
        marks = {
            move: (self.mirror(move).is_disputed, self.mirror(move).is_taken_back)
            for move in moves
        }
        self.assertEqual(
            marks,
            {
                disputed: (True, False),
                taken_back: (False, True),
                plain: (False, False),
            },
        )
        # What it is for: confirming again lifts our own mark, no dispute of a person.
        taken_back.action_post()
        self.assertFalse(self.mirror(taken_back).is_taken_back)
        self.assertTrue(self.mirror(disputed).is_disputed)

    def test_the_payer_is_the_one_under_whom_payt_has_it(self):
        changed, plain = moves = self.invoice() | self.invoice()
        self.push()
        other = self._create_payer("Andere betaler", "andere@example.com")
        self._as_before(self.mirror(changed), partner_id=other.id)
        self._migrate()
        for move in moves:
            self.assertEqual(self.mirror(move).partner_id, self.payer)
        self.assertEqual(self.mirror(plain).debtor_id, self.mirror(changed).debtor_id)

    def test_payments_learn_their_invoices(self):
        move = self.invoice(100.0)
        self.push()
        self.pay(move)
        self.pull()
        transaction = self.env["payt.transaction"].search([])
        before = (transaction.state, move.payment_state, len(transaction.payment_ids))
        # The version before did not keep them, and the list is not read again.
        transaction.sudo().invoice_ids = False
        self.run_cron("pull")
        self._migrate("19.0.1.2.0")
        self.pull()
        self.assertEqual(transaction.invoice_ids, self.mirror(move))
        after = (transaction.state, move.payment_state, len(transaction.payment_ids))
        self.assertEqual(before, after)
