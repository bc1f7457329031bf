import base64
import io

from PIL import Image
from pypdf import PdfReader

from odoo.tests import TransactionCase

REPORT_NAME = "report_weasyprint.test_report"

ARCH = """
<t t-name="report_weasyprint.test_report">
    <t t-call="web.html_container">
        <t t-foreach="docs" t-as="o">
            <t t-call="web.external_layout">
                <t t-set="layout_document_title">Statement</t>
                <div class="page">%s</div>
            </t>
        </t>
    </t>
</t>
"""

# One line per unit of the partner's colour: a handle on the length of a document.
LINES = """
<table class="table o_main_table">
    <thead><tr><th>Description</th><th>Amount</th></tr></thead>
    <tbody>
        <tr t-foreach="range(1, o.color + 1)" t-as="number">
            <td><t t-out="o.name"/> line <t t-out="number"/>.</td>
            <td>1.00</td>
        </tr>
    </tbody>
</table>
<p>Sum of <t t-out="o.name"/></p>
"""


def image(width=60, height=20):
    stream = io.BytesIO()
    Image.new("RGB", (width, height), "green").save(stream, "PNG")
    return base64.b64encode(stream.getvalue())


class ReportCase(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company = cls.env.company
        cls.company.write(
            {
                "name": "Heat Company",
                "logo": image(600, 180),
                "company_details": "<p>Heat Company<br/>Station Square 1"
                "<br/>1234 AB Town<br/>Lastheaderline</p>",
                "report_footer": "<p>Footer of the company</p>",
                "paperformat_id": cls.env.ref("base.paperformat_euro").id,
                "external_report_layout_id": cls.env.ref(
                    "web.external_layout_standard"
                ).id,
            }
        )
        cls.view = cls.env["ir.ui.view"].create(
            {
                "type": "qweb",
                "name": REPORT_NAME,
                "key": REPORT_NAME,
                "arch": ARCH % LINES,
            }
        )
        cls.report = cls.env["ir.actions.report"].create(
            {
                "name": "Test report",
                "model": "res.partner",
                "report_name": REPORT_NAME,
            }
        )
        cls.partners = cls.env["res.partner"].create(
            [
                {"name": "Alpha", "color": 2},
                {"name": "Beta", "color": 60},
                {"name": "Gamma", "color": 30},
            ]
        )
        cls.Report = cls.env["ir.actions.report"].with_context(
            force_report_rendering=True
        )

    def print_report(self, records, **context):
        """Print records and return the PDF as a reader."""
        pdf, report_type = self.Report.with_context(**context)._render_qweb_pdf(
            REPORT_NAME, records.ids
        )
        self.assertEqual(report_type, "pdf")
        return self.reader(pdf)

    def reader(self, pdf):
        return PdfReader(io.BytesIO(pdf))

    def streams(self, records):
        return self.Report._render_qweb_pdf_prepare_streams(
            REPORT_NAME, {}, res_ids=records.ids
        )

    def texts(self, reader):
        return [page.extract_text() for page in reader.pages]

    def positions(self, page):
        """Return the distance from the top of the page, in points, of each text."""
        found = {}

        def visit(text, cm, tm, _font, _size):
            if text.strip():
                y = tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
                found.setdefault(text.strip(), float(page.mediabox.height) - y)

        page.extract_text(visitor_text=visit)
        return found

    def position(self, page, text):
        """Distance from the top of the page to the first text that contains this."""
        text = text.lower()
        return next(
            y for found, y in self.positions(page).items() if text in found.lower()
        )
