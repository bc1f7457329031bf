"""What is on the paper."""

import re

from odoo.tests import tagged

from .common import ARCH, ReportCase

MM = 72 / 25.4


@tagged("post_install", "-at_install")
class TestPrint(ReportCase):
    def test_nothing_is_lost_over_five_pages(self):
        """Every line is printed once and in order, the last one on the last page."""
        partner = self.partners[0]
        partner.color = 100
        reader = self.print_report(partner)
        texts = self.texts(reader)
        self.assertEqual(len(texts), 5)
        lines = re.findall(r"Alpha\s+line\s+(\d+)\.", "\n".join(texts))
        self.assertEqual(lines, [str(number) for number in range(1, 101)])
        self.assertRegex(texts[-1], r"line\s+100\.")
        self.assertIn("Sum of Alpha", texts[-1])

    def test_header_footer_page_numbers(self):
        """Each page has the header, the head of the table, the footer, its number."""
        reader = self.print_report(self.partners[1])
        texts = self.texts(reader)
        self.assertGreater(len(texts), 1)
        for number, text in enumerate(texts, start=1):
            self.assertIn("Lastheaderline", text)
            self.assertIn("Description", text)
            self.assertIn("Footer of the company", text)
            self.assertRegex(text, rf"Page\s+{number}\s+/\s+{len(texts)}")

    def assertNothingOverlaps(self, page, first_text):
        """The header ends above the text, the text ends above the footer."""
        body = [
            y
            for text, y in self.positions(page).items()
            if text.startswith(("Beta line", "Sum of"))
        ]
        header = self.position(page, "Lastheaderline")
        self.assertGreater(self.position(page, first_text), header + 8)
        self.assertGreater(min(body), header + 8)
        self.assertGreater(self.position(page, "Footer of"), max(body) + 8)

    def test_layouts(self):
        """No layout of Odoo lets header, text and footer overlap or loses a line."""
        self.company.report_header = "<p>Slogan of two<br/>lines</p>"
        layouts = self.env["report.layout"].search([])
        self.assertGreaterEqual(len(layouts), 7)
        for layout in layouts:
            with self.subTest(layout=layout.name):
                self.company.external_report_layout_id = layout.view_id
                reader = self.print_report(self.partners[1])
                text = "\n".join(self.texts(reader))
                lines = re.findall(r"Beta\s+line\s+(\d+)\.", text)
                self.assertEqual(lines, [str(number) for number in range(1, 61)])
                self.assertIn("Statement", text)
                for number, page in enumerate(reader.pages):
                    first = "Description" if number else "Statement"
                    if layout.view_id.key == "web.external_layout_folder":
                        first = "Description"
                    self.assertNothingOverlaps(page, first)

    def test_high_header_moves_the_text(self):
        """A header that is higher than the margin does not run into the text."""
        low = self.position(self.print_report(self.partners[0]).pages[0], "Alpha line")
        details = "<br/>".join(f"Line {number}" for number in range(12))
        self.company.company_details = f"<p>{details}<br/>Lastheaderline</p>"
        reader = self.print_report(self.partners[1])
        for page in reader.pages:
            self.assertNothingOverlaps(page, "Description")
        high = self.position(self.print_report(self.partners[0]).pages[0], "Alpha line")
        self.assertGreater(high, low + 100)

    def test_paper_format(self):
        paperformat = self.env["report.paperformat"].create(
            {
                "name": "Small",
                "format": "custom",
                "page_width": 120,
                "page_height": 200,
                "orientation": "Portrait",
                "margin_top": 60,
                "margin_bottom": 30,
                "margin_left": 25,
                "margin_right": 10,
                "header_spacing": 45,
                "dpi": 96,
            }
        )
        self.report.paperformat_id = paperformat
        self.company.company_details = "<p>Lastheaderline</p>"
        self.company.logo = False
        page = self.print_report(self.partners[0]).pages[0]
        self.assertAlmostEqual(float(page.mediabox.width), 120 * MM, delta=0.6)
        self.assertAlmostEqual(float(page.mediabox.height), 200 * MM, delta=0.6)
        # The baseline of the first line of the header: below the top of the header.
        header = self.position(page, "Lastheaderline")
        self.assertGreater(header, 15 * MM)
        self.assertLess(header, 30 * MM)
        self.assertGreater(self.position(page, "Alpha line"), 60 * MM)
        self.assertGreater(self.position(page, "Footer of"), 170 * MM)
        self.assertLess(self.position(page, "Footer of"), 180 * MM)

    def test_landscape(self):
        portrait = self.print_report(self.partners[0]).pages[0].mediabox
        landscape = self.print_report(self.partners[0], landscape=True).pages[0]
        self.assertEqual((portrait.width, portrait.height), (595, 842))
        self.assertEqual(
            (landscape.mediabox.width, landscape.mediabox.height), (842, 595)
        )
        self.env.ref("base.paperformat_euro").orientation = "Landscape"
        self.assertEqual(
            self.print_report(self.partners[0]).pages[0].mediabox.width, 842
        )

    def test_attributes_of_the_report_win(self):
        """data-report-* attributes take precedence over the paper format."""
        normal = self.print_report(self.partners[0]).pages[0]
        self.view.arch = self.view.arch.replace(
            '<t t-call="web.html_container">',
            '<t t-set="data_report_margin_top" t-value="100"/>'
            '<t t-set="data_report_header_spacing" t-value="80"/>'
            '<t t-set="data_report_landscape" t-value="True"/>'
            '<t t-call="web.html_container">',
        )
        page = self.print_report(self.partners[0]).pages[0]
        self.assertEqual(page.mediabox.width, 842)
        self.assertAlmostEqual(
            self.position(page, "Lastheaderline"),
            self.position(normal, "Lastheaderline") + 20 * MM,
            delta=1,
        )
        self.assertAlmostEqual(
            self.position(page, "Alpha line"),
            self.position(normal, "Alpha line") + 48 * MM,
            delta=1,
        )

    def test_hidden_overflow_does_not_hide_text(self):
        lines = "".join(f"<p>Paragraph {number}.</p>" for number in range(100))
        self.view.arch = ARCH % f'<div class="overflow-hidden">{lines}</div>'
        reader = self.print_report(self.partners[0])
        self.assertGreater(len(reader.pages), 2)
        text = "\n".join(self.texts(reader))
        self.assertEqual(len(re.findall(r"Paragraph \d+\.", text)), 100)

    def test_report_without_layout(self):
        """A template with nothing but text is printed, without header and footer."""
        self.view.arch = """
            <t t-name="report_weasyprint.test_report">
                <html><body><main><p>Just text</p></main></body></html>
            </t>"""
        reader = self.print_report(self.partners[0])
        self.assertEqual([text.strip() for text in self.texts(reader)], ["Just text"])

    def test_own_header(self):
        """A caller may pass a header that serves for all documents."""
        pdf = self.Report._run_wkhtmltopdf(
            ["<html><body><p>First</p></body></html>", "<p>Second</p>"],
            header='<html><body>Own header <span class="page"/></body></html>',
            landscape=True,
        )
        texts = self.texts(self.reader(pdf))
        self.assertEqual(len(texts), 2)
        self.assertRegex(texts[0], r"First\s+Own header\s+1")
        self.assertRegex(texts[1], r"Second\s+Own header\s+1")

    def test_language_of_the_document(self):
        self.env["res.lang"]._activate_lang("nl_NL")
        self.view.arch = """
            <t t-name="report_weasyprint.test_report">
                <t t-call="web.html_container">
                    <t t-foreach="docs" t-as="o">
                        <t t-set="o" t-value="o.with_context(lang='nl_NL')"/>
                        <t t-call="web.external_layout"><p>Tekst</p></t>
                    </t>
                </t>
            </t>"""
        reader = self.print_report(self.partners[0])
        self.assertEqual(reader.trailer["/Root"]["/Lang"], "nl-NL")
