import io
import re
import time
from unittest.mock import patch

from odoo.tests import tagged

from odoo.addons.mail.tests.common import MailCase

from .portal_common import PortalCase

PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02"
    b"\x00\x00\x00\x90wS\xde\x00\x00\x00\x0cIDATx\x9cc\xf8\xcf\xc0\x00\x00\x03\x01"
    b"\x01\x00\xc9\xfe\x92\xef\x00\x00\x00\x00IEND\xaeB`\x82"
)
NEW = "/my/requests/new"
CONTACT = "/onergy/contact"


@tagged("post_install", "-at_install")
class TestRequestPortal(PortalCase, MailCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["res.lang"]._activate_lang("en_US")
        for user in (cls.resident, cls.other, cls.past, *cls.staff.values()):
            user.lang = "en_US"

    def setUp(self):
        super().setUp()
        self.requests = self.env["onergy.request"]

    def _create_request(self, user=None, **values):
        return self.requests.create(
            {
                "subject": "Cold radiator",
                "description": "<p>It stays cold</p>",
                "channel": "portal",
                "partner_id": (user or self.resident).partner_id.id,
                **values,
            }
        )

    def _answer(self, record, body="Open the valve", **values):
        return record.with_user(self.staff["customer_service"]).message_post(
            body=body,
            message_type="comment",
            subtype_xmlid="mail.mt_comment",
            **values,
        )

    def _send(self, login, url, values, files=()):
        self.authenticate(login, login)
        return self.url_open(
            url,
            {"csrf_token": self.csrf_token(), **values},
            files=[
                ("files", (name, io.BytesIO(content), "application/octet-stream"))
                for name, content in files
            ]
            or None,
        )

    # ------------------------------------------------------------------ ask
    def test_resident_asks_a_question(self):
        self.assertIn(
            "You have not asked us anything yet",
            self.open_as("resident", "/my/requests"),
        )
        response = self._send(
            "resident",
            NEW,
            {
                "category": "question",
                "subject": "Radiator <b>cold</b>",
                "text": "It stays cold.\nWhat now?",
                "contract_id": self.contract.id,
            },
            [("photo.png", PNG)],
        )
        record = self.requests.search(
            [("partner_id", "=", self.resident.partner_id.id)]
        )
        self.assertEqual(len(record), 1)
        self.assertTrue(response.url.endswith(f"{record.access_url}?done=sent"))
        self.assertEqual(record.channel, "portal")
        self.assertEqual(record.contract_id, self.contract)
        self.assertEqual(record.attachment_ids.raw, PNG)
        self.assertIn("Radiator &lt;b&gt;cold&lt;/b&gt;", response.text)
        self.assertIn("photo.png", response.text)
        self.assertIn("Received", self.open_as("resident", "/my/requests"))
        mails = self.env["mail.mail"].sudo()
        mail = mails.search([("res_id", "=", record.id), ("model", "=", record._name)])
        self.assertEqual(mail.email_to, self.resident.email)

    def test_errors_are_clear_and_nothing_is_lost(self):
        page = self._send("resident", NEW, {"text": "My long story"}).text
        self.assertIn("Your message has not been sent yet", page)
        self.assertIn("Choose what your question is about", page)
        self.assertIn("Write in a few words", page)
        self.assertIn("My long story", page)
        self.assertFalse(self.requests.search_count([]))

    def test_files_are_refused_by_what_they_are(self):
        question = {"category": "other", "subject": "File", "text": "See the file"}
        for name, content, complaint in (
            ("page.pdf", b"<html><script>alert(1)</script></html>", "cannot open"),
            ("run.jpg", b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\xff\xff", "cannot open"),
            ("nothing.pdf", b"", "is empty"),
            ("huge.png", PNG + b"\0" * 10 * 1024**2, "is too large"),
        ):
            with self.subTest(name):
                page = self._send("resident", NEW, question, [(name, content)]).text
                self.assertIn(complaint, page)
        page = self._send("resident", NEW, question, [("a.png", PNG)] * 6).text
        self.assertIn("5 files at most", page)
        self.assertFalse(self.requests.search_count([]))

    def test_wrong_data_link_fills_in_the_form(self):
        page = self.open_as("resident", f"{NEW}?category=data&subject=Not+right")
        self.assertRegex(page, r'value="data"\s+checked="checked"')
        self.assertIn('value="Not right"', page)

    def test_home_of_somebody_else_is_not_found(self):
        values = {
            "category": "other",
            "subject": "A",
            "text": "B",
            "contract_id": self.other_contract.id,
        }
        self.post_as("resident", NEW, values, status=404)
        self.assertFalse(self.requests.search_count([]))

    # ------------------------------------------------------------------ talk
    def test_conversation_hides_internal_notes(self):
        record = self._create_request()
        clerk = self.staff["customer_service"]
        record.with_user(clerk).message_post(body="Secret of colleagues")
        self._answer(record)
        page = self.open_as("resident", record.access_url)
        self.assertIn("It stays cold", page)
        self.assertIn("Open the valve", page)
        self.assertNotIn("Secret of colleagues", page)
        self.assertNotIn(clerk.name, page)

    def test_files_of_internal_notes_stay_internal(self):
        record = self._create_request()
        clerk = self.staff["customer_service"]
        note, answer = self.env["ir.attachment"].create(
            [
                {
                    "name": name,
                    "raw": PNG,
                    "res_model": record._name,
                    "res_id": record.id,
                }
                for name in ("note.png", "answer.png")
            ]
        )
        record.with_user(clerk).message_post(body="Note", attachment_ids=note.ids)
        self._answer(record, attachment_ids=answer.ids)
        page = self.open_as("resident", record.access_url)
        [link] = re.findall(r'href="(/web/content/[^"]+)"', page)
        self.assertEqual(self.url_open(link.replace("&amp;", "&")).content, PNG)
        for url in (
            f"/web/content/{note.id}",
            f"/web/content/{note.id}?access_token={answer.access_token}",
        ):
            self.assertEqual(self.url_open(url).status_code, 404)

    def test_reply_reopens_and_closing_is_the_resident_s(self):
        record = self._create_request(user_id=self.staff["customer_service"].id)
        self._answer(record)
        self.assertEqual(record.state, "answered")
        page = self._send("resident", f"{record.access_url}/reply", {"text": "No"}).text
        self.assertIn("we received your message", page)
        self.assertEqual(record.state, "open")
        self.assertEqual(
            record._get_conversation()[-1].author_id, self.resident.partner_id
        )
        self.assertTrue(record.activity_ids)
        self._answer(record, "Then turn it")
        self._send("resident", f"{record.access_url}/close", {})
        self.assertEqual(record.state, "closed")

    def test_empty_reply_is_refused(self):
        record = self._create_request()
        page = self._send("resident", f"{record.access_url}/reply", {"text": " "}).text
        self.assertIn("Write your question or message here", page)
        self.assertFalse(record._get_conversation())

    # ------------------------------------------------------------------ access
    def test_others_see_and_change_nothing(self):
        record = self._create_request()
        self._answer(record)
        for login in ("other", "past", None):
            with self.subTest(login=login):
                self.authenticate(login, login)
                page = self.url_open(record.access_url).text
                self.assertNotIn("It stays cold", page)
                for action in ("reply", "close"):
                    self._send(login, f"{record.access_url}/{action}", {"text": "Hi"})
        self.assertEqual(record.state, "answered")
        self.assertEqual(len(record._get_conversation()), 1)
        self.assertNotIn("Cold radiator", self.open_as("other", "/my/requests"))

    def test_next_tenant_never_sees_earlier_requests(self):
        record = self._create_request(self.past, contract_id=self.past_contract.id)
        self.assertNotIn("Cold radiator", self.open_as("resident", "/my/requests"))
        self.assertIn("Cold radiator", self.open_as("past", "/my/requests"))
        self.assertIn("It stays cold", self.open_as("past", record.access_url))

    def test_staff_find_no_requests_of_others_among_their_own(self):
        self._create_request()
        for name, user in self.staff.items():
            with self.subTest(name):
                self.assertNotIn(
                    "Cold radiator", self.open_as(user.login, "/my/requests")
                )

    def test_who_of_the_staff_may_answer_on_this_page(self):
        record = self._create_request()
        for name, may_read, may_answer in (
            ("customer_service", True, True),
            ("manager", True, True),
            ("accountant", True, False),
            ("metering", False, False),
        ):
            login = self.staff[name].login
            with self.subTest(name):
                self.authenticate(login, login)
                page = self.url_open(record.access_url).text
                self.assertEqual("It stays cold" in page, may_read)
                before = len(record._get_conversation())
                self._send(login, f"{record.access_url}/reply", {"text": "Answer"})
                answers = len(record._get_conversation()) - before
                self.assertEqual(answers, int(may_answer))

    def test_link_of_the_mail_works_without_login(self):
        record = self._create_request()
        token = record._portal_ensure_token()
        # The button in the mail leads to the page by way of /mail/view.
        page = self.open_as(None, record._get_share_url(redirect=True))
        self.assertIn("It stays cold", page)
        self.assertNotIn("o_onergy_tabs", page)
        self._send(
            None, f"{record.access_url}/reply", {"access_token": token, "text": "More"}
        )
        self.assertEqual(record._get_conversation().author_id, self.resident.partner_id)
        wrong = self.url_open(f"{record.access_url}?access_token={token[:-1]}").text
        self.assertNotIn("It stays cold", wrong)

    def test_forms_need_a_csrf_token(self):
        record = self._create_request()
        self.authenticate("resident", "resident")
        for url in (NEW, f"{record.access_url}/reply", f"{record.access_url}/close"):
            with self.subTest(url):
                self.assertEqual(self.url_open(url, {"text": "Hi"}).status_code, 400)

    def test_number_of_queries_does_not_grow(self):
        for _number in range(3):
            self._create_request()
        self.open_as("resident", "/my/requests")
        few = self._count_queries("/my/requests")
        for _number in range(15):
            self._create_request()
        self.assertEqual(self._count_queries("/my/requests"), few)

    def _count_queries(self, url):
        self.url_open(url)
        self.env.flush_all()
        self.env.invalidate_all()
        before = self.cr.sql_log_count
        self.assertEqual(self.url_open(url).status_code, 200)
        return self.cr.sql_log_count - before

    # ------------------------------------------------------------------ contact
    def _contact(self, seconds=10, **values):
        """Fill in the public form as a person who takes some seconds."""
        self.authenticate(None, None)
        page = self.url_open(CONTACT).text
        token = re.search(r'name="token" value="([^"]+)"', page)[1]
        now = time.time()
        with patch("odoo.addons.onergy_residents.controllers.request.time") as clock:
            clock.time.return_value = now + seconds
            return self.url_open(
                CONTACT,
                {
                    "csrf_token": self.csrf_token(),
                    "token": token,
                    "name": "Visitor",
                    "email": "resident@example.com",
                    "category": "question",
                    "subject": "New home",
                    "text": "How do we begin?",
                    **values,
                },
            ).text

    def test_visitor_asks_without_being_linked_to_a_resident(self):
        page = self._contact(address="Dorpsstraat 1")
        self.assertIn("Thank you", page)
        record = self.requests.search([])
        self.assertEqual(record.channel, "public")
        self.assertFalse(record.partner_id)
        self.assertIn("Dorpsstraat 1", record.description)
        self.assertEqual(record.possible_partner_ids, self.resident.partner_id)
        self.assertNotIn("New home", self.open_as("resident", "/my/requests"))
        mail = self.env["mail.mail"].sudo().search([("res_id", "=", record.id)])
        self.assertEqual(mail.email_to, "resident@example.com")
        self.assertNotIn("New home", mail.body_html)

    def test_robots_are_kept_out(self):
        with self.subTest("hidden field"):
            self.assertIn("Thank you", self._contact(website_url="http://spam"))
        with self.subTest("too fast"):
            page = self._contact(seconds=1)
            self.assertIn("please send it again", page)
            self.assertIn("How do we begin?", page)
        for token in ("", "forged", "AAAA"):
            with self.subTest("token", token=token):
                self.assertIn("please send it again", self._contact(token=token))
        self.assertFalse(self.requests.search_count([]))

    def test_one_address_can_send_five_an_hour(self):
        for _number in range(5):
            self.assertIn("Thank you", self._contact())
        self.assertIn("Try again in an hour", self._contact())
        self.assertEqual(self.requests.search_count([]), 5)

    def test_contact_errors(self):
        page = self._contact(name="", email="nobody")
        self.assertIn("Fill in your name", page)
        self.assertIn("Fill in your e-mail address", page)
        self.assertFalse(self.requests.search_count([]))

    def test_resident_with_login_asks_on_his_own_page(self):
        self.authenticate("resident", "resident")
        self.assertTrue(self.url_open(CONTACT).url.endswith(NEW))
        # The link to complain that stands below each of our mails.
        page = self.url_open(f"{CONTACT}?category=complaint")
        self.assertTrue(page.url.endswith(f"{NEW}?category=complaint"))
        self.assertTrue(self.url_open(f"{CONTACT}?category=%26x").url.endswith(NEW))

    def test_visitor_complains_from_a_link_in_our_mail(self):
        page = self.open_as(None, f"{CONTACT}?category=complaint")
        checked = re.search(r'<(?:input|option)[^>]*value="complaint"[^>]*>', page)[0]
        self.assertRegex(checked, "checked|selected")
