import sys
import time
from datetime import date
from pathlib import Path

from odoo.tests import tagged

from odoo.addons.account.tests.common import AccountTestInvoicingCommon

from ..models.payt_pull import precise_now

# The simulator lies beside the addons in the project; it is no part of this addon.
SIMULATOR = Path(__file__).resolve().parents[3] / "tests"
if str(SIMULATOR) not in sys.path:
    sys.path.append(str(SIMULATOR))

# The path above has to be known first.
# pylint: disable=wrong-import-position,import-error
from payt_server import PaytServer  # noqa: E402
from payt_server.oauth import CLIENT_ID, CLIENT_SECRET, STATIC_TOKEN  # noqa: E402
from payt_server.state import ADMINISTRATION  # noqa: E402

# pylint: enable=wrong-import-position,import-error
__all__ = [
    "CLIENT_ID",
    "CLIENT_SECRET",
    "STATIC_TOKEN",
    "WEBHOOK_SECRET",
    "PaytCommon",
    "PaytServer",
]

WEBHOOK_SECRET = "webhook-secret-for-tests"


@tagged("post_install", "-at_install")
class PaytCommon(AccountTestInvoicingCommon):
    """A live connection to a simulator, a payer, and helpers that read like a story."""

    @classmethod
    @AccountTestInvoicingCommon.setup_country("nl")
    def setUpClass(cls):
        super().setUpClass()
        cls.payt = PaytServer(rate_limit=0, record=True).start()
        cls.addClassCleanup(cls.payt.stop)
        cls.company = cls.company_data["company"]
        cls.env.user.lang = "en_US"
        cls.env.user.group_ids += cls.env.ref("onergy_residents.group_manager")
        cls.connection = cls.env["payt.connection"].create(
            {
                "company_id": cls.company.id,
                "environment": "custom",
                "api_base_url": cls.payt.address,
                "app_base_url": cls.payt.address,
                "administration_id": ADMINISTRATION,
                "api_token": STATIC_TOKEN,
                "start_date": date(2025, 1, 1),
                "send_pdf": False,
                "requests_per_second": 10,
                "webhook_secret": WEBHOOK_SECRET,
                "user_id": cls.env.user.id,
            }
        )
        cls.connection.action_create_clearing_journal()
        cls.payer = cls._create_payer("Eerste bewoner", "eerste@example.com")

    def setUp(self):
        super().setUp()
        self.payt.reset()
        self.payt.rate_limit = 0
        # No test waits for the rate limit; the benchmark measures it.
        model = self.env.registry["payt.connection"]
        self.patch(model, "_limiter", lambda connection: None)
        # Odoo's tests understand one number only as a time limit.
        options = {"timeout": 30, "sleep": lambda seconds: None}
        self.patch(model, "_client_options", lambda connection: options)
        self.connection.sudo().write(
            {
                "live_enabled": True,
                "fingerprint": self.env["payt.connection"]._database_fingerprint(),
            }
        )

    # ------------------------------------------------------------------- the story

    @classmethod
    def _create_payer(cls, name, email, **values):
        return cls.env["res.partner"].create(
            {
                "name": name,
                "email": email,
                "street": "Voorbeeldstraat 1",
                "zip": "3511 AA",
                "city": "Utrecht",
                "country_id": cls.env.ref("base.nl").id,
                "lang": "en_US",
                **values,
            }
        )

    def invoice(
        self, amount=100.0, payer=None, move_type="out_invoice", post=True, **kw
    ):
        move = self.env["account.move"].create(
            {
                "move_type": move_type,
                "partner_id": (payer or self.payer).id,
                "invoice_date": "2025-06-01",
                "invoice_date_due": "2025-06-15",
                "invoice_line_ids": [
                    (
                        0,
                        0,
                        {
                            "name": "Warmte",
                            "price_unit": amount,
                            "quantity": 1,
                            "tax_ids": [(6, 0, [])],
                        },
                    )
                ],
                **kw,
            }
        )
        if post:
            move.action_post()
        return move

    def run_cron(self, name):
        """Run a cron as the scheduler does, commits included."""
        cron = self.env.ref(f"onergy_payt.ir_cron_payt_{name}")
        if type(self)._registry_patched:
            cron.method_direct_trigger()
        else:
            with self.enter_registry_test_mode():
                cron.method_direct_trigger()
        self.env.invalidate_all()

    def push(self):
        self.make_due()
        self.run_cron("push")

    def pull(self):
        # The simulator's clock is a millisecond on for each row that it touched. (A
        # test may have put it on by hours: that is meant.)
        ahead = (self.payt.state.latest - precise_now()).total_seconds()
        if 0 <= ahead < 1:
            time.sleep(ahead + 0.001)
        self.run_cron("pull")

    def sync(self):
        """Everything once, as half an hour of crons would."""
        for _round in range(2):
            self.push()
            self.pull()

    def make_due(self):
        """Time passes: what waits for its next try may try now."""
        waiting = self.env["payt.operation"].sudo().search([("state", "=", "retry")])
        waiting.next_try = False

    def at_payt(self, move):
        """What Payt knows of an invoice (None: nothing)."""
        return self.payt.state.find("invoices", invoice_number=move.name)

    def pay(self, move, **values):
        answer = self.payt.control_pay({"invoice_number": move.name, **values})
        return answer["id"]

    def operations(self, record=None, **values):
        domain = [(key, "=", value) for key, value in values.items()]
        if record:
            domain += [("res_model", "=", record._name), ("res_id", "=", record.id)]
        return self.env["payt.operation"].sudo().search(domain)

    def mirror(self, move):
        return move.payt_invoice_id.sudo()
