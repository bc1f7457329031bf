import hashlib
import hmac
import json

from odoo.exceptions import ValidationError
from odoo.tests import HttpCase, tagged
from odoo.tools import mute_logger

from .common import WEBHOOK_SECRET, PaytCommon

CONTROLLER = "odoo.addons.onergy_payt.controllers.webhook"


@tagged("post_install", "-at_install")
class TestWebhook(PaytCommon, HttpCase):
    """What Payt tells us."""

    def setUp(self):
        super().setUp()
        self.connection.sudo().webhook_secret_previous = "the old secret"
        key = self.connection.sudo().webhook_key
        self.url = f"/payt/webhook/{key}"

    def deliver(self, body, secret=WEBHOOK_SECRET, url=None, **headers):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        signature = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
        self.env.flush_all()
        response = self.url_open(
            url or self.url,
            data=raw,
            headers={
                "Content-Type": "application/json",
                "X-PAYT-SIGNATURE": signature,
                **headers,
            },
        )
        self.env.invalidate_all()
        return response.status_code

    def event(self, name="invoice_paid", uid="e1"):
        return {
            "event": {
                "id": uid,
                "event_name": name,
                "event_time": "2025-06-01T10:00:00Z",
                "context": {"resource_type": "invoice", "id": "100003"},
            }
        }

    def events(self):
        return self.env["payt.event"].search(
            [("connection_id", "=", self.connection.id)]
        )

    def test_a_signed_event_is_kept_once(self):
        for _number in range(3):
            self.assertEqual(self.deliver(self.event()), 200)
        self.assertEqual(len(self.events()), 1)
        self.assertTrue(self.connection.last_webhook)

    def test_the_same_body_without_an_id_is_kept_once(self):
        event = self.event()
        del event["event"]["id"]
        for number in range(2):
            status = self.deliver(event, **{"X-PAYT-DELIVERY": str(number)})
            self.assertEqual(status, 200)
        self.assertEqual(len(self.events()), 1)

    def test_old_and_new_secret_are_accepted(self):
        self.assertEqual(self.deliver(self.event(uid="1")), 200)
        self.assertEqual(self.deliver(self.event(uid="2"), "the old secret"), 200)

    def test_a_wrong_signature_is_refused(self):
        with mute_logger(CONTROLLER):
            self.assertEqual(self.deliver(self.event(), "guessed"), 401)
        self.assertFalse(self.events())

    def test_without_a_secret_nothing_is_accepted(self):
        self.connection.sudo().write(
            {"webhook_secret": False, "webhook_secret_previous": False}
        )
        with mute_logger(CONTROLLER):
            self.assertEqual(self.deliver(self.event(), ""), 401)

    def test_webhooks_from_agreed_addresses_only(self):
        connection = self.connection.sudo()
        for sources, status in (
            ("192.0.2.7, 2001:db8::/32", 403),
            ("192.0.2.7, 127.0.0.0/8", 200),
            ("127.0.0.1", 200),
            (False, 200),
        ):
            with self.subTest(sources=sources):
                connection.webhook_sources = sources
                self.assertEqual(self.deliver(self.event(uid=str(sources))), status)
        self.assertEqual(len(self.events()), 3)
        connection.webhook_sources = "127.0.0.1"
        self.assertTrue(connection._is_webhook_source("::ffff:127.0.0.1"))
        self.assertFalse(connection._is_webhook_source(None))
        with self.assertRaisesRegex(ValidationError, "example.com"):
            connection.webhook_sources = "127.0.0.1, example.com"

    def test_an_unknown_address_does_not_exist(self):
        status = self.deliver(self.event(), url="/payt/webhook/unknown")
        self.assertEqual(status, 404)

    def test_a_signed_body_that_is_no_event_is_refused(self):
        for raw in (b"[]", b"{", b'{"event": 1}', b'{"event": {"context": []}}'):
            with self.subTest(raw=raw), mute_logger(CONTROLLER):
                self.assertEqual(self.deliver(raw), 400)

    def test_a_huge_body_is_refused(self):
        self.assertEqual(self.deliver(b" " * 300_000), 413)

    def test_an_event_is_a_hint_the_object_is_read_again(self):
        move = self.invoice(100.0)
        self.sync()
        lie = self.event("psp_transaction_successful")
        self.assertEqual(self.deliver(lie), 200)
        self.run_cron("event")
        self.assertEqual(move.amount_residual, 100.0)
        self.assertEqual(self.events().state, "done")

    def test_an_answer_does_not_wait_for_payt(self):
        """200 within a second: keeping the event is all that happens."""
        self.payt.counts.clear()
        self.deliver(self.event(uid="warm"))
        with self.assertQueryCount(40):
            self.deliver(self.event())
        self.assertFalse(self.payt.counts)

    def test_events_in_words(self):
        self.deliver(self.event("invoice_paid", "e1"))
        self.deliver(self.event("invoice_teleported", "e2"))
        new, paid = self.events()
        self.assertEqual(paid.label, "Invoice: paid")
        self.assertEqual(paid.with_context(lang="nl_NL").kind, "invoice_paid")
        # An event that is newer than this addon is shown as it came.
        self.assertEqual((new.label, new.kind), ("invoice_teleported", "other"))

    def test_an_event_that_means_nothing_to_us_is_kept_and_left(self):
        self.deliver(self.event("creditworthiness_changed"))
        self.assertEqual(self.events().state, "ignored")

    def test_paid_within_minutes_through_a_real_webhook(self):
        move = self.invoice(100.0)
        self.sync()
        self.payt.webhooks.configure(
            {
                "subscriptions": [
                    {"url": self.base_url() + self.url, "secret": WEBHOOK_SECRET}
                ],
                "duplicates": 1,
                "shuffle": True,
            }
        )
        self.payt.state.events.clear()
        self.pay(move)
        with self.allow_requests(all_requests=True):
            made = self.payt.webhooks.flush()
        self.assertEqual({delivery["status"] for delivery in made}, {200})
        self.env.invalidate_all()
        self.run_cron("event")
        self.assertEqual(move.payment_state, "paid")
        self.assertEqual(self.mirror(move).status, "paid")
        paid = self.events().filtered(lambda event: event.kind == "invoice_paid")
        self.assertEqual(paid.invoice_id, self.mirror(move))

    def test_events_wait_while_payt_is_down(self):
        self.deliver(self.event())
        self.payt.faults.add({"kind": "server_error", "times": 99})
        self.run_cron("event")
        self.assertEqual(self.events().state, "pending")
        self.payt.faults.clear()
        self.run_cron("event")
        self.assertEqual(self.events().state, "done")
