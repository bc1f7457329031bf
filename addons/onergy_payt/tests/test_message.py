from odoo.tests import tagged

from .common import PaytCommon


@tagged("post_install", "-at_install")
class TestMessage(PaytCommon):
    """What we write to payers: once, whatever happens."""

    def _send_message(self, move, text="Dat klopt."):
        self.env["payt.message"]._send(
            self.mirror(move).debtor_id, "Antwoord", text, self.mirror(move)
        )

    def test_a_message_is_sent_once_and_its_echo_is_recognised(self):
        move = self.invoice()
        self.sync()
        self._send_message(move)
        self.sync()
        self.assertEqual(len(self.payt.state.messages), 1)
        self.assertEqual(self.env["payt.message"].search_count([]), 1)

    def test_a_message_with_unclear_outcome_is_looked_up_not_sent_again(self):
        self.patch(self.env.registry["payt.push"], "_look_up_after", lambda push: 0)
        move = self.invoice()
        self.sync()
        for kind in ("cut_after", "error_after"):
            with self.subTest(kind=kind):
                before = len(self.payt.state.messages)
                self.payt.faults.add({"kind": kind, "operation": "POST /v1/messages"})
                self._send_message(move, f"Antwoord {kind}")
                self.push()
                self.assertEqual(self.operations(kind="message")[:1].state, "unknown")
                self.push()
                self.assertEqual(self.operations(kind="message")[:1].state, "done")
                self.assertEqual(len(self.payt.state.messages), before + 1)

    def test_a_message_that_never_arrived_is_sent_after_the_look_up(self):
        self.patch(self.env.registry["payt.push"], "_look_up_after", lambda push: 0)
        move = self.invoice()
        self.sync()
        self.payt.faults.add({"kind": "server_error", "operation": "POST /v1/messages"})
        self._send_message(move)
        self.push()
        self.assertEqual(self.operations(kind="message").state, "unknown")
        self.push()
        self.assertEqual(len(self.payt.state.messages), 1)

    def test_an_attachment_goes_along(self):
        move = self.invoice()
        self.sync()
        attachment = self.env["ir.attachment"].create(
            {"name": "brief.pdf", "raw": b"%PDF letter", "mimetype": "application/pdf"}
        )
        wizard = (
            self.env["payt.answer.wizard"]
            .with_context(default_invoice_id=self.mirror(move).id)
            .create(
                {"body": "Zie de brief.", "attachment_ids": [(6, 0, attachment.ids)]}
            )
        )
        wizard.action_send()
        self.sync()
        (row,) = self.payt.state.messages.values()
        self.assertEqual(row["attachments"], ["brief.pdf"])
        self.assertEqual(self.payt.state.attachments["brief.pdf"], b"%PDF letter")
        note = self.env["payt.message"].search([]).mail_message_id
        self.assertEqual(note.attachment_ids.mapped("name"), ["brief.pdf"])

    def test_a_crash_after_sending_is_looked_up_not_sent_again(self):
        self.patch(self.env.registry["payt.push"], "_look_up_after", lambda push: 0)
        move = self.invoice()
        self.push()
        self._send_message(move)
        self.push()
        # The worker died when Payt had it and nothing was written down yet.
        message = self.env["payt.message"].sudo().search([])
        message.write({"payt_id": False, "is_sent": False})
        operation = self.operations(kind="message")
        operation.write({"state": "sending", "claimed_date": "2025-01-01"})
        self.push()
        self.push()
        self.assertEqual(operation.state, "done")
        self.assertTrue(message.is_sent)
        self.assertEqual(len(self.payt.state.messages), 1)
