from werkzeug.exceptions import NotFound

from odoo.exceptions import AccessError, MissingError
from odoo.http import content_disposition, request, route

from .alerts import AlertPortal

#: Three years of months.
OVERVIEWS = 36


class OverviewPortal(AlertPortal):
    """The monthly overviews of a resident."""

    @route(
        "/my/heating/overviews",
        type="http",
        auth="user",
        website=True,
        methods=["GET"],
        readonly=True,
    )
    def portal_my_overviews(self, saved=None, **kw):
        values = self._prepare_onergy_values("heating", **kw)
        contract = values["contract"]
        if contract:
            values.update(
                saved=saved,
                overviews=request.env["onergy.month.overview"].search(
                    [("contract_id", "=", contract.id)], limit=OVERVIEWS
                ),
                wanted=contract.overview_wanted,
                changed_on=contract.overview_changed_on,
                email=contract.partner_id.email,
            )
        return request.render("onergy_metering.portal_my_overviews", values)

    @route(
        "/my/heating/overviews",
        type="http",
        auth="user",
        website=True,
        methods=["POST"],
    )
    def portal_set_overviews(self, wanted="", **kw):
        contract = self._get_selected_contract(**kw)
        if not contract or contract.state != "running":
            raise NotFound()
        # sudo: residents write no contracts; this is their own choice on their own one,
        # kept with their name
        contract.sudo()._set_overview_wanted(bool(wanted))
        query = f"&contract_id={contract.id}" if kw.get("contract_id") else ""
        return request.redirect(f"/my/heating/overviews?saved=1{query}")

    @route(
        "/my/heating/overviews/<int:overview_id>",
        type="http",
        auth="user",
        website=True,
        readonly=True,
    )
    def portal_my_overview(self, overview_id, **kw):
        overview = self._get_overview(overview_id)
        kw["contract_id"] = overview.contract_id.id
        return request.render(
            "onergy_metering.portal_my_overview",
            {
                **self._prepare_onergy_values("heating", **kw),
                "overview": overview._get_content(),
                "overview_id": overview.id,
                "for_mail": False,
            },
        )

    @route(
        "/my/heating/overviews/<int:overview_id>/pdf",
        type="http",
        auth="user",
        website=True,
        readonly=True,
    )
    def portal_my_overview_pdf(self, overview_id, **kw):
        overview = self._get_overview(overview_id)
        # sudo: a report reads the company's layout; access was checked above
        pdf, _type = (
            request.env["ir.actions.report"]
            .sudo()
            ._render_qweb_pdf(
                "onergy_metering.action_report_month_overview", overview.ids
            )
        )
        name = f"{overview.contract_id.name}-{overview.month:%Y-%m}.pdf"
        return request.make_response(
            pdf,
            headers=[
                ("Content-Type", "application/pdf"),
                ("Content-Disposition", content_disposition(name)),
            ],
        )

    def _get_overview(self, overview_id):
        """An overview of one of his contracts; staff have their own list."""
        contracts = self._get_portal_contracts()
        try:
            overview = self._document_check_access("onergy.month.overview", overview_id)
        except (AccessError, MissingError) as error:
            raise NotFound() from error
        if overview.contract_id not in contracts:
            raise NotFound()
        return overview.with_context(lang=request.env.lang)
