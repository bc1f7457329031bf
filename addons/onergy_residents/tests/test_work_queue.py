from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import TransactionCase, tagged

from .common import OnergyCommon


@tagged("post_install", "-at_install")
class TestWorkQueue(OnergyCommon, TransactionCase):
    def _queues(self, role):
        return self.env["onergy.work.queue"].with_user(self.staff[role]).search([])

    def _queue(self, name, role="customer_service"):
        return self.env.ref(f"onergy_residents.work_queue_{name}").with_user(
            self.staff[role]
        )

    def _create_request(self, **values):
        return self.env["onergy.request"].create({"subject": "Question", **values})

    def test_every_number_is_the_length_of_its_list(self):
        today = fields.Date.context_today(self.company)
        self._create_request(date_deadline=today - timedelta(days=1))
        self._create_request(date_deadline=today)
        self._create_request(user_id=self.staff["customer_service"].id)
        for queue in self._queues("manager"):
            with self.subTest(queue=queue.name):
                action = queue.action_open()
                model = self.env[action["res_model"]].with_user(self.staff["manager"])
                self.assertEqual(
                    queue.waiting_count, model.search_count(action["domain"])
                )
                self.assertNotIn("search_default", str(action["context"]))

    def test_a_late_request_is_counted_until_it_is_answered(self):
        queue = self._queue("overdue")
        before = queue.waiting_count
        late = self._create_request(
            date_deadline=fields.Date.context_today(self.company) - timedelta(days=1)
        )
        queue.invalidate_recordset()
        self.assertEqual(queue.waiting_count, before + 1)
        late.action_close()
        queue.invalidate_recordset()
        self.assertEqual(queue.waiting_count, before)

    def test_due_tomorrow_and_not_later(self):
        queue = self._queue("due")
        before = queue.waiting_count
        today = fields.Date.context_today(self.company)
        self._create_request(date_deadline=today + timedelta(days=1))
        self._create_request(date_deadline=today + timedelta(days=2))
        queue.invalidate_recordset()
        self.assertEqual(queue.waiting_count, before + 1)

    def test_my_requests_are_mine(self):
        self._create_request(user_id=self.staff["customer_service"].id)
        self.assertEqual(self._queue("mine").waiting_count, 1)
        self.assertEqual(self._queue("mine", "manager").waiting_count, 0)

    def test_home_without_payer(self):
        queue = self._queue("gap")
        self.env.flush_all()
        before = queue.waiting_count
        self.contract.date_end = fields.Date.context_today(self.contract) - timedelta(
            days=3
        )
        self.env.flush_all()
        queue.invalidate_recordset()
        self.assertEqual(queue.waiting_count, before + 1)

    def test_each_role_sees_its_work(self):
        fault = self.env.ref("onergy_residents.work_queue_fault")
        gap = self.env.ref("onergy_residents.work_queue_gap")
        self.assertIn(fault, self._queues("metering"))
        self.assertNotIn(gap, self._queues("metering"))
        self.assertIn(gap, self._queues("accountant"))
        self.assertNotIn(fault, self._queues("accountant"))

    def test_only_the_manager_changes_them(self):
        self._queue("gap", "manager").sequence = 5
        for role in ("customer_service", "accountant"):
            with self.assertRaises(AccessError):
                self._queue("gap", role).sequence = 5
