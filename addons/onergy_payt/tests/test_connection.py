from pathlib import Path

from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged

from ..tools import DatabaseLimiter, DatabaseTokenStore
from .common import CLIENT_ID, CLIENT_SECRET, PaytCommon, PaytServer


@tagged("post_install", "-at_install")
class TestConnection(PaytCommon):
    """Getting in, staying safe."""

    def test_off_by_default_and_the_queue_shows_what_would_go(self):
        self.connection.live_enabled = False
        move = self.invoice(121.0)
        self.push()
        self.pull()
        self.assertEqual(self.payt.counts.total(), 0)
        preview = self.operations(self.mirror(move)).preview
        self.assertIn('"amount_total": "121.00"', preview)

    def test_going_live_needs_a_start_date_and_access(self):
        self.connection.write({"live_enabled": False, "start_date": False})
        with self.assertRaisesRegex(UserError, "start date"):
            self.connection.action_go_live()
        self.connection.start_date = "2025-01-01"
        self.connection.administration_id = "9999"
        with self.assertRaisesRegex(UserError, "no access"):
            self.connection.action_go_live()
        self.connection.administration_id = "7001"
        self.connection.action_go_live()
        self.assertTrue(self.connection.is_live)

    def test_a_copy_of_the_database_sends_nothing(self):
        self.invoice()
        self.connection.sudo().fingerprint = "another database"
        self.connection.invalidate_recordset()
        self.push()
        self.assertEqual(self.payt.counts.total(), 0)
        with self.assertRaises(UserError):
            self.connection.action_sync_now()

    def test_neutralizing_removes_every_secret(self):
        path = Path(__file__).parents[1] / "data" / "neutralize.sql"
        self.env.flush_all()
        self.env.cr.execute(path.read_text())
        self.env.invalidate_all()
        connection = self.connection.sudo()
        self.assertFalse(connection.is_live)
        secret = [
            name
            for name, field in connection._fields.items()
            if field.groups == "base.group_system" and field.store
        ]
        kept = {"webhook_key"}
        self.assertFalse([n for n in secret if n not in kept and connection[n]])

    def test_another_address_has_to_prove_itself(self):
        self.connection.administration_id = "8000"
        self.assertFalse(self.connection.is_live)

    def _tokens(self):
        return (
            self.env["payt.token"]
            .sudo()
            .search([("connection_id", "=", self.connection.id)])
        )

    def test_secrets_never_go_to_another_address(self):
        connection = self.connection.sudo()
        connection.write({"client_id": "id", "client_secret": "secret"})
        self._tokens().write({"access_token": "a", "refresh_token": "r"})
        self.connection.name = "Payt"
        self.assertTrue(connection.api_token)
        manager = new_test_user(
            self.env,
            "payt_manager",
            "onergy_residents.group_manager",
            company_id=self.company.id,
            company_ids=[(6, 0, self.company.ids)],
        )
        stranger = PaytServer(rate_limit=0, record=True).start()
        self.addCleanup(stranger.stop)
        self.env.flush_all()
        with self.enter_registry_test_mode():
            self.connection.with_user(manager).api_base_url = stranger.address
        with self.assertRaises(UserError):
            self.connection.with_user(manager).action_test()
        self.assertFalse(
            connection.api_token or connection.client_id or connection.client_secret
        )
        self.assertFalse(self._tokens().access_token or self._tokens().refresh_token)
        self.assertIn("removed", self.connection.message_ids[0].body)

    def test_another_environment_is_another_address(self):
        connection = self.connection.sudo()
        connection.environment = "production"
        self.assertFalse(connection.api_token)

    def test_secrets_filled_in_with_a_new_address_stay(self):
        connection = self.connection.sudo()
        connection.write(
            {"api_base_url": "https://other.example.com", "api_token": "new"}
        )
        self.assertEqual(connection.api_token, "new")

    def test_a_wrong_token_is_explained_and_a_person_is_called(self):
        self.connection.sudo().api_token = "wrong"
        self.invoice()
        self.push()
        self.assertTrue(self.connection.activity_ids)
        self.assertTrue(self.connection.last_error)
        self.assertEqual(set(self.operations().mapped("state")), {"pending", "retry"})
        with self.assertRaises(UserError):
            self.connection.action_test()

    def test_consent_then_rotating_tokens(self):
        self.connection.sudo().write(
            {
                "auth_mode": "authorization_code",
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
            }
        )
        self.assertFalse(self.connection.is_connected)
        action = self.connection.action_authorize()
        self.assertIn("/oauth/authorize", action["url"])
        self.payt.oauth.codes["the code"] = self.connection._redirect_uri()
        with self.enter_registry_test_mode():
            self.connection._finish_authorization("the code")
        self.connection.invalidate_recordset()
        self.assertTrue(self.connection.is_connected)
        for _number in range(2):
            self.payt.oauth.tokens.clear()
            with self.enter_registry_test_mode():
                self.connection.action_test()
        token = (
            self.env["payt.token"]
            .sudo()
            .search([("connection_id", "=", self.connection.id)])
        )
        self.assertEqual(token.refresh_token, self.payt.oauth.refresh_token)

    def consent(self):
        self.connection.sudo().write(
            {
                "auth_mode": "authorization_code",
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
            }
        )
        self.payt.oauth.codes["the code"] = self.connection._redirect_uri()
        with self.enter_registry_test_mode():
            self.connection._finish_authorization("the code")

    def test_a_consent_that_ended_is_explained_and_asked_for_once(self):
        self.consent()
        self.payt.oauth.tokens.clear()
        self.payt.oauth.refresh_token = None
        for _round in range(2):
            self.pull()
        self.assertEqual(len(self.payt.oauth.offered), 1)
        self.assertFalse(self.connection.is_connected)
        self.assertIn("log in at Payt again", self.connection.trouble)
        self.assertEqual(len(self.connection.activity_ids), 1)
        self.consent()
        self.pull()
        self.assertFalse(self.connection.trouble)

    def test_a_copy_does_not_take_the_consent_of_the_original(self):
        self.consent()
        self.connection.sudo().fingerprint = "of another database"
        self.payt.oauth.tokens.clear()
        with self.assertRaisesRegex(UserError, "copy"):
            self.connection.action_test()
        self.assertFalse(self.payt.oauth.offered)
        # With a consent of its own it may; but it is not live by that.
        self.consent()
        with self.enter_registry_test_mode():
            self.connection.action_test()
        self.assertFalse(self.connection.is_live)

    def test_an_application_can_be_tested_before_it_is_saved(self):
        """The wizard makes the connection in the transaction of the test."""
        self.connection.active = False
        wizard = self.env["payt.connect.wizard"].create(
            {
                "company_id": self.company.id,
                "environment": "custom",
                "api_base_url": self.payt.address,
                "auth_mode": "client_credentials",
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "start_date": "2025-01-01",
            }
        )
        read = DatabaseTokenStore._read

        def unseen(store, cr, lock):
            store._connection_id = 0
            return read(store, cr, lock)

        # As a transaction of its own sees it: the row is not there yet.
        self.patch(DatabaseTokenStore, "_read", unseen)
        with self.enter_registry_test_mode():
            wizard.action_test()
        self.assertIn("7001: Simulator", wizard.administration_choice)
        self.assertEqual(wizard.administration_id, "7001")

    def test_managers_write_secrets_and_cannot_read_them(self):
        manager = new_test_user(
            self.env,
            "payt_manager",
            "onergy_residents.group_manager",
            company_id=self.company.id,
            company_ids=[(6, 0, self.company.ids)],
        )
        wizard = (
            self.env["payt.connect.wizard"]
            .with_user(manager)
            .create(
                {
                    "connection_id": self.connection.id,
                    "company_id": self.company.id,
                    "environment": "custom",
                    "api_base_url": self.payt.address,
                    "api_token": "simulator-token",
                    "administration_id": "7001",
                    "start_date": "2025-01-01",
                }
            )
        )
        wizard.action_test()
        self.assertIn("7001: Simulator", wizard.administration_choice)
        self.assertFalse(wizard.api_token)
        with self.assertRaises(AccessError):
            self.connection.with_user(manager).read(["api_token"])
        with self.assertRaises(AccessError):
            self.env["payt.token"].with_user(manager).search([])

    def test_workers_share_one_row_of_moments(self):
        token = (
            self.env["payt.token"]
            .sudo()
            .search([("connection_id", "=", self.connection.id)])
        )
        workers = [
            DatabaseLimiter(self.env.registry, self.connection.id, 10)
            for _number in range(2)
        ]
        with self.enter_registry_test_mode():
            # Far ahead of the clock, so that how fast this runs does not matter.
            workers[0].hold(1000)
            token.invalidate_recordset()
            first = token.next_slot
            waits = [worker.reserve() for worker in workers * 5]
            token.invalidate_recordset()
            self.assertAlmostEqual(token.next_slot - first, 1.0, places=3)
            self.assertGreater(min(waits), 900)

    def test_an_exported_connection_has_no_secrets(self):
        copied = self.connection.sudo().copy_data()[0]
        for secret in ("api_token", "client_secret", "webhook_secret", "fingerprint"):
            self.assertNotIn(secret, copied)
        self.assertFalse(copied.get("live_enabled"))
