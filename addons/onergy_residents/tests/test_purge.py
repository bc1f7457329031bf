from dateutil.relativedelta import relativedelta
from psycopg2.errors import CheckViolation

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import TransactionCase, tagged
from odoo.tools import mute_logger

from odoo.addons.account.tests.common import AccountTestInvoicingCommon

from .common import OnergyCommon


def let_leave(contract, years):
    """Have a contract of two years end so many years ago; return its payer."""
    today = fields.Date.today()
    contract.write(
        {
            "date_start": today - relativedelta(years=years + 2),
            "date_end": today - relativedelta(years=years),
        }
    )
    return contract.partner_id


@tagged("post_install", "-at_install")
class TestPurge(OnergyCommon, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.purge = cls.env["onergy.purge"]
        cls.logs = cls.env["onergy.purge.log"]
        cls.today = fields.Date.today()

    def _run(self):
        with self.enter_registry_test_mode():
            self.env.ref("onergy_residents.ir_cron_purge").method_direct_trigger()

    def _count(self, kind):
        return sum(
            self.logs.search([("kind", "=", kind), ("is_preview", "=", False)]).mapped(
                "count"
            )
        )

    def test_views_go_after_their_time(self):
        self.resident.with_user(self.staff["manager"]).web_read({"email": {}})
        self.env.cr.execute(
            """
            INSERT INTO onergy_access_log
                   (moment, user_id, partner_id, company_id, res_model, res_id, how)
            SELECT now() - interval '25 months', user_id, partner_id, company_id,
                   res_model, res_id, how FROM onergy_access_log
            """
        )
        domain = [("partner_id", "=", self.resident.id)]
        self.assertEqual(self.env["onergy.access.log"].search_count(domain), 2)
        before = self._count("access_log")
        self._run()
        self.assertEqual(self.env["onergy.access.log"].search_count(domain), 1)
        self.assertEqual(self._count("access_log"), before + 1)

    def test_closed_requests_go_after_their_time(self):
        closed = self.env["onergy.request.stage"].search([("state", "=", "closed")])[:1]
        old, new, still_open = self.env["onergy.request"].create(
            [
                {"subject": "S", "partner_id": self.resident.id, "stage_id": closed.id},
                {"subject": "S", "partner_id": self.resident.id, "stage_id": closed.id},
                {"subject": "S", "partner_id": self.resident.id},
            ]
        )
        long_ago = fields.Datetime.now() - relativedelta(months=25)
        old.date_closed = still_open.date_closed = long_ago
        new.date_closed = fields.Datetime.now()
        self._run()
        self.assertFalse(old.exists())
        self.assertTrue(new.exists())
        self.assertTrue(still_open.exists())

    def test_past_residents_are_forgotten_when_the_books_allow(self):
        self.contract.write(
            {
                "bank_account_id": self.env["res.partner.bank"]
                .create(
                    {"acc_number": "NL91ABNA0417164300", "partner_id": self.resident.id}
                )
                .id,
                "payment_method": "direct_debit",
            }
        )
        number = self.resident.debtor_number
        user = self.resident._onergy_get_or_create_portal_user()[self.resident]
        gone = let_leave(self.contract, 8)
        kept = let_leave(self.contract_2, 6)
        preview = self.purge._preview(self.company)
        self.assertEqual(
            preview.filtered(lambda line: line.kind == "resident").count, 1
        )
        self.assertEqual(gone.name, "First resident")
        self._run()
        self.assertEqual(gone.name, "Past resident")
        self.assertFalse(gone.email)
        self.assertFalse(gone.bank_ids)
        self.assertFalse(self.contract.mandate_ids)
        self.assertFalse(user.active)
        self.assertFalse(gone.message_ids)
        # The figures stay under the number.
        self.assertEqual(gone.debtor_number, number)
        self.assertTrue(self.contract.exists())
        self.assertEqual(kept.name, "Second resident")
        before = self._count("resident")
        self._run()
        self.assertEqual(self._count("resident"), before)

    def test_a_contract_that_runs_is_never_touched(self):
        connection = self.connection.copy()
        self._create_contract(connection, self.resident, "2010-01-01", "2011-01-01")
        self._run()
        self.assertEqual(self.resident.name, "First resident")

    def test_nobody_writes_the_log(self):
        line = self.purge._preview(self.company)[:1]
        for role, user in self.staff.items():
            with self.subTest(role=role):
                if role == "manager":
                    self.assertTrue(line.with_user(user).read(["count"]))
                    self.assertTrue(
                        self.logs.with_user(user).action_preview()["domain"]
                    )
                else:
                    with self.assertRaises(AccessError):
                        self.logs.with_user(user).action_preview()
                for refused in (
                    lambda user=user: line.with_user(user).write({"count": 0}),
                    line.with_user(user).unlink,
                ):
                    with self.assertRaises(AccessError):
                        refused()

    def test_books_are_kept_for_seven_years_at_least(self):
        with mute_logger("odoo.sql_db"), self.assertRaises(CheckViolation):
            self.company.onergy_keep_billing_years = 6
            self.company.flush_recordset()


@tagged("post_install", "-at_install")
class TestPurgeBilled(OnergyCommon, AccountTestInvoicingCommon):
    @classmethod
    def get_default_groups(cls):
        manager = cls.env.ref("onergy_residents.group_manager")
        return super().get_default_groups() | manager

    def _bill(self, years, paid):
        day = fields.Date.today() - relativedelta(years=years)
        bill = self.init_invoice(
            "out_invoice",
            partner=self.resident,
            invoice_date=day,
            amounts=[100],
            post=True,
        )
        if paid:
            register = self.env["account.payment.register"]
            context = {"active_model": "account.move", "active_ids": bill.ids}
            register.with_context(**context).create(
                {"payment_date": day}
            )._create_payments()
        return bill

    def _count_forgotten(self):
        lines = self.env["onergy.purge"].sudo()._preview(self.company)
        return sum(lines.filtered(lambda line: line.kind == "resident").mapped("count"))

    def test_a_paid_bill_is_kept_as_long_as_the_books(self):
        let_leave(self.contract, 8)
        self.assertEqual(self._count_forgotten(), 1)
        self._bill(years=6, paid=True)
        self.assertEqual(self._count_forgotten(), 0)

    def test_who_still_owes_money_is_not_forgotten(self):
        let_leave(self.contract, 9)
        bill = self._bill(years=8, paid=False)
        self.assertEqual(self._count_forgotten(), 0)
        bill.button_cancel()
        self.assertEqual(self._count_forgotten(), 1)
