from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged
from odoo.tools import SQL, mute_logger

from ..models.workbook import builder as builder_module
from ..models.workbook.builder import OnergyWorkbookBuilder
from ..models.workbook.payt import OnergyWorkbookBuilder as PaytBuilder
from ..report import workbook_writer
from .workbook_common import RIGHT, WRONG, WorkbookCommon


@tagged("post_install", "-at_install")
class TestWorkbookPayt(WorkbookCommon):
    """The sheet of Payt, with what its addon tells of a day."""

    def make_with(self, payt_amount):
        (advance,) = self.invoice_advances(150.0, months=1)
        days = []

        def get_query(_builder, workbook):
            days.append(workbook.as_of)
            return SQL(
                "SELECT %s AS move_id, 150.00 AS odoo_amount, %s AS payt_amount, "
                "'amount' AS kind",
                advance.id,
                payt_amount,
            )

        with (
            patch.object(PaytBuilder, "_get_payt_query", get_query),
            patch.object(
                PaytBuilder,
                "_get_payt_kinds",
                lambda _builder: SQL("('amount', 'Open amount differs')"),
            ),
        ):
            _workbook, book = self.make(date_to="2024-07-31", as_of="2024-07-31")
        self.assertEqual(set(days), {fields.Date.to_date("2024-07-31")})
        return advance, book

    def test_the_same(self):
        advance, book = self.make_with(150)
        (row,) = self.get_rows(book.worksheets[11])
        self.assertEqual((row[2], row[4], row[5]), (advance.name, 150.0, 150.0))
        self.assertFalse(row[7])
        self.assertEqual(self.get_checks(book)[12], (1, 150.0, 150.0, RIGHT))

    def test_a_difference(self):
        _advance, book = self.make_with(110)
        (row,) = self.get_rows(book.worksheets[11])
        self.assertEqual(row[6:8], (40.0, "Open amount differs"))
        self.assertEqual(self.get_checks(book)[12], (1, 110.0, 150.0, WRONG))


@tagged("post_install", "-at_install")
class TestWorkbookJob(WorkbookCommon):
    """How it is made: in the background, telling how far it is."""

    def new_workbook(self):
        return self.env["onergy.workbook"].create(
            {"date_from": "2024-07-01", "date_to": "2025-07-31", "as_of": "2025-07-31"}
        )

    def test_progress(self):
        self.invoice_advances(150.0, months=3)
        workbook = self.new_workbook()
        workbook.action_make()
        self.assertEqual(workbook.state, "queued")
        seen = []
        tell = type(workbook)._tell

        def watch(record, percent, text):
            tell(record, percent, text)
            record.invalidate_recordset()
            seen.append((record.state, record.progress, record.progress_text))

        with (
            patch.object(type(workbook), "_tell", watch),
            patch.object(workbook_writer, "TELL_SECONDS", 0),
            patch.object(builder_module, "TELL_ROWS", 2),
        ):
            self.run_cron()
        self.assertEqual({state for state, _percent, _text in seen}, {"running"})
        percents = [percent for _state, percent, _text in seen]
        self.assertEqual(percents, sorted(percents))
        self.assertEqual(len(set(percents)), 11)
        texts = [text for _state, _percent, text in seen]
        self.assertIn("Sheet 9 Ledger: 2 rows", texts)
        self.assertIn("Sheet 9 Ledger: 4 rows", texts)
        workbook.invalidate_recordset()
        self.assertRecordValues(
            workbook, [{"state": "done", "progress": 100, "progress_text": False}]
        )

    def test_left_behind_is_made_again(self):
        """A server that stopped in the middle leaves nothing that stays busy."""
        workbook = self.new_workbook()
        workbook.state = "running"
        self.run_cron()
        workbook.invalidate_recordset()
        self.assertEqual(workbook.state, "done")
        self.assertTrue(workbook.file)

    def test_failure_is_told(self):
        for error, text in (
            (UserError("Ask somebody."), "Ask somebody."),
            (ZeroDivisionError(), "log of the server"),
        ):
            workbook = self.new_workbook()
            workbook.action_make()
            with (
                patch.object(OnergyWorkbookBuilder, "_fill", side_effect=error),
                mute_logger(
                    "odoo.addons.onergy_billing.models.onergy_background_mixin"
                ),
            ):
                self.run_cron()
            workbook.invalidate_recordset()
            self.assertEqual((workbook.state, workbook.file), ("failed", False))
            self.assertIn(text, workbook.problem)
            workbook.action_make()
            self.assertEqual((workbook.state, workbook.problem), ("queued", False))

    def test_not_twice_at_once(self):
        workbook = self.new_workbook()
        workbook.action_make()
        with self.assertRaisesRegex(UserError, "already"):
            workbook.action_make()

    def test_rights(self):
        """Accountants and managers read the file; nobody else, not even its list."""
        workbook, _book = self.make()
        attachment = self.env["ir.attachment"].search(
            [
                ("res_model", "=", "onergy.workbook"),
                ("res_id", "=", workbook.id),
                ("res_field", "=", "file"),
            ]
        )
        self.assertTrue(attachment)
        roles = {
            "onergy_residents.group_accountant": True,
            "onergy_residents.group_manager": True,
            "onergy_residents.group_customer_service": False,
            "onergy_residents.group_metering": False,
            "base.group_user": False,
            "base.group_portal": False,
            "base.group_public": False,
        }
        for number, (group, may) in enumerate(roles.items()):
            user = new_test_user(
                self.env,
                f"book_{number}",
                group,
                company_id=self.company.id,
                company_ids=[(6, 0, self.company.ids)],
            )
            with self.subTest(group=group):
                if may:
                    self.assertTrue(workbook.with_user(user).read(["file"])[0]["file"])
                    self.assertTrue(attachment.with_user(user).raw)
                    continue
                with self.assertRaises(AccessError):
                    workbook.with_user(user).read(["file"])
                with self.assertRaises(AccessError):
                    attachment.with_user(user).read(["raw"])

    def test_other_company(self):
        """An accountant of another company sees nothing of this one's workbook."""
        workbook, _book = self.make()
        other = self.env["res.company"].create({"name": "Other"})
        user = new_test_user(
            self.env,
            "other_accountant",
            "onergy_residents.group_accountant",
            company_id=other.id,
            company_ids=[(6, 0, other.ids)],
        )
        with self.assertRaises(AccessError):
            workbook.with_user(user).read(["file"])
