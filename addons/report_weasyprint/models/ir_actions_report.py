import io
from urllib.parse import urlsplit

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools.pdf import merge_pdf

from ..tools import engine
from ..tools.page import PageSetup
from ..tools.renderer import DocumentRenderer, running_contents
from ..tools.url_fetcher import ReportURLFetcher


class IrActionsReport(models.Model):
    _inherit = "ir.actions.report"

    pdf_engine = fields.Selection(
        selection="_get_pdf_engines",
        string="PDF Engine",
        help="Program that prints this report. Empty: the one of the general settings.",
    )

    pdf_standard = fields.Selection(
        selection="_get_pdf_standards",
        string="PDF Standard",
        help="What the PDF has to be good for. Empty: as in the general settings. "
        "Only WeasyPrint knows standards.",
    )

    @api.model
    def _get_pdf_standards(self):
        return [
            ("plain", self.env._("None: the smallest file")),
            ("tagged", self.env._("Tagged: screen readers can read it")),
            ("pdf/ua-1", self.env._("PDF/UA-1: says of itself that it is accessible")),
            ("pdf/a-3b", self.env._("PDF/A-3b: to keep for years")),
            ("pdf/a-3a", self.env._("PDF/A-3a: to keep for years, and tagged")),
        ]

    def _get_pdf_standard(self):
        """Return the standard of this report; of an empty recordset: the default."""
        # sudo: everybody who prints needs to know, system parameters are restricted.
        parameters = self.env["ir.config_parameter"].sudo()
        return self.pdf_standard or parameters.get_param(
            "report_weasyprint.pdf_standard", "tagged"
        )

    @api.model
    def _get_pdf_engines(self):
        return [("weasyprint", "WeasyPrint"), ("wkhtmltopdf", "wkhtmltopdf")]

    def _get_pdf_engine(self):
        """Return the engine of this report; of an empty recordset: the default."""
        # sudo: everybody who prints needs to know, system parameters are restricted.
        parameters = self.env["ir.config_parameter"].sudo()
        return self.pdf_engine or parameters.get_param(
            "report_weasyprint.pdf_engine", "weasyprint"
        )

    @api.model
    def get_wkhtmltopdf_state(self):
        """Return the state of the engine, in Odoo's terms.

        The web client asks for it before it knows the report, and then means the
        default engine. Where that is missing while some report uses the other one,
        the answer is "ok": a report that cannot be printed says so itself.
        """
        printing_with = self.env.context.get("report_pdf_engine")
        if printing_with == "weasyprint":
            # Its own error is clearer than one about wkhtmltopdf.
            return "ok"
        if not printing_with and self.browse()._get_pdf_engine() == "weasyprint":
            return "ok" if engine.available else "install"
        state = super().get_wkhtmltopdf_state()
        if state == "install" and not printing_with and engine.available:
            # sudo: any user may know whether some report uses WeasyPrint.
            reports = self.sudo()
            if reports.search_count([("pdf_engine", "=", "weasyprint")], limit=1):
                return "ok"
        return state

    def _render_qweb_pdf_prepare_streams(self, report_ref, data, res_ids=None):
        """Print every record to a PDF of its own.

        Odoo prints all records to one PDF and cuts it up afterwards, where it finds
        a heading. That loses what belongs to the whole of a PDF and fails when a
        record has no heading, or two.
        """
        report = self._get_report(report_ref)
        pdf_engine = report._get_pdf_engine()
        self = self.with_context(report_pdf_engine=pdf_engine)
        is_list = res_ids and 1 < len(res_ids) == len(set(res_ids))
        if pdf_engine != "weasyprint" or not is_list:
            return super()._render_qweb_pdf_prepare_streams(
                report_ref, data, res_ids=res_ids
            )
        streams = {}
        for record in self.env[report.model].browse(res_ids):
            attachment = self._get_saved_pdf(report, record)
            streams[record.id] = {"stream": None, "attachment": attachment}
            if attachment and report.attachment_use:
                # Odoo reads the attachment, nothing is printed.
                streams |= super()._render_qweb_pdf_prepare_streams(
                    report_ref, data, res_ids=record.ids
                )
        to_print = [res_id for res_id in streams if not streams[res_id]["stream"]]
        if not to_print:
            return streams
        documents = self._print_weasyprint_documents(report, data, to_print)
        if documents.keys() != set(to_print):
            # One document for all of the records: a list, a sheet of labels.
            return super()._render_qweb_pdf_prepare_streams(
                report_ref, data, res_ids=res_ids
            )
        for res_id, document in documents.items():
            streams[res_id]["stream"] = io.BytesIO(document)
        return streams

    def _get_saved_pdf(self, report, record):
        """Return the attachment that holds the report of a record, or ``None``."""
        if not report.attachment or self.env.context.get("report_pdf_no_attachment"):
            return None
        return report.retrieve_attachment(record)

    def _print_weasyprint_documents(self, report, data, res_ids):
        """Print the documents of several records.

        :param report: the report (with sudo)
        :return: PDF by record id; empty if the template does not tell which part
            belongs to which record
        :rtype: dict[int, bytes]
        """
        # Asset bundles come in one file each, unless debug mode asks for the parts.
        data = {"debug": False, **(data or {}), "report_type": "pdf"}
        html = self.with_context(debug=False)._render_qweb_html(
            report, res_ids, data=data
        )[0]
        bodies, html_ids, header, footer, arguments = report.with_context(
            debug=False
        )._prepare_html(html, report_model=report.model)
        if set(html_ids) - {None} != set(res_ids):
            return {}
        pages = report._run_weasyprint(
            bodies,
            report.get_paperformat(),
            header=header,
            footer=footer,
            landscape=self.env.context.get("landscape"),
            arguments=arguments,
        )
        # A part without a record (an annex, a cover) stays with its neighbour.
        res_id = next(filter(None, html_ids))
        documents = {}
        for html_id, pdf in zip(html_ids, pages, strict=True):
            res_id = html_id or res_id
            documents.setdefault(res_id, []).append(pdf)
        return {
            res_id: parts[0] if len(parts) == 1 else merge_pdf(parts)
            for res_id, parts in documents.items()
        }

    @api.model
    def _get_folder_color(self, company):
        """Return the colour of the shapes of the "folder" layout: 8 % of the primary.

        The style sheet web.styles_company_report mixes the same.
        """
        red_green_blue = bytes.fromhex((company.primary_color or "#212529")[1:7])
        return "#" + bytes(round(255 - (255 - c) * 0.08) for c in red_green_blue).hex()

    @api.model
    def _run_wkhtmltopdf(
        self,
        bodies,
        report_ref=False,
        header=None,
        footer=None,
        landscape=False,
        specific_paperformat_args=None,
        set_viewport_size=False,
    ):
        report = self._get_report(report_ref) if report_ref else self
        if report._get_pdf_engine() != "weasyprint":
            return super()._run_wkhtmltopdf(
                bodies,
                report_ref=report_ref,
                header=header,
                footer=footer,
                landscape=landscape,
                specific_paperformat_args=specific_paperformat_args,
                set_viewport_size=set_viewport_size,
            )
        documents = list(
            report._run_weasyprint(
                bodies,
                report.get_paperformat(),
                header=header,
                footer=footer,
                landscape=landscape,
                arguments=specific_paperformat_args,
            )
        )
        return documents[0] if len(documents) == 1 else merge_pdf(documents)

    def _run_weasyprint(
        self,
        bodies,
        paperformat,
        header=None,
        footer=None,
        landscape=None,
        arguments=None,
    ):
        """Print HTML documents to the standard of this report.

        :param bodies: HTML of each document
        :param paperformat: ``report.paperformat``, may be empty
        :param str header: HTML with the headers of all documents
        :param str footer: HTML with the footers of all documents
        :param bool landscape: force landscape
        :param dict arguments: ``data-report-*`` attributes of the report
        :return: generator of the PDF of each document, as bytes
        :raises UserError: if WeasyPrint cannot run on this server
        """
        if not engine.available:
            raise UserError(
                self.env._(
                    "WeasyPrint cannot run on this server, so the PDF cannot be made. "
                    "Ask your administrator to install the Python package weasyprint "
                    "and the system library Pango."
                )
            )
        base_url = (self._get_layout() or self).get_base_url()
        hosts = [urlsplit(url).netloc for url in (base_url, self._get_report_url())]
        renderer = DocumentRenderer(
            PageSetup.from_paperformat(paperformat, landscape, arguments),
            ReportURLFetcher(self.env, hosts),
            base_url,
            standard=self._get_pdf_standard(),
            title=self.name,
            lang=self.env.lang or "en_US",
        )
        headers = running_contents(header, "minimal_layout_report_headers")
        footers = running_contents(footer, "minimal_layout_report_footers")
        for index, body in enumerate(bodies):
            yield renderer.render(body, headers(index), footers(index))
