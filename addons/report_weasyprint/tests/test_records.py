"""Several records in one call."""

from unittest.mock import patch

from odoo.tests import tagged

from ..tools.renderer import DocumentRenderer
from .common import ARCH, ReportCase


@tagged("post_install", "-at_install")
class TestRecords(ReportCase):
    def read_streams(self, records):
        return {
            res_id: self.reader(values["stream"].getvalue())
            for res_id, values in self.streams(records).items()
        }

    def test_a_pdf_for_each_record(self):
        readers = self.read_streams(self.partners)
        self.assertEqual(list(readers), self.partners.ids)
        self.assertEqual([len(reader.pages) for reader in readers.values()], [1, 3, 2])
        for partner in self.partners:
            texts = self.texts(readers[partner.id])
            self.assertIn(f"Sum of {partner.name}", texts[-1])
            for number, text in enumerate(texts, start=1):
                self.assertIn(partner.name, text)
                for other in self.partners - partner:
                    self.assertNotIn(other.name, text)
                self.assertRegex(text, rf"Page\s+{number}\s+/\s+{len(texts)}")

    def test_one_pdf_of_all_records(self):
        texts = self.texts(self.print_report(self.partners))
        self.assertEqual(len(texts), 6)
        self.assertIn("Sum of Alpha", texts[0])
        self.assertIn("Sum of Beta", texts[3])
        self.assertIn("Sum of Gamma", texts[5])

    def test_as_many_records_as_pages(self):
        """Odoo would hand out one page to each record."""
        self.partners[1:].write({"color": 2})
        self.view.arch = ARCH % (
            "<t t-if=\"o.name == 'Beta'\"><h1>A</h1><h1>B</h1></t>Letter for "
            '<t t-out="o.name"/>'
        )
        for partner, reader in zip(
            self.partners, self.read_streams(self.partners).values(), strict=True
        ):
            self.assertIn(f"Letter for {partner.name}", self.texts(reader)[0])

    def test_attachments(self):
        """Each record gets its own attachment, once."""
        self.report.attachment = "'report_%s.pdf' % object.name"
        self.print_report(self.partners)
        attachments = self.env["ir.attachment"].search(
            [("res_model", "=", "res.partner"), ("res_id", "in", self.partners.ids)],
            order="res_id",
        )
        self.assertEqual(
            attachments.mapped("name"),
            ["report_Alpha.pdf", "report_Beta.pdf", "report_Gamma.pdf"],
        )
        self.assertEqual(
            [len(self.reader(attachment.raw).pages) for attachment in attachments],
            [1, 3, 2],
        )
        self.print_report(self.partners)
        self.assertEqual(
            self.env["ir.attachment"].search_count(
                [("res_model", "=", "res.partner"), ("res_id", "in", self.partners.ids)]
            ),
            3,
        )

    def test_reload_from_attachment(self):
        """What was printed before is read back; only the rest is printed."""
        self.report.write(
            {"attachment": "'report_%s.pdf' % object.id", "attachment_use": True}
        )
        self.print_report(self.partners[1])
        self.partners[1].name = "Renamed"
        readers = self.read_streams(self.partners)
        self.assertEqual(list(readers), self.partners.ids)
        self.assertIn("Sum of Beta", self.texts(readers[self.partners[1].id])[-1])
        self.assertIn("Sum of Gamma", self.texts(readers[self.partners[2].id])[-1])
        self.print_report(self.partners)
        with patch.object(DocumentRenderer, "render") as render:
            self.print_report(self.partners)
        render.assert_not_called()

    def test_context_without_attachment(self):
        self.report.write({"attachment": "'report.pdf'", "attachment_use": True})
        self.print_report(self.partners, report_pdf_no_attachment=True)
        self.assertFalse(
            self.env["ir.attachment"].search_count(
                [("res_model", "=", "res.partner"), ("res_id", "in", self.partners.ids)]
            )
        )

    def test_two_parts_of_a_record(self):
        """All parts of a record, also one without its id, are in its PDF."""
        self.report.attachment = "'report.pdf'"
        self.view.arch = """
            <t t-name="report_weasyprint.test_report">
                <t t-call="web.html_container">
                    <t t-foreach="docs" t-as="o">
                        <div class="article" data-oe-model="res.partner"
                            t-att-data-oe-id="o.id">Letter to <t t-out="o.name"/></div>
                        <div class="article" data-oe-model="res.partner"
                            t-att-data-oe-id="o.id">Copy to <t t-out="o.name"/></div>
                        <div class="article">Annex</div>
                    </t>
                </t>
            </t>"""
        for partner, reader in zip(
            self.partners, self.read_streams(self.partners).values(), strict=True
        ):
            self.assertEqual(
                [text.strip() for text in self.texts(reader)],
                [f"Letter to {partner.name}", f"Copy to {partner.name}", "Annex"],
            )

    def test_one_document_for_all_records(self):
        """A list of records is one document, that belongs to no record."""
        self.view.arch = """
            <t t-name="report_weasyprint.test_report">
                <t t-call="web.html_container">
                    <div class="article"><p t-foreach="docs" t-as="o">
                        Row <t t-out="o.name"/></p></div>
                </t>
            </t>"""
        streams = self.streams(self.partners)
        text = self.texts(self.reader(streams[False]["stream"].getvalue()))[0]
        self.assertEqual(text.count("Row"), 3)
        self.assertEqual(len(self.print_report(self.partners).pages), 1)

    def test_record_printed_twice(self):
        pdf = self.Report._render_qweb_pdf(
            self.report, [self.partners[0].id, self.partners[0].id]
        )[0]
        self.assertEqual(len(self.reader(pdf).pages), 2)

    def test_no_records(self):
        self.view.arch = """
            <t t-name="report_weasyprint.test_report">
                <t t-call="web.html_container">
                    <div class="article">Nobody</div>
                </t>
            </t>"""
        pdf = self.Report._render_qweb_pdf(self.report, [])[0]
        self.assertIn("Nobody", self.texts(self.reader(pdf))[0])

    def test_style_sheets_are_parsed_once(self):
        """Bootstrap is parsed once in a call, not once a record."""
        read = []
        read_css = DocumentRenderer._read_css

        def count(renderer, url):
            read.append(url)
            return read_css(renderer, url)

        with patch.object(DocumentRenderer, "_read_css", count):
            self.streams(self.partners)
        self.assertTrue(read)
        self.assertEqual(len(read), len(set(read)))
