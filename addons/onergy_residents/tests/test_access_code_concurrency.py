from psycopg2 import errors

from odoo import SUPERUSER_ID
from odoo.api import Environment
from odoo.exceptions import UserError
from odoo.modules.registry import Registry
from odoo.tests import BaseCase, tagged
from odoo.tests.common import get_db_name
from odoo.tools import mute_logger

PREFIX = "CONCURCODE"
ADDRESS = "192.0.2.7"


@tagged("post_install", "-at_install")
class TestAccessCodeConcurrency(BaseCase):
    """A code works once, also for two who use it at one moment.

    Two real transactions; what they commit is removed afterwards.
    """

    def setUp(self):
        super().setUp()
        self.registry = Registry(get_db_name())
        self.addCleanup(self._clean)
        with self.registry.cursor() as cr:
            env = Environment(cr, SUPERUSER_ID, {})
            complex_ = env["onergy.complex"].create({"name": PREFIX, "code": PREFIX})
            home = env["onergy.connection"].create(
                {
                    "complex_id": complex_.id,
                    "street": PREFIX,
                    "house_number": "1",
                    "zip": "1234 AB",
                    "city": PREFIX,
                }
            )
            resident = env["res.partner"].create({"name": PREFIX})
            env["onergy.contract"].create(
                {
                    "connection_id": home.id,
                    "partner_id": resident.id,
                    "date_start": "2025-01-01",
                }
            )
            codes = env["onergy.access.code"]._issue(resident, "letter")
            ((code, self.plain),) = codes.items()
            self.login, self.code = code.login, code.id

    def _clean(self):
        with self.registry.cursor() as cr:
            env = Environment(cr, SUPERUSER_ID, {})
            codes = env["onergy.access.code"].search([("id", "=", self.code)])
            user, partner = codes.user_id, codes.partner_id
            codes.unlink()
            homes = env["onergy.connection"].search([("street", "=", PREFIX)])
            homes.contract_ids.unlink()
            complexes = homes.complex_id
            homes.unlink()
            complexes.unlink()
            user.unlink()
            partner.unlink()

    def _verify(self, cr):
        codes = Environment(cr, SUPERUSER_ID, {})["onergy.access.code"]
        return codes._verify(self.login, self.plain, ADDRESS)

    @mute_logger("odoo.sql_db")
    def test_the_second_waits_for_nobody_and_is_refused(self):
        """Both have shown the code; the first has not committed yet."""
        with self.registry.cursor() as first, self.registry.cursor() as second:
            winner, loser = self._verify(first), self._verify(second)
            self.assertEqual(winner.id, loser.id)
            winner._consume()
            winner.user_id._change_password("first password")
            winner.env.flush_all()
            with self.assertRaises(UserError):
                loser._consume()
            second.rollback()
            first.commit()
        self._assert_used_once()

    @mute_logger("odoo.sql_db")
    def test_the_second_comes_just_after_the_commit(self):
        """He looked before it was used and acts after it."""
        with self.registry.cursor() as second:
            loser = self._verify(second)
            self.assertTrue(loser._is_usable())
            with self.registry.cursor() as first:
                winner = self._verify(first)
                winner._consume()
                winner.user_id._change_password("first password")
            # Odoo tries such a request again; the second time it is refused.
            with self.assertRaises((UserError, errors.SerializationFailure)):
                loser._consume()
                loser.env.flush_all()
            second.rollback()
            loser.env.invalidate_all()
            with self.assertRaises(UserError):
                loser._consume()
            second.rollback()
        self._assert_used_once()

    def _assert_used_once(self):
        with self.registry.cursor() as cr:
            env = Environment(cr, SUPERUSER_ID, {})
            code = env["onergy.access.code"].browse(self.code)
            self.assertEqual(code.state, "used")
            credential = {"login": self.login, "type": "password"}
            user = code.user_id.with_user(code.user_id)
            user._check_credentials(
                {**credential, "password": "first password"}, {"interactive": True}
            )
            uses = code.partner_id.message_ids.filtered(
                lambda message: "activated the portal login" in (message.body or "")
            )
            self.assertEqual(len(uses), 1)
