"""From the HTML that Odoo prepares for wkhtmltopdf to PDF."""

import copy
import logging
from urllib.parse import urljoin

import lxml.html

from odoo.tools import file_open

from .engine import CSS, HTML, FontConfiguration
from .page import CSS_DPI, MM_PER_INCH

_logger = logging.getLogger(__name__)

STYLESHEET = "report_weasyprint/static/src/css/report.css"
# Least distance between a high header and the text, in millimetres.
HEADER_GAP = 2
# Images kept from one document to the next (a logo is on all of them).
IMAGE_CACHE_SIZE = 64

# What each standard is to WeasyPrint.
STANDARDS = {
    "plain": {},
    "tagged": {"pdf_tags": True},
    "pdf/ua-1": {"pdf_variant": "pdf/ua-1"},
    "pdf/a-3b": {"pdf_variant": "pdf/a-3b"},
    "pdf/a-3a": {"pdf_variant": "pdf/a-3a"},
}

_HEADER_END = "report_weasyprint_header_end"


class DocumentRenderer:
    """Render the documents of one call.

    Style sheets, fonts and images are read once and shared by all documents. One
    renderer serves one thread and is thrown away after the call: Pango's font maps
    are not thread-safe.

    :param PageSetup page: geometry of every page
    :param url_fetcher: ``URLFetcher`` that reads style sheets, fonts and images
    :param str base_url: what relative addresses in the HTML are relative to
    :param str standard: key of :data:`STANDARDS`
    :param str title: title of the documents
    :param str lang: language of documents that do not tell theirs
    """

    def __init__(
        self, page, url_fetcher, base_url, standard="plain", title=None, lang=None
    ):
        self.page = page
        self.options = STANDARDS[standard]
        self.title = title
        self.lang = lang
        self.url_fetcher = url_fetcher
        self.base_url = base_url
        self._fonts = FontConfiguration()
        self._images = {}
        self._stylesheets = {}
        self._header_heights = {}
        with file_open(STYLESHEET) as file:
            self._report_css = self._parse_css(file.read())

    def render(self, body, header=None, footer=None):
        """Return the PDF of one document.

        :param str body: HTML page
        :param header: lxml element repeated at the top of each page
        :param footer: lxml element repeated at the bottom of each page
        :rtype: bytes
        """
        root = lxml.html.document_fromstring(body or "<body></body>")
        stylesheets = self._take_stylesheets(root)
        self._clean(root)
        margin_top = self.page.margin_top
        for kind, content in (("footer", footer), ("header", header)):
            if content is not None:
                root.body.insert(0, self._running_element(root, kind, content))
        if header is not None:
            height = self._header_height(root, header, stylesheets)
            margin_top = max(margin_top, self.page.header_top + height + HEADER_GAP)
        document = self._layout(root, [*stylesheets, self._page_css(margin_top)])
        pdf = document.write_pdf(zoom=self.page.scale, **self.options)
        if len(self._images) > IMAGE_CACHE_SIZE:
            self._images.clear()
        return pdf

    def _layout(self, root, stylesheets):
        return HTML(
            string=lxml.html.tostring(root, encoding="unicode"),
            base_url=self.base_url,
            url_fetcher=self.url_fetcher,
        ).render(
            font_config=self._fonts,
            stylesheets=stylesheets,
            cache=self._images,
        )

    # ------------------------------------------------------------------
    # Style sheets
    # ------------------------------------------------------------------

    def _parse_css(self, css, base_url=None):
        return CSS(
            string=css,
            base_url=base_url or self.base_url,
            url_fetcher=self.url_fetcher,
            font_config=self._fonts,
        )

    def _read_css(self, url):
        """Return a style sheet, parsed, or ``None`` if a report may not read it."""
        try:
            response = self.url_fetcher.fetch(url)
        except (OSError, ValueError) as error:
            _logger.warning("Style sheet %s was not used: %s", url, error)
            return None
        return self._parse_css(response.read().decode(errors="replace"), base_url=url)

    def _take_stylesheets(self, root):
        """Take the style sheets out of a document and return them parsed.

        Bootstrap takes longer to parse than a page to print, and WeasyPrint parses
        what it finds in a document every time.
        """
        stylesheets = []
        for node in root.xpath("//link[@rel='stylesheet'][@href] | //style"):
            if node.get("media", "all") not in ("all", "print"):
                node.drop_tree()
                continue
            source = node.get("href") or node.text or ""
            if source not in self._stylesheets:
                self._stylesheets[source] = (
                    self._read_css(urljoin(self.base_url, source))
                    if node.tag == "link"
                    else self._parse_css(source)
                )
            stylesheets.append(self._stylesheets[source])
            node.drop_tree()
        return [*filter(None, stylesheets), self._report_css]

    def _page_css(self, margin_top):
        page = self.page
        mm = page.css_length
        line = "border-bottom: 1px solid;" if page.header_line else ""
        return self._parse_css(
            f"""
            @page {{
                size: {page.css_size};
                margin: {mm(margin_top)} {mm(page.margin_right)}
                        {mm(page.margin_bottom)} {mm(page.margin_left)};
                @top-left {{
                    content: element(report-header);
                    padding-top: {mm(page.header_top)};
                    vertical-align: top;
                    width: 100%;
                    {line}
                }}
                @bottom-left {{
                    content: element(report-footer);
                    vertical-align: top;
                    width: 100%;
                }}
            }}"""
        )

    # ------------------------------------------------------------------
    # HTML
    # ------------------------------------------------------------------

    def _clean(self, root):
        """Remove what a PDF has no use for and tell the language of the text."""
        for node in root.xpath("//script | //base"):
            node.drop_tree()
        for lang in [*root.xpath("//@data-oe-lang")[:1], root.get("lang"), self.lang]:
            if lang:
                root.set("lang", lang.replace("_", "-"))
                break
        if self.title:
            self._set_title(root)

    def _set_title(self, root):
        """Screen readers and archives show the title; file names may mean nothing."""
        head = root.find("head")
        if head is None:
            head = lxml.html.Element("head")
            root.insert(0, head)
        for title in head.findall("title"):
            head.remove(title)
        title = lxml.html.Element("title")
        title.text = self.title
        head.append(title)

    def _running_element(self, root, kind, content):
        """Return the header or footer as an element outside the flow.

        It carries the classes of the body, because Odoo's style sheet gives headers
        and footers the side margins of the body they stand in.
        """
        element = lxml.html.Element("div")
        element.classes |= {*root.body.classes, f"report_weasyprint_{kind}"}
        element.append(copy.deepcopy(content))
        for number in element.find_class("page") + element.find_class("topage"):
            for child in number:
                number.remove(child)
            number.text = None
        return element

    def _header_height(self, root, header, stylesheets):
        """Measure a header, in millimetres on paper.

        wkhtmltopdf prints a header that is higher than the margin over the text.
        """
        key = lxml.html.tostring(header)
        if key not in self._header_heights:
            measured = copy.deepcopy(root)
            body = measured.body
            for child in body:
                body.remove(child)
            element = self._running_element(measured, "measure", header)
            end = lxml.html.Element("div", id=_HEADER_END)
            body.extend([element, end])
            document = self._layout(measured, [*stylesheets, self._measure_css()])
            # Without an anchor the header is higher than the sheet it is measured on.
            height = document.pages[0].anchors.get(_HEADER_END, (0, 0))[1]
            self._header_heights[key] = height / CSS_DPI * MM_PER_INCH * self.page.scale
        return self._header_heights[key]

    def _measure_css(self):
        """Style of the sheet that only holds a header.

        The white space at its end does not count: wkhtmltopdf lets the text run into
        that, and Odoo's layouts rely on it.
        """
        page = self.page
        return self._parse_css(
            f"""
            @page {{
                size: {page.css_length(page.content_width)}
                      {page.css_length(page.height)};
                margin: 0;
            }}
            .report_weasyprint_measure,
            .report_weasyprint_measure :last-child {{
                margin-bottom: 0 !important;
                padding-bottom: 0 !important;
            }}"""
        )


def running_contents(html, element_id):
    """Return the headers or footers of the documents of a report.

    Odoo gathers them in one element with an id. A caller that prepares its own
    header passes a whole page, that serves for all documents.

    :param str html: page given to wkhtmltopdf as ``--header-html`` or ``--footer-html``
    :param str element_id: the element that holds one header per document
    :return: function from the index of a document to its lxml element or ``None``
    """
    if not html:
        return lambda index: None
    body = lxml.html.document_fromstring(html).body
    gathered = body.get_element_by_id(element_id, None)
    if gathered is None:
        body.tag = "div"
        return lambda index: body
    return lambda index: gathered[index] if index < len(gathered) else None
