from datetime import date

from freezegun import freeze_time

from odoo.exceptions import AccessError
from odoo.tests import Form, TransactionCase, new_test_user, tagged

from odoo.addons.mail.tests.common import MailCase

from .common import OnergyCommon

MAIL = """From: {email_from}
To: {to}
Subject: {subject}
Message-Id: <{message_id}@example.com>
{headers}MIME-Version: 1.0
Content-Type: text/plain; charset="utf-8"

{body}
"""


@tagged("post_install", "-at_install")
class TestRequest(OnergyCommon, MailCase, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._init_mail_gateway()
        cls.company.alias_domain_id = cls.mail_alias_domain
        cls.alias = cls.env.ref("onergy_residents.mail_alias_request")
        cls.alias.alias_domain_id = cls.mail_alias_domain
        cls.clerk = cls.staff["customer_service"]

    def _request(self, **values):
        return self.env["onergy.request"].create(
            {
                "subject": "Cold radiator",
                "partner_id": self.resident.id,
                "contract_id": self.contract.id,
                **values,
            }
        )

    def _receive(self, email_from, body="Hello", **values):
        headers = values.pop("headers", "")
        return self.env["mail.thread"].message_process(
            "onergy.request",
            MAIL.format(
                email_from=email_from,
                body=body,
                to=values.get("to", self.alias.alias_full_name),
                subject=values.get("subject", "No heat"),
                message_id=values.get("message_id", "first"),
                headers=headers,
            ),
        )

    # ------------------------------------------------------------------ deadline
    def test_deadline_counts_working_days(self):
        self.company.onergy_request_days = 5
        # Friday afternoon: Monday is day one, so the next Friday is day five.
        with freeze_time("2026-11-20 15:00:00"):
            self.assertEqual(self._request().date_deadline, date(2026, 11, 27))

    def test_deadline_skips_public_holidays(self):
        self.env["resource.calendar.leaves"].create(
            {
                "name": "Holiday",
                "calendar_id": self.company.resource_calendar_id.id,
                "company_id": self.company.id,
                "date_from": "2026-11-23 00:00:00",
                "date_to": "2026-11-23 22:00:00",
            }
        )
        with freeze_time("2026-11-20 15:00:00"):
            self.assertEqual(self._request().date_deadline, date(2026, 11, 30))

    def test_overdue_only_while_we_must_answer(self):
        request = self._request(date_deadline="2020-01-01")
        overdue = self.env["onergy.request"].search([("is_overdue", "=", True)])
        self.assertTrue(request.is_overdue)
        self.assertIn(request, overdue)
        request.action_close()
        overdue = self.env["onergy.request"].search([("is_overdue", "=", True)])
        self.assertFalse(request.is_overdue)
        self.assertNotIn(request, overdue)

    # ------------------------------------------------------------------ activity
    def test_responsible_has_an_activity_until_answered(self):
        request = self._request(user_id=self.clerk.id)
        self.assertEqual(request.activity_ids.user_id, self.clerk)
        self.assertEqual(request.activity_ids.date_deadline, request.date_deadline)
        request.user_id = self.staff["manager"]
        self.assertEqual(request.activity_ids.user_id, self.staff["manager"])
        request.with_user(self.staff["manager"]).message_post(
            body="Answer", message_type="comment", subtype_xmlid="mail.mt_comment"
        )
        self.assertFalse(request.activity_ids)

    def test_default_responsible_of_the_company(self):
        self.company.onergy_request_user_id = self.clerk
        self.assertEqual(self._request().user_id, self.clerk)

    # ------------------------------------------------------------------ flow
    def test_internal_note_is_no_answer(self):
        request = self._request()
        request.with_user(self.clerk).message_post(body="Ask the fitter")
        self.assertEqual(request.state, "new")
        self.assertFalse(request._get_conversation())

    def test_answer_is_mailed_and_a_reply_reopens(self):
        request = self._request()
        with self.mock_mail_gateway(), self.mock_mail_app():
            answer = request.with_user(self.clerk).message_post(
                body="Open the valve",
                message_type="comment",
                subtype_xmlid="mail.mt_comment",
            )
        self.assertEqual(request.state, "answered")
        self.assertTrue(request.date_answered)
        sent = self.assertSentEmail(
            self.clerk.partner_id, self.resident, body_content="Open the valve"
        )
        self.assertIn(self.alias.alias_full_name, sent["reply_to"])

        with self.mock_mail_gateway():
            self._receive(
                self.resident.email_formatted,
                body="Still cold",
                to=sent["reply_to"],
                message_id="reply",
                headers=f"In-Reply-To: {answer.message_id}\n",
            )
        self.assertEqual(request.state, "open")
        self.assertGreaterEqual(request.date_deadline, date.today())
        conversation = request._get_conversation()
        self.assertEqual(len(conversation), 2)
        self.assertIn("Still cold", conversation[1].body)
        self.assertEqual(conversation[1].author_id, self.resident)

    def test_reply_to_a_closed_request_reopens_it(self):
        request = self._request()
        request.action_close()
        self.assertTrue(request.date_closed)
        request.message_post(
            author_id=self.resident.id,
            body="It is back",
            message_type="comment",
            subtype_xmlid="mail.mt_comment",
        )
        self.assertEqual(request.state, "open")
        self.assertFalse(request.date_closed)

    # ------------------------------------------------------------------ inbox
    def test_mail_of_a_resident_becomes_his_request(self):
        with self.mock_mail_gateway():
            self._receive("Any Name <first@example.com>", subject="My radiator")
        request = self.env["onergy.request"].search([("subject", "=", "My radiator")])
        self.assertEqual(request.partner_id, self.resident)
        self.assertEqual(request.contract_id, self.contract)
        self.assertEqual(request.channel, "email")
        self.assertRegex(request.name, r"^V\d{5}$")
        self.assertIn("Hello", request._get_conversation().body)
        acknowledgement = self._new_mails.filtered(
            lambda mail: mail.email_to == request.email_from
        )
        self.assertIn(request.name, acknowledgement.subject)
        self.assertIn(self.alias.alias_full_name, acknowledgement.reply_to)

    def test_mail_of_a_stranger_stays_unlinked(self):
        with self.mock_mail_gateway():
            self._receive("Stranger <stranger@example.com>", subject="From outside")
        request = self.env["onergy.request"].search([("subject", "=", "From outside")])
        self.assertEqual(len(request), 1)
        self.assertFalse(request.partner_id)
        self.assertIn("stranger@example.com", request.email_from)
        self.assertEqual(request.state, "new")

    def test_inbox_of_a_second_company_makes_its_requests(self):
        company = self.env["res.company"].create(
            {"name": "Second", "alias_domain_id": self.mail_alias_domain.id}
        )
        company.onergy_request_alias_id = self.env["mail.alias"].create(
            {
                "alias_name": "second",
                "alias_domain_id": self.mail_alias_domain.id,
                "alias_model_id": self.env["ir.model"]._get_id("onergy.request"),
            }
        )
        with self.mock_mail_gateway():
            self._receive(
                "Stranger <stranger@example.com>",
                subject="For the second",
                to=company.onergy_request_alias_id.alias_full_name,
            )
        request = self.env["onergy.request"].search(
            [("subject", "=", "For the second")]
        )
        self.assertEqual(request.company_id, company)
        self.assertIn(
            "second@", request._notify_get_reply_to()[request.id], request.name
        )
        self.assertFalse(
            self.env["onergy.request"]
            .with_user(self.clerk)
            .search([("id", "=", request.id)])
        )

    # ------------------------------------------------------------------ link
    def test_claimed_address_is_a_hint_for_staff_only(self):
        request = self._request(
            partner_id=False,
            contract_id=False,
            channel="public",
            email_from="Somebody <FIRST@example.com>",
        )
        request = request.with_user(self.clerk)
        self.assertFalse(request.partner_id)
        self.assertEqual(request.possible_partner_ids, self.resident)
        request.action_link_partner()
        self.assertEqual(request.partner_id, self.resident)
        self.assertEqual(request.contract_id, self.contract)
        self.assertIn(self.resident, request.message_partner_ids)

    # ------------------------------------------------------------------ rights
    def test_who_may_do_what(self):
        request = self._request()
        values = {"subject": "New", "partner_id": self.resident.id}
        Request = self.env["onergy.request"]
        for role in ("customer_service", "manager"):
            user = self.staff[role]
            request.with_user(user).subject = f"Changed by {role}"
            Request.with_user(user).create(values)
        accountant = self.staff["accountant"]
        self.assertTrue(request.with_user(accountant).subject)
        with self.assertRaises(AccessError):
            request.with_user(accountant).subject = "No"
        with self.assertRaises(AccessError):
            Request.with_user(accountant).create(values)
        with self.assertRaises(AccessError):
            request.with_user(accountant).message_post(body="No")
        with self.assertRaises(AccessError):
            request.with_user(self.clerk).unlink()

    def test_metering_reads_what_is_assigned_to_it(self):
        request = self._request()
        metering = self.staff["metering"]
        with self.assertRaises(AccessError):
            request.with_user(metering).read(["subject"])
        request.user_id = metering
        request.with_user(metering).action_close()
        self.assertEqual(request.state, "closed")
        self.assertEqual(
            self.env["onergy.request"].with_user(metering).search([]), request
        )

    def test_portal_user_reads_his_own_requests_only(self):
        request = self._request()
        owner, other = (
            new_test_user(
                self.env,
                login=f"portal_{partner.id}",
                groups="base.group_portal",
                partner_id=partner.id,
            )
            for partner in (self.resident, self.resident_2)
        )
        self.assertEqual(request.with_user(owner).subject, "Cold radiator")
        with self.assertRaises(AccessError):
            request.with_user(owner).subject = "Changed"
        with self.assertRaises(AccessError):
            request.with_user(other).read(["subject"])
        with self.assertRaises(AccessError):
            request.with_user(self.env.ref("base.public_user")).read(["subject"])
        with self.assertRaises(AccessError):
            request.with_user(owner).read(["possible_partner_ids"])

    # ------------------------------------------------------------------ form
    def test_form_of_a_call_fills_in_what_we_know(self):
        with Form(self.env["onergy.request"].with_user(self.clerk)) as form:
            form.subject = "Called about the bill"
            form.partner_id = self.resident
        request = form.record
        self.assertEqual(request.email_from, "first@example.com")
        self.assertEqual(request.channel, "phone")
        self.assertIn(self.resident, request.message_partner_ids)

    # ------------------------------------------------------------------ many at once
    def test_many_at_once_and_undone(self):
        """From the list: take, close, and open again what was closed by mistake."""
        records = self._request() | self._request()
        closed = self._request()
        closed.action_close()
        everything = (records | closed).with_user(self.clerk)
        everything.action_assign_to_me()
        self.assertEqual(records.user_id, self.clerk)
        self.assertEqual(set(records.mapped("state")), {"open"})
        self.assertFalse(closed.user_id)
        self.assertEqual(closed.state, "closed")
        everything.action_close()
        self.assertEqual(set(everything.mapped("state")), {"closed"})
        everything.action_reopen()
        self.assertEqual(set(everything.mapped("state")), {"open"})
        records.date_deadline = date(2030, 1, 1)
        everything.action_reopen()
        # What was open keeps its deadline.
        self.assertEqual(set(records.mapped("date_deadline")), {date(2030, 1, 1)})
