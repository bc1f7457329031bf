from psycopg2 import errors

from odoo import SUPERUSER_ID
from odoo.api import Environment
from odoo.exceptions import UserError
from odoo.modules.registry import Registry
from odoo.tests import BaseCase, tagged
from odoo.tests.common import get_db_name
from odoo.tools import mute_logger

PREFIX = "CONCURMOVE"


@tagged("post_install", "-at_install")
class TestMoveConcurrency(BaseCase):
    """Two real transactions at a time; what they commit is removed afterwards."""

    def setUp(self):
        super().setUp()
        self.registry = Registry(get_db_name())
        self.addCleanup(self._clean)
        with self.registry.cursor() as cr:
            env = Environment(cr, SUPERUSER_ID, {})
            owner, resident, newcomer = env["res.partner"].create(
                [{"name": f"{PREFIX} {number}"} for number in range(3)]
            )
            complex_ = env["onergy.complex"].create(
                {"name": PREFIX, "code": PREFIX, "owner_id": owner.id}
            )
            home, other_home = env["onergy.connection"].create(
                [
                    {
                        "complex_id": complex_.id,
                        "street": PREFIX,
                        "house_number": number,
                        "zip": "1234 AB",
                        "city": PREFIX,
                    }
                    for number in ("1", "2")
                ]
            )
            contract = env["onergy.contract"].create(
                {
                    "connection_id": home.id,
                    "partner_id": resident.id,
                    "date_start": "2025-01-01",
                }
            )
            move = env["onergy.move"].create(
                {
                    "contract_id": contract.id,
                    "date_end": "2026-03-31",
                    "next_kind": "owner",
                }
            )
            self.home, self.move, self.newcomer = home.id, move.id, newcomer.id
            self.other_home = other_home.id

    def _clean(self):
        with self.registry.cursor() as cr:
            env = Environment(cr, SUPERUSER_ID, {})
            homes = env["onergy.connection"].search([("street", "=", PREFIX)])
            moves = env["onergy.move"].search([("connection_id", "in", homes.ids)])
            moves.state = "cancelled"
            moves.unlink()
            homes.contract_ids.unlink()
            complexes = homes.complex_id
            homes.unlink()
            complexes.unlink()
            env["res.partner"].search([("name", "like", PREFIX)]).unlink()

    @mute_logger("odoo.sql_db")
    def test_one_of_two_clerks_carries_it_out(self):
        with self.registry.cursor() as slow_cr:
            slow = Environment(slow_cr, SUPERUSER_ID, {})["onergy.move"]
            slow = slow.browse(self.move)
            self.assertEqual(slow.state, "reported")
            self.assertFalse(slow.has_problems)
            with self.registry.cursor() as cr:
                env = Environment(cr, SUPERUSER_ID, {})
                env["onergy.move"].browse(self.move).action_carry_out()
            # Odoo tries such a request again; the second time it is refused.
            with self.assertRaises(errors.SerializationFailure):
                slow.action_carry_out()
            slow_cr.rollback()
            slow.env.invalidate_all()
            with self.assertRaises(UserError):
                slow.action_carry_out()
            slow_cr.rollback()
        self.assertEqual(self._count_contracts(), 2)

    @mute_logger("odoo.sql_db")
    def test_a_contract_entered_meanwhile_is_not_overlapped(self):
        """The move has looked; before it writes, a colleague enters a contract."""
        with self.registry.cursor() as slow_cr:
            slow = Environment(slow_cr, SUPERUSER_ID, {})["onergy.move"]
            slow = slow.browse(self.move)
            self.assertFalse(slow._get_problems())
            with self.registry.cursor() as cr:
                env = Environment(cr, SUPERUSER_ID, {})
                env["onergy.contract"].create(
                    {
                        "connection_id": self.other_home,
                        "partner_id": self.newcomer,
                        "date_start": "2026-04-15",
                    }
                )
            # Not to be seen in this transaction, and yet in the way.
            slow.write(
                {
                    "kind": "move_in",
                    "connection_id": self.other_home,
                    "contract_id": False,
                    "next_date": "2026-04-01",
                    "next_kind": "resident",
                    "next_partner_id": self.newcomer,
                }
            )
            self.assertFalse(slow._get_following_contract())
            self.assertFalse(slow._get_problems())
            with self.assertRaises(errors.ExclusionViolation):
                slow._carry_out()
                slow.env.flush_all()
            slow_cr.rollback()
        self.assertEqual(self._count_contracts(), 1)

    def _count_contracts(self):
        with self.registry.cursor() as cr:
            env = Environment(cr, SUPERUSER_ID, {})
            return len(env["onergy.connection"].browse(self.home).contract_ids)
