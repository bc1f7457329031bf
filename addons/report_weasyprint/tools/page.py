"""From Odoo's paper format to a CSS page."""

from dataclasses import dataclass

from odoo.addons.base.models.report_paperformat import PAPER_SIZES

MM_PER_INCH = 25.4
POINTS_PER_INCH = 72
# CSS pixels per inch.
CSS_DPI = 96
# WebKit lays a page out 1.25 times wider than the paper and shrinks the result.
# Odoo's report templates are drawn for that width ("smart shrinking").
SMART_SHRINKING = 0.8

_SIZES = {size["key"]: size for size in PAPER_SIZES}


@dataclass(frozen=True)
class PageSetup:
    """Geometry of every page of a report, in millimetres on paper.

    :param header_top: distance from the edge of the paper to the header
    :param scale: size on paper of one CSS pixel, relative to 1/96 inch
    """

    width: float = 210
    height: float = 297
    margin_top: float = 10
    margin_right: float = 10
    margin_bottom: float = 10
    margin_left: float = 10
    header_top: float = 0
    header_line: bool = False
    scale: float = SMART_SHRINKING

    @classmethod
    def from_paperformat(cls, paperformat, landscape=None, arguments=None):
        """Read a ``report.paperformat``, as wkhtmltopdf would.

        :param paperformat: ``report.paperformat`` record, may be empty
        :param landscape: force landscape; ``None`` leaves it to the other sources
        :param dict arguments: ``data-report-*`` attributes of the report's ``<html>``,
            which take precedence over the paper format
        """
        arguments = arguments or {}
        landscape = landscape or arguments.get("data-report-landscape")
        landscape = landscape or paperformat.orientation == "Landscape"
        if not paperformat:
            page = cls()
            return cls(page.height, page.width) if landscape else page
        width, height = cls._paper_size(paperformat)
        if landscape:
            width, height = height, width
        margin_top = float(
            arguments.get("data-report-margin-top", paperformat.margin_top)
        )
        spacing = float(
            arguments.get("data-report-header-spacing", paperformat.header_spacing)
        )
        dpi = int(arguments.get("data-report-dpi") or paperformat.dpi or CSS_DPI)
        return cls(
            width=width,
            height=height,
            margin_top=margin_top,
            margin_right=paperformat.margin_right,
            margin_bottom=float(
                arguments.get("data-report-margin-bottom", paperformat.margin_bottom)
            ),
            margin_left=paperformat.margin_left,
            header_top=max(margin_top - spacing, 0),
            header_line=paperformat.header_line,
            scale=CSS_DPI
            / dpi
            * (1 if paperformat.disable_shrinking else SMART_SHRINKING),
        )

    @classmethod
    def _paper_size(cls, paperformat):
        """Return the portrait width and height of the paper."""
        if paperformat.format == "custom":
            size = paperformat.page_width, paperformat.page_height
            if all(size):
                return size
        elif paperformat.format in _SIZES:
            size = _SIZES[paperformat.format]
            return size["width"], size["height"]
        return cls.width, cls.height

    def css_length(self, length):
        """Convert millimetres on paper to a CSS length before scaling."""
        return f"{length / self.scale:.4f}mm"

    @property
    def css_size(self):
        """CSS size of the page before scaling: whole points on paper.

        Programs that recognise paper by its size expect A4 to be 595 by 842.
        """
        return " ".join(
            f"{round(length / MM_PER_INCH * POINTS_PER_INCH) / self.scale:.9f}pt"
            for length in (self.width, self.height)
        )

    @property
    def content_width(self):
        """Width between the margins, in millimetres on paper."""
        return self.width - self.margin_left - self.margin_right
