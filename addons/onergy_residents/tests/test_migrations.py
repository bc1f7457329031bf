from odoo import fields
from odoo.modules.migration import load_script
from odoo.tests import TransactionCase, tagged
from odoo.tools.misc import file_path
from odoo.tools.safe_eval import safe_eval

from .common import OnergyCommon


def run_migration(env, name):
    """Run a script of ``migrations`` as an upgrade of this addon does."""
    path = file_path(f"onergy_residents/migrations/19.0.1.1.0/{name}.py")
    env.flush_all()
    load_script(path, f"onergy_residents_{name}").migrate(env.cr, "19.0.1.0.0")
    env.invalidate_all()


@tagged("post_install", "-at_install")
class TestMigrations(OnergyCommon, TransactionCase):
    """What an upgrade makes of the data that an older version left."""

    def test_days_of_grants(self):
        for name in ("contract", "connection"):
            rule = self.env.ref(f"onergy_residents.rule_{name}_portal")
            now = " ".join(rule.domain_force.split())
            rule.domain_force = "[(0, '=', 1)]"
            run_migration(self.env, "post-days_of_grants")
            again = self._evaluate(rule.domain_force)
            with self.subTest(rule=name):
                self.assertEqual(again, self._evaluate(now))

    def _evaluate(self, domain):
        rules = self.env["ir.rule"]
        return safe_eval(domain, rules._eval_context())

    def test_bank_accounts_of_who_was_forgotten(self):
        partners = self.env["res.partner"].create(
            [{"name": "Gone", "onergy_anonymised": True}, {"name": "Here"}]
        )
        accounts = self.env["res.partner.bank"].create(
            [
                {"partner_id": partner.id, "acc_number": "NL91ABNA0417164300"}
                for partner in partners
            ]
        )
        accounts[0].active = False
        run_migration(self.env, "post-forget_bank_accounts")
        self.assertEqual(accounts[0].acc_number, f"X{accounts[0].id}")
        self.assertFalse(accounts[0].active)
        self.assertIn("ABNA", accounts[1].acc_number)
        self.assertTrue(accounts[1].active)

    def test_who_was_made_to_look_at_a_home(self):
        known, made = self.env["res.partner"].create(
            [{"name": name, "email": f"{name}@example.com"} for name in ("k", "m")]
        )
        self.env["onergy.access.grant"].create(
            [
                {
                    "contract_id": self.contract.id,
                    "partner_id": partner.id,
                    "name": partner.name,
                    "email": partner.email,
                    "date_from": fields.Date.today(),
                }
                for partner in (known, made)
            ]
        )
        self.env.flush_all()
        # All of a test has one moment; the one was known the year before.
        self.env.cr.execute(
            "UPDATE res_partner SET create_date = create_date - interval '1 year' "
            "WHERE id = %s",
            [known.id],
        )
        (known | made).onergy_viewer = False
        run_migration(self.env, "post-mark_viewers")
        self.assertFalse(known.onergy_viewer)
        self.assertTrue(made.onergy_viewer)
