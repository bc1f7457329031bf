from werkzeug.wsgi import wrap_file

from odoo import http
from odoo.http import content_disposition, request

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class MeteringExport(http.Controller):
    @http.route(
        "/onergy/metering/export/<int:export_id>",
        type="http",
        auth="user",
        methods=["GET"],
        readonly=True,
    )
    def export(self, export_id, **_kw):
        """The workbook of an export that the user prepared himself."""
        export = request.env["onergy.metering.export"].search(
            [("id", "=", export_id), ("create_uid", "=", request.env.uid)]
        )
        if not export:
            raise request.not_found()
        workbook = export._write_workbook()
        response = request.make_response(
            None,
            headers=[
                ("Content-Type", XLSX),
                ("Content-Disposition", content_disposition(export._get_filename())),
            ],
        )
        response.response = wrap_file(request.httprequest.environ, workbook)
        response.direct_passthrough = True
        return response
