"""wkhtmltopdf itself, where there is one: reports of that engine still print."""

import subprocess
import unittest

from odoo.tests import HttpCase, tagged
from odoo.tools.misc import find_in_path

from .common import ReportCase

try:
    WKHTMLTOPDF = find_in_path("wkhtmltopdf")
except OSError:
    WKHTMLTOPDF = None


def is_patched():
    """Only the build with its own Qt prints headers and footers."""
    version = subprocess.run(
        [WKHTMLTOPDF, "--version"], capture_output=True, text=True, check=False
    )
    return "patched qt" in version.stdout


@tagged("post_install", "-at_install")
@unittest.skipUnless(WKHTMLTOPDF, "wkhtmltopdf is not installed on this machine")
class TestWkhtmltopdf(ReportCase, HttpCase):
    def setUp(self):
        super().setUp()
        # It fetches the style sheets from the server of the test.
        parameters = self.env["ir.config_parameter"]
        parameters.set_param("web.base.url", self.base_url())
        parameters.set_param("report.url", self.base_url())

    def print_with_wkhtmltopdf(self, records):
        self.report.pdf_engine = "wkhtmltopdf"
        return self.print_report(records)

    def test_one_record(self):
        texts = self.texts(self.print_with_wkhtmltopdf(self.partners[1]))
        self.assertGreater(len(texts), 1)
        self.assertIn("Sum of Beta", texts[-1])
        if is_patched():
            for number, text in enumerate(texts, start=1):
                self.assertIn("Lastheaderline", text)
                self.assertRegex(text, rf"Page\s*{number}\s*/\s*{len(texts)}")

    def test_other_reports_stay_with_weasyprint(self):
        reader = self.print_with_wkhtmltopdf(self.partners[0])
        self.assertNotIn("WeasyPrint", reader.metadata.producer)
        self.report.pdf_engine = "weasyprint"
        reader = self.print_report(self.partners[0])
        self.assertIn("WeasyPrint", reader.metadata.producer)

    def test_switch_of_the_database(self):
        self.env["res.config.settings"].create({"pdf_engine": "wkhtmltopdf"}).execute()
        reader = self.print_report(self.partners[0])
        self.assertNotIn("WeasyPrint", reader.metadata.producer)

    def test_many_records(self):
        """Odoo cuts the one PDF up; unpatched wkhtmltopdf cannot do several."""
        if not is_patched():
            self.skipTest("this wkhtmltopdf has no patched Qt: one record at a time")
        self.report.write(
            {"attachment": "'%s.pdf' % object.name", "pdf_engine": "wkhtmltopdf"}
        )
        self.Report._render_qweb_pdf(self.report, self.partners.ids)
        attachments = self.env["ir.attachment"].search(
            [("res_model", "=", "res.partner"), ("res_id", "in", self.partners.ids)]
        )
        self.assertEqual(len(attachments), 3)
