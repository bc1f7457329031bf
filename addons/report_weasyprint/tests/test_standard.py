"""What the PDF is good for: screen readers, archives."""

from lxml import etree
from pypdf.generic import DictionaryObject

from odoo.tests import tagged

from .common import ARCH, LINES, ReportCase

XMP = {
    "pdfaid": "http://www.aiim.org/pdfa/ns/id/",
    "pdfuaid": "http://www.aiim.org/pdfua/ns/id/",
}
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"


@tagged("post_install", "-at_install")
class TestStandard(ReportCase):
    def set_default(self, standard):
        self.env["res.config.settings"].create({"pdf_standard": standard}).execute()

    def get_root(self, reader):
        return reader.trailer["/Root"]

    def get_structure(self, reader, key="/S"):
        """Kinds, or another property, of the structure in reading order."""
        found = []

        def visit(node):
            node = node.get_object()
            if isinstance(node, list):
                for child in node:
                    visit(child)
            elif isinstance(node, DictionaryObject):
                if key in node:
                    found.append(node[key])
                if "/K" in node:
                    visit(node["/K"])

        visit(self.get_root(reader)["/StructTreeRoot"]["/K"])
        return found

    def get_xmp(self, reader, prefix, name):
        """A property of the metadata, whether written as attribute or as element."""
        if "/Metadata" not in self.get_root(reader):
            return None
        metadata = self.get_root(reader)["/Metadata"].get_object().get_data()
        tree = etree.fromstring(metadata)
        key = f"{{{XMP[prefix]}}}{name}"
        for node in tree.iter(f"{RDF}Description"):
            if key in node.attrib:
                return node.get(key)
            if node.find(key) is not None:
                return node.findtext(key)
        return None

    def get_fonts(self, reader):
        for page in reader.pages:
            for font in page["/Resources"].get("/Font", {}).values():
                font = font.get_object()
                for part in font.get("/DescendantFonts", [font]):
                    yield part.get_object()

    # ------------------------------------------------------------------

    def test_tagged_by_default(self):
        """Title, language and structure, without a claim of a standard."""
        self.assertEqual(
            self.env["res.config.settings"].create({}).pdf_standard, "tagged"
        )
        reader = self.print_report(self.partners[1])
        root = self.get_root(reader)
        self.assertTrue(root["/MarkInfo"]["/Marked"])
        self.assertEqual(root["/Lang"], "en-US")
        self.assertEqual(reader.metadata.title, "Test report")
        self.assertIsNone(self.get_xmp(reader, "pdfuaid", "part"))

    def test_structure(self):
        """Sixty lines are sixty rows with two cells, below a row of headings."""
        kinds = self.get_structure(self.print_report(self.partners[1]))
        self.assertEqual(kinds[0], "/Document")
        self.assertIn("/Table", kinds)
        self.assertEqual(kinds.count("/TD"), 120)
        self.assertGreaterEqual(kinds.count("/TH"), 2)
        self.assertIn("/P", kinds)

    def test_plain(self):
        self.set_default("plain")
        reader = self.print_report(self.partners[0])
        self.assertNotIn("/StructTreeRoot", self.get_root(reader))

    def test_pdf_ua(self):
        self.set_default("pdf/ua-1")
        reader = self.print_report(self.partners[0])
        self.assertEqual(self.get_xmp(reader, "pdfuaid", "part"), "1")
        root = self.get_root(reader)
        self.assertTrue(root["/ViewerPreferences"]["/DisplayDocTitle"])
        self.assertIn("/StructTreeRoot", root)

    def test_picture_has_its_text(self):
        self.set_default("pdf/ua-1")
        self.view.arch = ARCH % (
            '<img src="/web/static/img/odoo_logo.svg" alt="A good picture"/>' + LINES
        )
        reader = self.print_report(self.partners[0])
        self.assertIn("A good picture", self.get_structure(reader, "/Alt"))

    def test_pdf_a(self):
        """What PDF/A-3 asks and can be seen here: the rest is for veraPDF."""
        for standard, level in (("pdf/a-3b", "B"), ("pdf/a-3a", "A")):
            with self.subTest(standard=standard):
                self.set_default(standard)
                reader = self.print_report(self.partners[1])
                self.assertEqual(reader.pdf_header, "%PDF-1.7")
                self.assertFalse(reader.is_encrypted)
                self.assertIn("/ID", reader.trailer)
                self.assertEqual(self.get_xmp(reader, "pdfaid", "part"), "3")
                self.assertEqual(self.get_xmp(reader, "pdfaid", "conformance"), level)
                root = self.get_root(reader)
                (intent,) = root["/OutputIntents"]
                self.assertEqual(intent.get_object()["/S"], "/GTS_PDFA1")
                self.assertIn("/DestOutputProfile", intent.get_object())
                self.assertNotIn("/OpenAction", root)
                self.assertNotIn("/JavaScript", root.get("/Names", {}))
                fonts = list(self.get_fonts(reader))
                self.assertTrue(fonts)
                for font in fonts:
                    descriptor = font["/FontDescriptor"]
                    self.assertTrue(
                        {"/FontFile", "/FontFile2", "/FontFile3"} & set(descriptor)
                    )
                self.assertEqual("/StructTreeRoot" in root, level == "A")

    def test_report_overrides_setting(self):
        self.report.pdf_standard = "pdf/a-3b"
        reader = self.print_report(self.partners[0])
        self.assertEqual(self.get_xmp(reader, "pdfaid", "part"), "3")

    def test_each_record_of_many(self):
        """Records printed in one call are each attached as a PDF of that standard."""
        self.report.write(
            {"pdf_standard": "pdf/a-3a", "attachment": "'%s.pdf' % object.name"}
        )
        self.Report._render_qweb_pdf(self.report, self.partners.ids)
        attachments = self.env["ir.attachment"].search(
            [("res_model", "=", "res.partner"), ("res_id", "in", self.partners.ids)]
        )
        self.assertEqual(len(attachments), 3)
        for attachment in attachments:
            reader = self.reader(attachment.raw)
            self.assertEqual(self.get_xmp(reader, "pdfaid", "conformance"), "A")
            partner = self.env["res.partner"].browse(attachment.res_id)
            self.assertIn(f"Sum of {partner.name}", self.texts(reader)[-1])
