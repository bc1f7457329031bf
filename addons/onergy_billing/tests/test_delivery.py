"""Bills get to the resident once, the way the contract says."""

import io
from base64 import b64decode
from unittest.mock import patch

from pypdf import PdfReader
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged

from odoo.addons.mail.tests.common import MailCase
from odoo.addons.onergy_residents.models.account_move import AccountMove

from .test_settlement import SettlementCommon


class DeliveryCommon(SettlementCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._correct_2024()
        cls._load_case_a()
        cls.company.email = "heat@example.com"
        cls.payer.lang = "en_US"

    @classmethod
    def add_home(cls, number, **values):
        """Another home with a meter, its payer and its contract of the same year."""
        home = cls._create_home(number)
        payer = cls._create_payer(f"Resident {number}")
        contract = cls._create_contract(home, payer, "2024-07-01", **values)
        cls._create_meter(f"M{number}", home, "2024-07-01")
        cls._load_readings(
            (f"M{number}", "2024-07-01", "10.000"),
            (f"M{number}", "2025-01-01", "20.000"),
            (f"M{number}", "2025-07-01", "32.000"),
        )
        return contract

    def send_by_job(self, runs=1):
        with self.enter_registry_test_mode():
            for _run in range(runs):
                self.env.ref(
                    "account.ir_cron_account_move_send"
                ).method_direct_trigger()

    def print_by_job(self):
        with self.enter_registry_test_mode():
            self.env.ref("onergy_billing.ir_cron_post_batch").method_direct_trigger()


@tagged("post_install", "-at_install")
class TestEmail(DeliveryCommon, MailCase):
    def test_sent_once_with_the_pdf(self):
        run = self.settle()
        move = run.settlement_ids.move_id
        self.assertRecordValues(
            run, [{"email_count": 1, "post_count": 0, "no_address_count": 0}]
        )
        with self.mock_mail_gateway():
            run.action_send()
            with self.assertRaisesRegex(UserError, "no bill"):
                run.action_send()
            self.send_by_job(runs=2)
        move.invalidate_recordset()
        self.assertEqual(len(self._new_mails), 1)
        mail = self._new_mails
        self.assertEqual(mail.email_to or mail.recipient_ids.email, self.payer.email)
        self.assertIn("Your bill for heat", mail.subject)
        self.assertIn("1.842,80", mail.body_html.replace("1,842.80", "1.842,80"))
        self.assertEqual(mail.attachment_ids.raw, move.invoice_pdf_report_id.raw)
        self.assertEqual(mail.attachment_ids.name, move.invoice_pdf_report_id.name)
        self.assertTrue(move.is_move_sent)
        self.assertIn(mail.mail_message_id, move.message_ids)
        run.invalidate_recordset()
        self.assertFalse(run.email_count)
        with self.assertRaisesRegex(UserError, "no bill"):
            run.action_send()

    def test_in_dutch(self):
        self.env["res.lang"]._activate_lang("nl_NL")
        self.env["ir.module.module"].search(
            [("name", "=", "onergy_billing")]
        )._update_translations(["nl_NL"])
        self.payer.lang = "nl_NL"
        run = self.settle()
        with self.mock_mail_gateway():
            run.action_send()
            self.send_by_job()
        mail = self._new_mails
        self.assertIn("factuur voor warmte", mail.subject)
        self.assertIn("Beste", mail.body_html)
        self.assertIn("1.842,80", mail.body_html)

    def test_goes_on_after_a_stop(self):
        """The job takes a few at a time; what was sent stays sent."""
        self.add_home("2")
        self.add_home("3")
        run = self.settle()
        moves = run.settlement_ids.move_id
        self.assertEqual(len(moves), 3)
        with self.mock_mail_gateway():
            run.action_send()
            with patch.object(type(self.env["ir.cron"]), "_commit_progress"):
                self.env["account.move"]._cron_account_move_send(job_count=2)
            moves.invalidate_recordset()
            self.assertEqual(len(moves.filtered("is_move_sent")), 2)
            self.assertEqual(len(self._new_mails), 2)
            self.send_by_job()
        self.assertEqual(len(self._new_mails), 3)
        moves.invalidate_recordset()
        self.assertTrue(all(moves.mapped("is_move_sent")))

    def test_without_address(self):
        self.payer.email = False
        run = self.settle()
        self.assertRecordValues(run, [{"email_count": 0, "no_address_count": 1}])
        with self.assertRaisesRegex(UserError, "no bill"):
            run.action_send()

    def test_nothing_for_who_gets_it_elsewhere(self):
        """Another system sends the bill: neither e-mail nor paper from here."""
        run = self.settle()
        move = run.settlement_ids.move_id
        with patch.object(AccountMove, "_onergy_sent_elsewhere", lambda moves: moves):
            self.assertEqual(run.elsewhere_count, 1)
            for action in (run.action_send, run.action_print_post):
                with self.assertRaisesRegex(UserError, "no bill"):
                    action()
            methods = self.env["account.move.send"]._get_default_sending_methods(move)
            self.assertEqual(methods, {"manual"})

    def test_post_is_not_mailed(self):
        """Whoever wants paper gets no e-mail from Odoo's own button either."""
        self.contract.invoice_delivery = "post"
        move = self.settle().settlement_ids.move_id
        methods = self.env["account.move.send"]._get_default_sending_methods(move)
        self.assertEqual(methods, {"manual"})
        with self.mock_mail_gateway():
            self.env["account.move.send"]._generate_and_send_invoices(move)
        self.assertFalse(self._new_mails)

    def test_other_invoices_keep_odoos_mail(self):
        move = self.env["account.move"].create(
            {"move_type": "out_invoice", "partner_id": self.payer.id}
        )
        self.assertEqual(
            move._get_mail_template(),
            self.env.ref("account.email_template_edi_invoice"),
        )


@tagged("post_install", "-at_install")
class TestPost(DeliveryCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.contract.invoice_delivery = "post"

    def setUp(self):
        super().setUp()
        # The engine that prints is no part of this addon.
        self.patch(
            type(self.env["account.move.send"]),
            "_prepare_invoice_pdf_report",
            self.print_with_letters,
        )

    @staticmethod
    def print_with_letters(_model, invoices_data):
        """A sheet with the name of the payer in place of the bill."""
        for move, data in invoices_data.items():
            stream = io.BytesIO()
            page = Canvas(stream, pagesize=A4)
            page.drawString(100, 700, move.partner_id.name)
            page.save()
            data["pdf_attachment_values"] = {
                "name": f"{move.id}.pdf",
                "raw": stream.getvalue(),
                "mimetype": "application/pdf",
                "res_model": move._name,
                "res_id": move.id,
                "res_field": "invoice_pdf_report_file",
            }

    def settle_two(self):
        second = self.add_home("2", invoice_delivery="post")
        second.partner_id.zip = "1111 AA"
        self.add_home("3")
        return self.settle()

    def print_post(self, run):
        action = run.action_print_post()
        batch = self.env["onergy.post.batch"].browse(action["res_id"])
        self.print_by_job()
        batch.invalidate_recordset()
        self.assertEqual((batch.state, batch.problem), ("done", False))
        return batch

    def test_one_file_in_order_of_postcodes(self):
        run = self.settle_two()
        self.assertRecordValues(run, [{"email_count": 1, "post_count": 2}])
        batch = self.print_post(run)
        moves = batch.move_ids
        self.assertEqual(len(moves), 2)
        self.assertTrue(all(moves.mapped("is_move_sent")))
        for move in moves:
            self.assertTrue(move.invoice_pdf_report_id)
            bodies = "".join(str(body) for body in move.message_ids.mapped("body"))
            self.assertIn("post", bodies)
        reader = PdfReader(io.BytesIO(b64decode(batch.file)))
        texts = [page.extract_text() for page in reader.pages]
        first = next(i for i, text in enumerate(texts) if "Resident 2" in text)
        second = next(i for i, text in enumerate(texts) if "First resident" in text)
        self.assertLess(first, second)
        # Each bill begins on a front.
        self.assertEqual((first % 2, second % 2, len(texts) % 2), (0, 0, 0))
        self.assertEqual(batch.page_count, len(texts) // 2)

    def test_once(self):
        run = self.settle()
        run.action_print_post()
        with self.assertRaisesRegex(UserError, "no bill"):
            run.action_print_post()
        self.print_by_job()
        run.invalidate_recordset()
        self.assertFalse(run.post_count)
        with self.assertRaisesRegex(UserError, "no bill"):
            run.action_print_post()

    def test_left_behind_is_made_again(self):
        run = self.settle()
        action = run.action_print_post()
        batch = self.env["onergy.post.batch"].browse(action["res_id"])
        batch.state = "running"
        self.print_by_job()
        batch.invalidate_recordset()
        self.assertEqual(batch.state, "done")
        self.assertTrue(run.settlement_ids.move_id.is_move_sent)

    def test_a_failure_sends_nothing(self):
        run = self.settle()
        action = run.action_print_post()
        batch = self.env["onergy.post.batch"].browse(action["res_id"])
        with patch.object(type(batch), "_append", side_effect=UserError("No paper.")):
            self.print_by_job()
        batch.invalidate_recordset()
        move = run.settlement_ids.move_id
        move.invalidate_recordset()
        self.assertEqual((batch.state, batch.problem), ("failed", "No paper."))
        self.assertFalse(move.is_move_sent)

    def test_rights(self):
        batch = self.print_post(self.settle())
        for login, group, may in (
            ("post_clerk", "onergy_residents.group_customer_service", True),
            ("post_metering", "onergy_residents.group_metering", False),
            ("post_resident", "base.group_portal", False),
        ):
            user = new_test_user(
                self.env,
                login,
                group,
                company_id=self.company.id,
                company_ids=[(6, 0, self.company.ids)],
            )
            if may:
                self.assertTrue(batch.with_user(user).file)
                with self.assertRaises(AccessError):
                    batch.with_user(user).action_make()
            else:
                with self.assertRaises(AccessError):
                    batch.with_user(user).read(["file"])
