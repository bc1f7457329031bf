import io
import zipfile
from base64 import b64decode, b64encode
from datetime import timedelta

import xlsxwriter
from openpyxl import load_workbook

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .portal_common import PortalCase

URL = "/my/homes"


@tagged("post_install", "-at_install")
class TestLandlord(PortalCase):
    """An owner of the complex: his homes, and start and stop by spreadsheet."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["res.lang"]._activate_lang("en_US")
        cls.landlord = cls._create_resident("landlord", "The Landlord")
        for user in (cls.landlord, cls.resident, cls.other, cls.past):
            user.lang = "en_US"
        cls.site.owner_id = cls.landlord.partner_id
        cls.empty_home = cls._create_connection("3")
        cls.vacancy = cls._create_contract(
            cls.empty_home, cls.landlord, "2025-01-01", role="vacancy"
        )
        cls.today = fields.Date.context_today(cls.contract)
        cls.day = cls.today + timedelta(days=20)

    def _book(self, *rows):
        """A workbook of (postcode, number, addition, what, date, name, e-mail)."""
        out = io.BytesIO()
        with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, ["head"] * 9)
            for line, row in enumerate(rows, start=1):
                sheet.write_row(line, 0, row)
        return out.getvalue()

    def _upload(self, content, login="landlord"):
        self.authenticate(login, login)
        return self.url_open(
            f"{URL}/upload",
            {"csrf_token": self.csrf_token()},
            files=[("sheet", ("homes.xlsx", io.BytesIO(content), "application/zip"))],
        )

    def _send(self, content):
        page = self._upload(content)
        sheet = self.env["onergy.move.sheet"].search([], limit=1)
        self.post_as("landlord", f"{URL}/sheet/{sheet.id}/send", {})
        return sheet, page.text

    def _rows(self):
        return self._book(
            ("1234AB", 3, "", "stop", f"{self.day:%d-%m-%Y}", "New Tenant", "n@x.org"),
            ("1234 AB", "1", "", "Start", f"{self.day:%d-%m-%Y}"),
        )

    # ------------------------------------------------------------------ list

    def test_homes_with_periods_and_no_names(self):
        page = self.open_as("landlord", URL)
        for number in ("1", "2", "3"):
            self.assertIn(f"Dorpsstraat {number}", page)
        self.assertIn("since January 1, 2025".replace("January 1,", "1 January"), page)
        self.assertIn("Now the resident", page)
        for secret in ("Resident One", self.contract.name, "1 February 2025"):
            self.assertNotIn(secret, page)
        self.open_as("landlord", f"/my/data?contract_id={self.contract.id}", 404)
        page = self.open_as("landlord", f"{URL}?search=Dorpsstraat+3")
        self.assertNotIn("Dorpsstraat 2", page)

    def test_a_past_tenant_learns_nothing_of_his_successor(self):
        page = self.open_as("past", URL)
        self.assertIn("Dorpsstraat 1", page)
        self.assertNotIn("Dorpsstraat 2", page)
        self.assertNotIn("Now the resident", page)
        home = self._create_connection("4")
        self._create_contract(home, self.past, "2023-01-01", "2023-12-31")
        page = self._upload(self._rows(), "past").text
        self.assertIn("Only the owner of a home can start", page)
        self.assertIn("do not know this home as yours", page)

    def test_number_of_queries(self):
        self.authenticate("landlord", "landlord")
        self.url_open(URL)
        with self.assertQueryCount(25):
            self.assertEqual(self.url_open(URL).status_code, 200)

    # ------------------------------------------------------------------ sheet

    def test_template_has_his_homes(self):
        self.authenticate("landlord", "landlord")
        response = self.url_open(f"{URL}/template")
        rows = list(
            load_workbook(io.BytesIO(response.content)).active.iter_rows(
                values_only=True
            )
        )
        self.assertEqual(len(rows), 4)
        self.assertEqual(rows[3][:2], ("1234 AB", "3"))
        self.assertIn("Nothing is filled in", self._upload(response.content).text)

    def test_preview_first_then_moves_then_nothing_new(self):
        page = self._upload(self._rows()).text
        self.assertIn("New Tenant", page)
        moves = self.env["onergy.move"]
        self.assertFalse(moves.search([]), "only looked at")
        sheet, _page = self._send(self._rows())
        stop, start = sheet.line_ids.move_id.sorted("contract_id", reverse=True)
        if stop.contract_id != self.vacancy:
            stop, start = start, stop
        self.assertEqual((stop.date_end, stop.next_name), (self.day, "New Tenant"))
        self.assertEqual(start.contract_id, self.contract)
        self.assertEqual(start.date_end, self.day - timedelta(days=1))
        self.assertEqual(start.next_partner_id, self.landlord.partner_id)
        self.assertIn("has not reported a move", start.preview)
        again, page = self._send(self._rows())
        self.assertIn("nothing", page)
        self.assertEqual(again.same_count, 2)
        self.assertEqual(len(moves.search([])), 2)
        (stop | start).with_user(self.staff["customer_service"]).action_carry_out()
        self.assertEqual(self.vacancy.date_end, self.day)
        self.assertEqual(start.next_contract_id.role, "vacancy")
        again, page = self._send(self._rows())
        self.assertEqual(again.same_count, 2)
        self.post_as("landlord", f"{URL}/sheet/{again.id}/send", {})
        self.assertEqual(len(moves.search([])), 2)

    def test_errors_name_line_column_and_remedy_and_good_rows_land(self):
        day = f"{self.day:%d-%m-%Y}"
        sheet, page = self._send(
            self._book(
                ("9999 ZZ", "1", "", "stop", day),
                ("1234 AB", "2", "", "maybe", day),
                ("1234 AB", "2", "", "start", "soon"),
                ("1234 AB", "3", "", "stop", day),
                ("1234 AB", "2", "", "stop", day, "X"),
                ("1234 AB", "1", "", "start", day),
                ("1234 AB", "1", "", "start", day),
            )
        )
        self.assertEqual(
            [(line.line, line.state, line.field_name) for line in sheet.line_ids],
            [
                (2, "error", "House number"),
                (3, "error", "start or stop"),
                (4, "error", "First day (start) or last day (stop)"),
                (5, "error", "Name of the next resident (stop)"),
                (6, "error", "First day (start) or last day (stop)"),
                (7, "ok", False),
                (8, "error", "House number"),
            ],
        )
        for remedy in (
            "do not know this home",
            "Write start or stop",
            "for example 31-12-2026",
            "who pays from the next day",
            "nothing to stop",
            "twice",
        ):
            self.assertIn(remedy, page)
        self.assertEqual(len(self.env["onergy.move"].search([])), 1)

    def test_completes_what_the_resident_reported(self):
        move = self.env["onergy.move"].create(
            {
                "contract_id": self.contract.id,
                "date_end": self.day - timedelta(days=1),
                "next_kind": "unknown",
            }
        )
        self._send(self._book(("1234 AB", "1", "", "start", f"{self.day}")))
        self.assertEqual(self.env["onergy.move"].search([]), move)
        self.assertEqual(move.next_partner_id, self.landlord.partner_id)
        move.date_end = self.day + timedelta(days=9)
        sheet, page = self._send(
            self._book(("1234 AB", "1", "", "start", f"{self.day}"))
        )
        self.assertIn("Another last day was reported", page)
        self.assertNotIn(str(move.date_end.day), sheet.line_ids.remedy)

    def test_not_a_workbook(self):
        for content in (b"postcode;number", b"PK\x03\x04broken"):
            self.assertIn("cannot read this file", self._upload(content).text)
        self.authenticate("landlord", "landlord")
        response = self.url_open(f"{URL}/upload", {"csrf_token": self.csrf_token()})
        self.assertIn("Choose a file first", response.text)
        self.assertFalse(self.env["onergy.move.sheet"].search([]))

    def _rewrite(self, name, content):
        """A workbook with another content of one of the files in it."""
        out = io.BytesIO()
        book = zipfile.ZipFile(io.BytesIO(self._rows()))
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
            for info in book.infolist():
                old = book.read(info)
                target.writestr(
                    info.filename, content(old) if info.filename == name else old
                )
        return out.getvalue()

    def test_a_workbook_made_to_do_harm(self):
        sheet = "xl/worksheets/sheet1.xml"
        strings = "xl/sharedStrings.xml"
        spaces = b" " * 40 * 1024**2
        bomb = self._rewrite(strings, lambda old: old.replace(b"</sst>", spaces))
        self.assertLess(len(bomb), 100_000)
        whole = self._rewrite(
            strings, lambda old: old.replace(b"</sst>", spaces + b"</sst>")
        )
        damaged = bytearray(self._rows())
        info = zipfile.ZipFile(io.BytesIO(damaged)).getinfo(sheet)
        start = info.header_offset + 30 + len(sheet)
        damaged[start : start + 40] = b"\xff" * 40
        for what, content in (
            ("inflates", bomb),
            ("inflates and is well formed", whole),
            ("ends early", self._rewrite(sheet, lambda old: old[:-40])),
            ("damaged", bytes(damaged)),
            (
                "no such cell",
                self._rewrite(sheet, lambda old: old.replace(b'r="A2"', b'r="A"')),
            ),
            (
                "no such date",
                self._rewrite(sheet, lambda old: old.replace(b't="s"', b't="d"')),
            ),
        ):
            with self.subTest(what):
                response = self._upload(content)
                self.assertEqual(response.status_code, 200)
                self.assertIn("cannot read this file", response.text)
        far = self._rewrite(
            sheet, lambda old: old.replace(b'<row r="3"', b'<row r="999999999999"')
        )
        self.assertIn("lines at most", self._upload(far).text)
        self.assertFalse(self.env["onergy.move.sheet"].search([]))

    def test_sheets_are_for_landlords(self):
        """Whoever has one home that is not his own reports a move on its page."""
        self.assertIn(f"{URL}/upload", self.open_as("landlord", URL))
        self.assertNotIn(f"{URL}/upload", self.open_as("resident", URL))
        self.open_as("resident", f"{URL}/template", 404)
        self.assertEqual(self._upload(self._rows(), "resident").status_code, 404)
        self.assertFalse(self.env["onergy.move.sheet"].search([]))

    # ------------------------------------------------------------------ clerk

    def _wizard(self, content, role="customer_service", partner=None):
        return (
            self.env["onergy.move.sheet.upload"]
            .with_user(self.staff[role])
            .create(
                {
                    "partner_id": (partner or self.landlord.partner_id).id,
                    "sheet": b64encode(content),
                    "sheet_name": "mailed.xlsx",
                }
            )
        )

    def test_clerk_reads_the_file_that_was_mailed(self):
        wizard = self._wizard(self._rows())
        self.assertEqual(wizard.home_count, 3)
        rows = load_workbook(io.BytesIO(b64decode(wizard.workbook))).active
        self.assertEqual(rows.max_row, 4)
        action = wizard.action_read()
        sheet = (
            self.env["onergy.move.sheet"]
            .browse(action["res_id"])
            .with_user(self.staff["customer_service"])
        )
        self.assertEqual(sheet.partner_id, self.landlord.partner_id)
        self.assertEqual((sheet.ok_count, sheet.name), (2, "mailed.xlsx"))
        moves = self.env["onergy.move"]
        self.assertFalse(moves.search([]), "only looked at")
        action = sheet.action_send()
        made = moves.search(action["domain"])
        self.assertEqual(len(made), 2)
        self.assertEqual(made.mapped("state"), ["reported"] * 2)
        sheet.action_send()
        self.assertEqual(len(moves.search([])), 2)
        # The landlord sees what was done for him, and nobody else does.
        page = self.open_as("landlord", f"{URL}/sheet/{sheet.id}")
        self.assertIn("New Tenant", page)
        # Many at once are taken back at once.
        made.with_user(self.staff["customer_service"]).action_carry_out()
        made.with_user(self.staff["customer_service"]).action_undo()
        self.assertFalse(self.vacancy.date_end)
        made.with_user(self.staff["customer_service"]).action_cancel()
        self.assertEqual(set(made.mapped("state")), {"cancelled"})

    def test_clerk_is_told_what_is_wrong_with_the_file(self):
        for content, complaint in (
            (b"no workbook", "cannot read this file"),
            (self._book(), "Nothing is filled in"),
            (b"", "Choose a file first"),
        ):
            with self.subTest(complaint), self.assertRaisesRegex(UserError, complaint):
                self._wizard(content).action_read()
        self.assertFalse(self._wizard(b"", partner=self.env.user.partner_id).home_count)

    def test_only_customer_service_reads_files(self):
        sheet = self.env["onergy.move.sheet"]._read(
            self.landlord.partner_id, self._rows(), "x.xlsx"
        )
        for role in ("metering", "accountant"):
            with self.subTest(role):
                with self.assertRaises(AccessError):
                    self._wizard(self._rows(), role)
                with self.assertRaises(AccessError):
                    sheet.with_user(self.staff[role]).action_send()
        with self.assertRaises(AccessError):
            sheet.with_user(self.landlord).action_send()
        self.assertFalse(sheet.sent_on)

    # ------------------------------------------------------------------ access

    def test_of_another_is_not_shown_nor_sent(self):
        self._upload(self._rows())
        sheet = self.env["onergy.move.sheet"].search([])
        url = f"{URL}/sheet/{sheet.id}"
        for login in ("resident", "past", *(u.login for u in self.staff.values())):
            with self.subTest(login):
                self.assertNotIn("New Tenant", self.open_as(login, url))
                self.post_as(login, f"{url}/send", {})
        self.assertFalse(sheet.sent_on)
        self.authenticate(None, None)
        for path in (URL, url, f"{URL}/template"):
            self.assertIn("/web/login", self.url_open(path).url)
        for user in (self.landlord, self.env.ref("base.public_user")):
            with self.assertRaises(AccessError):
                sheet.with_user(user).read(["name"])

    def test_staff_have_no_homes_here(self):
        for user in self.staff.values():
            with self.subTest(user.login):
                self.assertNotIn("Dorpsstraat", self.open_as(user.login, URL))
                self.open_as(user.login, f"{URL}/template", 404)
