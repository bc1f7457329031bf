from datetime import timedelta

from freezegun import freeze_time
from lxml import html

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from odoo.addons.mail.tests.common import MailCase

from .common import OnergyCommon


@tagged("post_install", "-at_install")
class TestNotice(OnergyCommon, MailCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["res.lang"]._activate_lang("en_US")
        (cls.resident | cls.resident_2).lang = "en_US"
        cls.env.user.lang = "en_US"
        cls.now = fields.Datetime.now().replace(microsecond=0)
        cls.clerk = cls.staff["customer_service"]
        cls.notice = cls._create_notice()

    @classmethod
    def _create_notice(cls, **values):
        return (
            cls.env["onergy.notice"]
            .with_user(cls.clerk)
            .create(
                {
                    "name": "New pump",
                    "kind": "planned",
                    "complex_ids": cls.complex.ids,
                    "date_start": cls.now + timedelta(days=2),
                    "date_end": cls.now + timedelta(days=2, hours=4),
                    "body": "<p>We replace the pump.</p>",
                    **values,
                }
            )
        )

    def _send(self):
        """Run the cron; return the mail to each address."""
        with self.mock_mail_gateway(), self.enter_registry_test_mode():
            self.env.ref("onergy_residents.ir_cron_notice").method_direct_trigger()
        self.env.invalidate_all()
        mails = {mail.recipient_ids.email: mail for mail in self._new_mails}
        self.assertEqual(len(mails), len(self._new_mails), "somebody got two")
        return mails

    def test_who_lives_there_is_told(self):
        other = self.env["onergy.complex"].create({"name": "Other", "code": "O"})
        elsewhere = self.connection_2.copy({"complex_id": other.id, "ean": False})
        self._create_contract(
            elsewhere, self.resident.copy({"email": "elsewhere@example.com"})
        )
        self.notice.action_publish()
        mails = self._send()
        self.assertEqual(set(mails), {"first@example.com", "second@example.com"})
        mail = mails["first@example.com"]
        self.assertEqual(mail.subject, "New pump")
        self.assertIn("We replace the pump.", mail.body_html)
        self.assertIn("Dorpsstraat 1", mail.body_html)
        self.assertIn("heating", mail.body_html)

    def test_nobody_is_told_twice(self):
        self.notice.action_publish()
        self._send()
        self.assertFalse(self._send())

    def test_a_stopped_run_goes_on(self):
        self.notice.action_publish()
        first = self.notice.delivery_ids[0]
        with self.mock_mail_gateway():
            first._send()
        mails = self._send()
        self.assertEqual(set(mails), {self.notice.delivery_ids[1].partner_id.email})

    def test_one_mail_for_all_homes_of_a_resident(self):
        self.contract_2.partner_id = self.resident
        self.notice.action_publish()
        [mail] = self._send().values()
        self.assertIn("Dorpsstraat 1", mail.body_html)
        self.assertIn("Dorpsstraat 2", mail.body_html)
        self.assertEqual(set(self.notice.delivery_ids.mapped("state")), {"sent"})

    def test_only_these_homes(self):
        self.notice.connection_ids = self.connection
        self.notice.action_publish()
        self.assertEqual(self.notice.delivery_ids.contract_id, self.contract)

    def test_past_tenant_is_not_told(self):
        self.contract.date_end = fields.Date.context_today(self.contract) - timedelta(
            days=1
        )
        self.notice.action_publish()
        self.assertEqual(self.notice.delivery_ids.contract_id, self.contract_2)

    def test_who_moves_in_is_told(self):
        self.contract.date_end = fields.Date.context_today(self.contract) - timedelta(
            days=1
        )
        self.notice.action_publish()
        self._send()
        newcomer = self.resident.copy({"email": "new@example.com"})
        self._create_contract(
            self.connection, newcomer, fields.Date.context_today(self.contract)
        )
        self.assertEqual(set(self._send()), {"new@example.com"})

    def test_who_has_no_mail_gets_a_letter(self):
        self.resident.email = False
        self.notice.action_publish()
        self._send()
        self.assertEqual(self.notice.letter_count, 1)
        action = self.notice.action_print_letters()
        letters = self.env["onergy.notice.delivery"].browse(
            action["context"]["active_ids"]
        )
        self.assertEqual(letters.contract_id, self.contract)
        content, _kind = self.env["ir.actions.report"]._render_qweb_html(
            action["report_name"], letters.ids
        )
        [window] = html.fromstring(content).xpath("//*[hasclass('onergy_window')]")
        self.assertIn("Dorpsstraat 1", window.text_content())
        self.assertIn("We replace the pump.", content.decode())
        self.notice.action_letters_posted()
        self.assertEqual(self.notice.letter_count, 0)
        with self.assertRefused(UserError, "by post"):
            self.notice.action_print_letters()

    def test_change_over_and_cancelled_are_told(self):
        self.notice.action_publish()
        self._send()
        self.notice.date_end += timedelta(hours=2)
        self.notice.action_send_update()
        self.assertEqual(self._send()["first@example.com"].subject, "Changed: New pump")
        self.notice.action_solve()
        self.assertEqual(self._send()["first@example.com"].subject, "Over: New pump")
        self.assertTrue(self.notice.date_solved)
        self.notice.action_reopen()
        self.assertFalse(self.notice.date_solved)
        self.notice.action_cancel()
        self.assertEqual(
            self._send()["first@example.com"].subject, "Cancelled: New pump"
        )

    def test_a_draft_is_cancelled_silently(self):
        self.notice.action_cancel()
        self.assertFalse(self.notice.delivery_ids)

    def test_published_once(self):
        self.notice.action_publish()
        with self.assertRefused(UserError, "published before"):
            self.notice.action_publish()

    def test_texts(self):
        notice = self._create_notice(
            date_start="2026-01-10 07:00:00",
            date_end="2026-01-10 11:30:00",
            service_hot_water=True,
        ).with_context(lang="en_US")
        self.assertEqual(notice._get_services_text(), "heating and hot water")
        notice.service_cooling = True
        self.assertEqual(notice._get_services_text(), "heating, hot water and cooling")
        self.assertEqual(
            notice._get_period_text(),
            "10 January 2026 08:00 until 12:30",
        )
        notice.date_end = False
        self.assertIn("end not known yet", notice._get_period_text())

    def test_reports_become_a_notice_and_are_answered(self):
        reports = self.env["onergy.request"].create(
            [
                {
                    "subject": "Cold",
                    "category": "fault",
                    "fault_kind": kind,
                    "partner_id": contract.partner_id.id,
                    "contract_id": contract.id,
                }
                for kind, contract in (
                    ("heating", self.contract),
                    ("hot_water", self.contract_2),
                )
            ]
        )
        self.assertEqual(set(reports.mapped("priority")), {"1"})
        action = reports.with_user(self.clerk).action_make_notice()
        notice = self.env["onergy.notice"].browse(action["res_id"])
        self.assertEqual(notice.kind, "outage")
        self.assertEqual(notice.complex_ids, self.complex)
        self.assertTrue(notice.service_heating and notice.service_hot_water)
        self.assertEqual(notice.request_count, 2)
        notice.with_user(self.clerk).action_publish()
        notice.with_user(self.clerk).action_solve()
        self.assertEqual(set(reports.mapped("state")), {"answered"})
        self.assertIn("has been solved", reports[0].message_ids[:1].body)

    def test_report_without_home_makes_no_notice(self):
        report = self.env["onergy.request"].create(
            {"subject": "Cold", "category": "fault"}
        )
        with self.assertRefused(UserError, "which home"):
            report.action_make_notice()

    def test_a_fault_is_answered_sooner(self):
        # A Wednesday, so that no weekend is in between.
        with freeze_time("2026-03-04 10:00:00"):
            fault, question = self.env["onergy.request"].create(
                [
                    {"subject": "Cold", "category": category}
                    for category in ("fault", "question")
                ]
            )
        self.assertEqual(str(fault.date_deadline), "2026-03-05")
        self.assertGreater(question.date_deadline, fault.date_deadline)

    def test_staff_roles(self):
        self.notice.action_publish()
        for role in ("customer_service", "metering", "manager"):
            self.notice.with_user(self.staff[role]).name = role
        accountant = self.notice.with_user(self.staff["accountant"])
        self.assertEqual(accountant.delivery_count, 2)
        with self.assertRaises(AccessError):
            accountant.name = "Mine"
        with self.assertRaises(AccessError):
            accountant.action_solve()

    def test_queries_do_not_grow_with_homes(self):
        self.notice.action_publish()
        self._send()
        self.env.flush_all()
        self.env.invalidate_all()
        notice = self.notice.with_user(self.clerk)
        with self.assertQueryCount(60):
            notice.action_send_update()
            self.env.flush_all()
        self._create_many(20)
        self.notice.invalidate_recordset()
        with self.assertQueryCount(60):
            notice.action_send_update()
            self.env.flush_all()

    def _create_many(self, count):
        homes = self.env["onergy.connection"].create(
            [
                {
                    "complex_id": self.complex.id,
                    "street": "Kade",
                    "house_number": str(number),
                    "zip": "1234 AB",
                    "city": "Utrecht",
                }
                for number in range(count)
            ]
        )
        for home in homes:
            self._create_contract(home, self.resident)
        self.env.flush_all()
