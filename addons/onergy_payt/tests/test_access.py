from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from .common import PaytCommon

MODELS = (
    "payt.connection",
    "payt.cursor",
    "payt.operation",
    "payt.event",
    "payt.debtor",
    "payt.invoice",
    "payt.transaction",
    "payt.transaction.line",
    "payt.bank.payment",
    "payt.mandate",
    "payt.message",
    "payt.plan",
    "payt.plan.term",
    "payt.case",
    "payt.difference",
)
PORTAL_MAY_READ = ("payt.invoice", "payt.message")


@tagged("post_install", "-at_install")
class TestAccess(PaytCommon):
    """Who may see and do what."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.staff = {
            role: cls._staff(role)
            for role in ("customer_service", "metering", "accountant", "manager")
        }
        cls.other = cls._create_payer("Tweede bewoner", "tweede@example.com")
        cls.users = {
            partner: new_test_user(
                cls.env,
                partner.email,
                "base.group_portal",
                company_id=cls.company.id,
                company_ids=[(6, 0, cls.company.ids)],
            )
            for partner in (cls.payer, cls.other)
        }
        # The user's own new contact makes room for the one with the invoices.
        for partner, user in cls.users.items():
            user.partner_id = partner

    @classmethod
    def _staff(cls, role):
        return new_test_user(
            cls.env,
            f"payt_{role}",
            f"onergy_residents.group_{role}",
            company_id=cls.company.id,
            company_ids=[(6, 0, cls.company.ids)],
        )

    def setUp(self):
        super().setUp()
        self.mine = self.invoice(10.0)
        self.theirs = self.invoice(20.0, payer=self.other)
        self.sync()
        for move in (self.mine, self.theirs):
            self.payt.control_comment({"invoice_number": move.name, "text": "Vraag"})
        with self.payt.locked() as state:
            stored = self.at_payt(self.mine)
            state.insert(
                "notes",
                {
                    "content": "Intern",
                    "invoice_id": stored["id"],
                    "debtor_id": stored["debtor_id"],
                    "created_at": state.now(),
                },
            )
        self.pull()

    def test_a_resident_sees_his_own_only(self):
        for partner, user in self.users.items():
            invoices = self.env["payt.invoice"].with_user(user).search([])
            self.assertEqual(invoices.sudo().partner_id, partner)
            messages = self.env["payt.message"].with_user(user).search([])
            self.assertEqual(messages.sudo().partner_id, partner)

    def test_notes_are_not_for_residents(self):
        user = self.users[self.payer]
        messages = self.env["payt.message"].with_user(user).search([])
        self.assertEqual(set(messages.mapped("kind")), {"in"})

    @mute_logger("odoo.addons.base.models.ir_model")
    def test_residents_read_two_models_and_write_none(self):
        user = self.users[self.payer]
        for model in MODELS:
            with self.subTest(model=model):
                records = self.env[model].with_user(user)
                self.assertEqual(records.has_access("read"), model in PORTAL_MAY_READ)
                for right in ("write", "create", "unlink"):
                    self.assertFalse(records.has_access(right))

    def test_the_public_sees_nothing(self):
        public = self.env.ref("base.public_user")
        for model in MODELS:
            self.assertFalse(self.env[model].with_user(public).has_access("read"))

    def test_metering_has_no_business_here(self):
        for model in MODELS:
            records = self.env[model].with_user(self.staff["metering"])
            self.assertFalse(records.has_access("read"), model)

    def test_accountants_read_everything_and_write_nothing(self):
        for model in MODELS:
            records = self.env[model].with_user(self.staff["accountant"])
            self.assertTrue(records.has_access("read"), model)
            for right in ("write", "create", "unlink"):
                self.assertFalse(records.has_access(right), model)

    def test_only_managers_change_the_connection(self):
        for role in ("customer_service", "accountant"):
            connection = self.connection.with_user(self.staff[role])
            with self.assertRaises(AccessError):
                connection.live_enabled = False
            for action in (
                "action_pause",
                "action_go_live",
                "action_test",
                "action_sync_now",
                "action_authorize",
                "action_send_existing",
                "action_create_clearing_journal",
            ):
                with self.subTest(action=action), self.assertRaises(AccessError):
                    getattr(connection, action)()
        self.connection.with_user(self.staff["manager"]).action_pause()
        self.assertFalse(self.connection.live_enabled)

    def test_accountants_may_try_again(self):
        operation = self.operations(self.mirror(self.mine))[:1]
        operation.write({"state": "failed", "error_code": "refused"})
        operation.with_user(self.staff["accountant"]).action_retry()
        self.assertEqual(operation.state, "pending")
        for user in (self.staff["metering"], self.users[self.payer]):
            with self.assertRaises(AccessError):
                operation.with_user(user).action_retry()

    def test_residents_cannot_press_the_buttons_of_staff(self):
        user = self.users[self.payer]
        mirror = self.mirror(self.mine).with_user(user)
        for action in (
            "action_dispute",
            "action_end_dispute",
            "action_send",
            "action_send_open_amount",
            "action_fetch",
        ):
            with self.subTest(action=action), self.assertRaises(AccessError):
                getattr(mirror, action)()
        message = self.env["payt.message"].with_user(user).search([], limit=1)
        with self.assertRaises(AccessError):
            message.action_mark_read()

    def test_another_company_sees_nothing(self):
        company = self.env["res.company"].create({"name": "Andere leverancier"})
        stranger = new_test_user(
            self.env,
            "payt_stranger",
            "onergy_residents.group_manager",
            company_id=company.id,
            company_ids=[(6, 0, company.ids)],
        )
        for model in MODELS:
            if model == "payt.connection":
                continue
            self.assertFalse(self.env[model].with_user(stranger).search([]), model)
        self.assertNotIn(
            self.connection, self.env["payt.connection"].with_user(stranger).search([])
        )

    def _records_with_buttons(self):
        """One record of each model with a button of staff, and its buttons."""
        connection, mirror = self.connection.sudo(), self.mirror(self.mine)
        operation = self.operations(mirror)[:1]
        operation.state = "failed"
        debtor = mirror.debtor_id
        debtor.proposed_email = "nieuw@example.com"
        transaction = (
            self.env["payt.transaction"]
            .sudo()
            .create(
                {
                    "connection_id": connection.id,
                    "payt_id": "t1",
                    "currency_id": self.company.currency_id.id,
                    "state": "attention",
                }
            )
        )
        bank = (
            self.env["payt.bank.payment"]
            .sudo()
            .create(
                {
                    "connection_id": connection.id,
                    "payt_id": "b1",
                    "invoice_id": mirror.id,
                }
            )
        )
        plans = (
            self.env["payt.plan"]
            .sudo()
            .create(
                [
                    {
                        "connection_id": connection.id,
                        "payt_id": payt_id,
                        "debtor_id": debtor.id,
                        "state": state,
                    }
                    for payt_id, state in (
                        ("p1", "proposed"),
                        ("p2", "active"),
                        (False, "proposed"),
                    )
                ]
            )
        )
        mirror.open_amount = 1.0
        self.env.flush_all()
        self.operations(mirror).state = "failed"
        difference = self.env["payt.difference"].search(
            [("move_id", "=", self.mine.id)]
        )
        message = self.env["payt.message"].search([("is_unread", "=", True)], limit=1)
        return (
            (operation, ("action_retry", "action_cancel")),
            (
                mirror,
                (
                    "action_dispute",
                    "action_end_dispute",
                    "action_send",
                    "action_send_open_amount",
                    "action_fetch",
                ),
            ),
            (debtor, ("action_accept_email", "action_refuse_email")),
            (transaction, ("action_book", "action_settle")),
            (bank, ("action_ignore", "action_register")),
            (plans[0], ("action_approve", "action_reject")),
            (plans[1], ("action_deactivate",)),
            (plans[2], ("action_approve", "action_reject")),
            (difference, ("action_mend",)),
            (message, ("action_mark_read",)),
        )

    def test_staff_of_another_company_cannot_press_the_buttons(self):
        company = self.env["res.company"].create({"name": "Andere leverancier"})
        for role in ("accountant", "customer_service"):
            stranger = new_test_user(
                self.env,
                f"payt_stranger_{role}",
                f"onergy_residents.group_{role}",
                company_id=company.id,
                company_ids=[(6, 0, company.ids)],
            )
            for record, actions in self._records_with_buttons():
                self.assertEqual(len(record), 1, record)
                for action in actions:
                    with (
                        self.subTest(record=record, action=action, role=role),
                        self.assertRaises(AccessError),
                        self.env.cr.savepoint(),
                    ):
                        getattr(record.with_user(stranger), action)()
            self.env["payt.transaction"].sudo().search([]).unlink()
            self.env["payt.bank.payment"].sudo().search([]).unlink()
            self.env["payt.plan"].sudo().search([]).unlink()

    def test_posting_needs_no_rights_on_payt(self):
        clerk = new_test_user(
            self.env,
            "payt_clerk",
            "account.group_account_invoice",
            company_id=self.company.id,
            company_ids=[(6, 0, self.company.ids)],
        )
        move = self.invoice(30.0, post=False)
        move.with_user(clerk).action_post()
        self.push()
        self.assertTrue(self.at_payt(move))
