import re
from unittest.mock import patch

from lxml import html

from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.tests import HttpCase, TransactionCase, new_test_user, tagged

from odoo.addons.base.models.ir_mail_server import IrMail_Server
from odoo.addons.mail.tests.common import MailCase

from ..wizards import onergy_access_invite
from .common import OnergyCommon

CODE = re.compile(r"\b[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}\b")


class InviteCommon(OnergyCommon):
    def _invite(self, partners, role="manager", **values):
        action = partners.with_user(self.staff[role]).action_onergy_invite()
        return (
            self.env["onergy.access.invite"]
            .with_user(self.staff[role])
            .with_context(**action["context"])
            .create(values)
        )

    def _letters(self, wizard):
        wizard.action_invite()
        # In tests Odoo gives the page that would be made into a PDF.
        return html.fromstring(wizard._render_letters())


@tagged("post_install", "-at_install")
class TestLetters(InviteCommon, TransactionCase):
    def test_letter_opens_the_account(self):
        page = self._letters(self._invite(self.resident))
        [login] = page.xpath("//*[hasclass('onergy_login')]/text()")
        [code] = page.xpath("//*[hasclass('onergy_code')]/text()")
        found = self.env["onergy.access.code"]._verify(login, code, "192.0.2.1")
        self.assertEqual(found.partner_id, self.resident)
        self.assertEqual(found.delivery, "letter")

    def test_address_in_the_window(self):
        self.resident.write(
            {"street": "Postbus 1", "zip": "1234 AB", "city": "Utrecht"}
        )
        page = self._letters(self._invite(self.resident | self.resident_2))
        windows = [
            [line.text_content().strip() for line in window.findall("div")[1:]]
            for window in page.xpath("//*[hasclass('onergy_window')]")
        ]
        self.assertEqual(
            windows,
            [
                ["First resident", "Postbus 1", "1234 AB  UTRECHT"],
                # No address of his own: the home that he pays for.
                ["Second resident", "Dorpsstraat 2", "1234 AB  UTRECHT"],
            ],
        )

    def test_one_page_for_each_resident_with_his_own_code(self):
        page = self._letters(self._invite(self.resident | self.resident_2))
        codes = page.xpath("//*[hasclass('onergy_code')]/text()")
        self.assertEqual(len(set(codes)), 2)
        self.assertEqual(len(page.xpath("//*[hasclass('page')]")), 2)

    def test_letter_is_in_the_residents_language(self):
        self.resident.lang = "nl_NL"
        self.resident_2.lang = "en_US"
        page = self._letters(self._invite(self.resident | self.resident_2))
        subjects = [
            subject.text_content().strip()
            for subject in page.xpath("//*[hasclass('onergy_subject')]")
        ]
        self.assertEqual(
            subjects,
            [
                "Uw inloggegevens voor de website voor bewoners",
                "Your login for the residents' website",
            ],
        )

    def test_square_on_the_letter_does_not_hold_the_code(self):
        values = {}

        def barcode(reports, kind, value, **kwargs):
            values[kind] = value
            return b"\x89PNG"

        report = type(self.env["ir.actions.report"])
        with patch.object(report, "barcode", barcode):
            page = self._letters(self._invite(self.resident))
        [code] = page.xpath("//*[hasclass('onergy_code')]/text()")
        self.assertIn(f"login={self.resident.debtor_number}", values["QR"])
        self.assertNotIn(code, values["QR"])

    def test_letters_are_made_once(self):
        wizard = self._invite(self.resident)
        self._letters(wizard)
        with self.assertRefused(UserError, "already"):
            wizard._render_letters()

    def test_report_alone_prints_nothing(self):
        self._letters(self._invite(self.resident))
        code = self.resident.onergy_access_code_ids
        with self.assertRefused(UserError, "once"):
            self.env["ir.actions.report"]._render_qweb_html(
                "onergy_residents.action_report_access_letter", code.ids
            )

    def test_many_letters_come_in_several_files(self):
        with patch.object(onergy_access_invite, "BATCH_SIZE", 1):
            wizard = self._invite(self.resident | self.resident_2)
            first = self._letters(wizard)
            self.assertEqual(wizard.done_count, 1)
            self.assertEqual(wizard.target_count, 1)
            second = self._letters(wizard)
            self.assertEqual(wizard.done_count, 2)
        names = [
            page.xpath("//*[hasclass('onergy_login')]/text()")
            for page in (first, second)
        ]
        self.assertEqual(
            names, [[self.resident.debtor_number], [self.resident_2.debtor_number]]
        )
        with self.assertRefused(UserError, "nobody"):
            wizard.action_invite()

    def test_download_that_failed_is_repeated_before_the_next(self):
        with patch.object(onergy_access_invite, "BATCH_SIZE", 1):
            wizard = self._invite(self.resident | self.resident_2)
            wizard.action_invite()
            page = self._letters(wizard)
        self.assertEqual(
            page.xpath("//*[hasclass('onergy_login')]/text()"),
            [self.resident.debtor_number],
        )
        self.assertEqual(wizard.done_count, 1)
        self.assertEqual(wizard.target_ids, self.resident_2)

    def test_mailing_leaves_out_who_has_access_already(self):
        self._letters(self._invite(self.resident))
        both = self._invite(self.resident | self.resident_2)
        self.assertEqual(both.target_ids, self.resident_2)
        self.assertEqual(both.skipped_count, 1)
        both.only_new = False
        self.assertEqual(both.target_count, 2)

    def test_one_lost_letter_is_replaced(self):
        old = self._letters(self._invite(self.resident))
        wizard = self._invite(self.resident)
        self.assertFalse(wizard.only_new)
        new = self._letters(wizard)
        [login] = new.xpath("//*[hasclass('onergy_login')]/text()")
        answers = [
            bool(
                self.env["onergy.access.code"]._verify(
                    login,
                    page.xpath("//*[hasclass('onergy_code')]/text()")[0],
                    "192.0.2.1",
                )
            )
            for page in (old, new)
        ]
        self.assertEqual(answers, [False, True])

    def test_selected_contracts(self):
        contracts = self.contract | self.contract_2
        action = contracts.with_user(self.staff["manager"]).action_onergy_invite()
        self.assertEqual(
            set(action["context"]["default_partner_ids"]),
            set((self.resident | self.resident_2).ids),
        )

    def test_only_managers(self):
        for role in ("customer_service", "accountant", "metering"):
            with self.subTest(role=role), self.assertRaises(AccessError):
                self._invite(self.resident, role).action_invite()


@tagged("post_install", "-at_install")
class TestMails(InviteCommon, MailCase, TransactionCase):
    def test_mail_opens_the_account(self):
        wizard = self._invite(self.resident | self.resident_2, delivery="email")
        with self.mock_mail_gateway(mail_unlink_sent=True):
            wizard.action_invite()
        self.assertEqual(len(self._mails), 2)
        mail = next(m for m in self._mails if "first@example.com" in m["email_to"][0])
        [code] = set(CODE.findall(mail["body"]))
        found = self.env["onergy.access.code"]._verify(
            self.resident.debtor_number, code, "192.0.2.1"
        )
        self.assertEqual(found.partner_id, self.resident)
        self.assertEqual(found.delivery, "email")

    def test_nothing_of_the_mail_stays_behind(self):
        with self.mock_mail_gateway(mail_unlink_sent=True):
            self._invite(self.resident, delivery="email").action_invite()
        [code] = set(CODE.findall(self._mails[0]["body"]))
        self.env.flush_all()
        self.env.cr.execute(
            "SELECT count(*) FROM mail_message WHERE body LIKE %s", [f"%{code}%"]
        )
        self.assertEqual(self.env.cr.fetchone(), (0,))
        self.env.cr.execute(
            "SELECT count(*) FROM mail_mail WHERE body_html LIKE %s", [f"%{code}%"]
        )
        self.assertEqual(self.env.cr.fetchone(), (0,))

    def test_mail_that_fails_is_withdrawn_and_named(self):
        def connect(*args, **kwargs):
            raise ConnectionRefusedError

        with patch.object(IrMail_Server, "_connect__", connect):
            action = self._invite(self.resident, delivery="email").action_invite()
        self.assertIn("First resident", action["params"]["message"])
        self.assertEqual(self.resident.onergy_access_code_ids.state, "revoked")
        self.assertFalse(
            self.env["mail.mail"].search([("model", "=", "onergy.access.code")])
        )

    def test_many_mails_go_in_batches(self):
        wizard = self._invite(self.resident | self.resident_2, delivery="email")
        with (
            patch.object(onergy_access_invite, "BATCH_SIZE", 1),
            self.mock_mail_gateway(mail_unlink_sent=True),
        ):
            first = wizard.action_invite()
            self.assertEqual(len(self._mails), 1)
            last = wizard.action_invite()
            self.assertEqual(len(self._mails), 2)
        self.assertNotIn("next", first["params"])
        self.assertIn("next", last["params"])

    def test_who_has_no_address_is_left_out(self):
        self.resident.email = False
        wizard = self._invite(self.resident | self.resident_2, delivery="email")
        self.assertEqual(wizard.target_ids, self.resident_2)
        self.assertEqual(wizard.without_email_count, 1)


@tagged("post_install", "-at_install")
class TestMoveLetter(OnergyCommon, TransactionCase):
    """Whoever has no e-mail address hears of his move by post."""

    def _print(self, move):
        move = move.with_user(self.staff["customer_service"])
        action = move.action_print_letter()
        pages, _kind = self.env["ir.actions.report"]._render_qweb_html(
            action["report_name"], move.ids
        )
        return html.fromstring(pages).text_content()

    def _move(self, **values):
        return self.env["onergy.move"].create(
            {
                "contract_id": self.contract.id,
                "next_kind": "later",
                "user_id": self.staff["customer_service"].id,
                **values,
            }
        )

    def test_a_move_in_the_language_of_the_resident(self):
        self.resident.write({"email": False, "lang": "nl_NL"})
        move = self._move(date_end="2026-03-31", new_street="Kade 5", new_city="Ede")
        text = self._print(move)
        self.assertIn("Wij hebben uw bericht ontvangen", text)
        move.action_carry_out()
        todo = move.activity_search(["mail.mail_activity_data_todo"])
        self.assertEqual(len(todo), 1, "somebody has to print it")
        text = self._print(move)
        for part in ("31 maart 2026", "Kade 5", "First resident"):
            self.assertIn(part, text)
        self.assertFalse(move.activity_search(["mail.mail_activity_data_todo"]))

    def test_heirs_without_e_mail(self):
        move = self._move(
            kind="death", contact_name="Daughter", new_street="Kade 7", new_city="Ede"
        )
        move.action_carry_out()
        self.assertTrue(move.activity_search(["mail.mail_activity_data_todo"]))
        text = self._print(move)
        self.assertIn("Daughter", text)
        self.assertIn("Kade 7", text)

    def test_who_has_e_mail_gets_no_letter(self):
        move = self._move(date_end="2026-03-31")
        move.action_carry_out()
        self.assertFalse(move.activity_search(["mail.mail_activity_data_todo"]))


@tagged("post_install", "-at_install")
class TestLettersDownload(InviteCommon, HttpCase):
    def _download(self, user, wizard):
        self.authenticate(user.login, user.login)
        return self.url_open(f"/onergy/letters/{wizard.id}")

    def test_download_is_for_the_manager_who_prepared_it(self):
        wizard = self._invite(self.resident)
        wizard.action_invite()
        other = new_test_user(
            self.env, "other_manager", groups="onergy_residents.group_manager"
        )
        self.assertEqual(self._download(other, wizard).status_code, 404)
        clerk = self.staff["customer_service"]
        self.assertEqual(self._download(clerk, wizard).status_code, 404)
        response = self._download(self.staff["manager"], wizard)
        self.assertEqual(response.status_code, 200)
        self.assertIn("no-store", response.headers["Cache-Control"])
        self.assertIn("attachment", response.headers["Content-Disposition"])
        self.assertEqual(len(set(CODE.findall(response.text))), 1)
        again = self._download(self.staff["manager"], wizard)
        self.assertFalse(CODE.search(again.text))
        self.assertEqual(again.status_code, 410)
        self.assertEqual(len(self.resident.onergy_access_code_ids), 1)

    def test_visitor_is_sent_to_the_login(self):
        wizard = self._invite(self.resident)
        wizard.write({"batch_ids": [Command.set(self.resident.ids)]})
        self.authenticate(None, None)
        response = self.url_open(f"/onergy/letters/{wizard.id}", allow_redirects=False)
        self.assertIn("/web/login", response.headers.get("Location", ""))
