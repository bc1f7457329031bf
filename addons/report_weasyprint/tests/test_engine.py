"""Which engine prints, and what happens without it."""

import json
from unittest.mock import patch
from urllib.parse import quote

from odoo.exceptions import UserError
from odoo.tests import HttpCase, new_test_user, tagged

from odoo.addons.base.models.ir_actions_report import (
    IrActionsReport as BaseReport,
)

from ..tools import engine
from .common import REPORT_NAME, ReportCase


@tagged("post_install", "-at_install")
class TestEngine(ReportCase):
    def set_default(self, pdf_engine):
        self.env["res.config.settings"].create({"pdf_engine": pdf_engine}).execute()

    def assertPrintedWith(self, pdf_engine):
        """Print and see whether Odoo's own method was called."""
        with (
            patch.object(
                BaseReport, "_run_wkhtmltopdf", return_value=b"from wkhtmltopdf"
            ) as wkhtmltopdf,
            patch.object(BaseReport, "get_wkhtmltopdf_state", return_value="ok"),
        ):
            pdf = self.Report._render_qweb_pdf(REPORT_NAME, self.partners[0].ids)[0]
        if pdf_engine == "wkhtmltopdf":
            self.assertEqual(pdf, b"from wkhtmltopdf")
            self.assertEqual(wkhtmltopdf.call_args.kwargs["report_ref"], REPORT_NAME)
            self.assertIn("Footer of", wkhtmltopdf.call_args.kwargs["footer"])
        else:
            wkhtmltopdf.assert_not_called()
            self.assertIn("Sum of Alpha", self.texts(self.reader(pdf))[0])

    def test_default(self):
        self.assertEqual(
            self.env["res.config.settings"].create({}).pdf_engine, "weasyprint"
        )
        self.assertPrintedWith("weasyprint")

    def test_setting(self):
        self.set_default("wkhtmltopdf")
        self.assertPrintedWith("wkhtmltopdf")
        self.set_default("weasyprint")
        self.assertPrintedWith("weasyprint")

    def test_report_overrides_setting(self):
        self.report.pdf_engine = "wkhtmltopdf"
        self.assertPrintedWith("wkhtmltopdf")
        self.set_default("wkhtmltopdf")
        self.report.pdf_engine = "weasyprint"
        self.assertPrintedWith("weasyprint")

    def test_user_without_rights_on_settings(self):
        user = self.env["res.users"].create({"name": "Clerk", "login": "clerk"})
        self.Report = self.Report.with_user(user)
        self.assertPrintedWith("weasyprint")
        self.assertEqual(self.Report.get_wkhtmltopdf_state(), "ok")

    def test_html_in_tests(self):
        """Odoo's tests print HTML, unless they ask for a PDF."""
        report_type = self.env["ir.actions.report"]._render_qweb_pdf(
            REPORT_NAME, self.partners.ids
        )[1]
        self.assertEqual(report_type, "html")

    def test_state(self):
        """wkhtmltopdf plays no part in the state of WeasyPrint."""
        Report = self.env["ir.actions.report"]
        with patch.object(BaseReport, "get_wkhtmltopdf_state", return_value="install"):
            self.assertEqual(Report.get_wkhtmltopdf_state(), "ok")
            self.set_default("wkhtmltopdf")
            self.assertEqual(Report.get_wkhtmltopdf_state(), "install")
            # The web client may print the report that does not need wkhtmltopdf.
            self.report.pdf_engine = "weasyprint"
            self.assertEqual(Report.get_wkhtmltopdf_state(), "ok")
        with patch.object(BaseReport, "get_wkhtmltopdf_state", return_value="workers"):
            self.assertEqual(Report.get_wkhtmltopdf_state(), "workers")

    def test_wkhtmltopdf_missing(self):
        self.report.pdf_engine = "wkhtmltopdf"
        with (
            patch.object(BaseReport, "get_wkhtmltopdf_state", return_value="install"),
            self.assertRaisesRegex(UserError, "Wkhtmltopdf"),
        ):
            self.print_report(self.partners[0])

    def test_pango_missing(self):
        """The web client shows the report as HTML; printing names what is missing."""
        with patch.object(engine, "available", new=False):
            self.assertEqual(
                self.env["ir.actions.report"].get_wkhtmltopdf_state(), "install"
            )
            for records in (self.partners[0], self.partners):
                with self.assertRaisesRegex(UserError, "Pango"):
                    self.print_report(records)


@tagged("post_install", "-at_install")
class TestRoute(ReportCase, HttpCase):
    def test_print_from_the_web_client(self):
        """The route works on a read-only cursor, even when it is the first to print."""
        new_test_user(
            self.env, "clerk", groups="base.group_user", password="clerk-password"
        )
        self.env["ir.attachment"].search([("url", "=like", "/web/assets/%")]).unlink()
        self.authenticate("clerk", "clerk-password")
        context = json.dumps({"force_report_rendering": True})
        ids = ",".join(map(str, self.partners.ids))
        response = self.url_open(
            f"/report/pdf/{REPORT_NAME}/{ids}?context={quote(context)}",
            # The bundles of the style sheets are made anew on the way.
            timeout=120,
        )
        self.assertEqual(response.headers["Content-Type"], "application/pdf")
        texts = self.texts(self.reader(response.content))
        self.assertEqual(len(texts), 6)
        self.assertIn("Sum of Gamma", texts[-1])
        state = self.make_jsonrpc_request("/report/check_wkhtmltopdf")
        self.assertEqual(state, "ok")
