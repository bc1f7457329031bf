from odoo import fields
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.http import content_disposition, request, route

from odoo.addons.portal.controllers.portal import pager

from ..models.onergy_move_sheet import MAX_SHEET_MB
from .access import OnergyPortalAccess

HOMES_URL = "/my/homes"
HOMES_PER_PAGE = 50
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class OnergyPortalLandlord(OnergyPortalAccess):
    """The homes of somebody with many of them, and their bulk start and stop."""

    # ------------------------------------------------------------------
    # LIST
    # ------------------------------------------------------------------

    @route(
        [HOMES_URL, f"{HOMES_URL}/page/<int:page>"],
        type="http",
        auth="user",
        website=True,
        methods=["GET"],
        readonly=True,
    )
    def portal_my_homes(self, page=1, search="", **kw):
        return self._render_homes(page, search.strip()[:120], **kw)

    def _render_homes(self, page=1, search="", errors=None, **kw):
        values = self._prepare_onergy_values("data")
        all_homes = homes = self._get_homes()
        if search:
            homes = homes.filtered_domain([("name", "ilike", search)])
        values["pager"] = pager(
            url=HOMES_URL,
            url_args={"search": search} if search else {},
            total=len(homes),
            page=page,
            step=HOMES_PER_PAGE,
        )
        offset = values["pager"]["offset"]
        shown = homes[offset : offset + HOMES_PER_PAGE]
        values.update(
            homes=shown,
            home_count=len(homes),
            periods=self._get_periods(shown, values["contracts"]),
            search=search,
            is_landlord=self._is_landlord(all_homes),
            errors=errors or {},
            max_sheet_mb=MAX_SHEET_MB,
        )
        return request.render("onergy_residents.portal_my_homes", values)

    def _get_homes(self):
        """Return the homes that are his or that he has paid for, as superuser.

        Their addresses may be shown; of who else pays only that somebody does.
        """
        debtor = request.env.user.commercial_partner_id
        # sudo: an owner may not read the homes that his tenants pay for
        return request.env["onergy.connection"].sudo()._get_landlord_homes(debtor)

    def _is_landlord(self, homes):
        """Tell whether somebody with these homes starts and stops by spreadsheet.

        Who has one home that is another's reports a move on its page.
        """
        debtor = request.env.user.commercial_partner_id.sudo()  # sudo: to compare
        return len(homes) > 1 or any(home._is_owned_by(debtor) for home in homes)

    def _get_periods(self, homes, contracts):
        """Return per home id his own contracts there, and whether it is let or free.

        Of another payer only that there is one, and that to the owner alone.
        """
        own = contracts.grouped("connection_id")
        today = fields.Date.context_today(request.env.user)
        running = homes.contract_ids.filtered(
            lambda c: c.date_start <= today and (not c.date_end or c.date_end >= today)
        )
        running_homes = running.connection_id
        debtor = request.env.user.commercial_partner_id.sudo()  # sudo: to compare
        let = {c.connection_id.id for c in running} - {
            c.connection_id.id for c in contracts if c.state == "running"
        }
        return {
            home.id: {
                "own": own.get(home.with_env(request.env), contracts.browse()).sorted(
                    "date_start", reverse=True
                ),
                # Who merely lived there before does not learn who came after him.
                "is_let": home.id in let and home._is_owned_by(debtor),
                "is_free": home._is_owned_by(debtor) and home not in running_homes,
            }
            for home in homes
        }

    # ------------------------------------------------------------------
    # SPREADSHEET
    # ------------------------------------------------------------------

    @route(
        f"{HOMES_URL}/template",
        type="http",
        auth="user",
        website=True,
        methods=["GET"],
        readonly=True,
        sitemap=False,
    )
    def portal_homes_template(self, **kw):
        """Download a workbook with a line for each home, to fill in."""
        Sheet = request.env["onergy.move.sheet"].sudo()  # sudo: texts only
        homes = self._get_homes()
        if not self._is_landlord(homes):
            raise request.not_found()
        name = request.env._("homes")
        return request.make_response(
            Sheet._write_workbook(homes),
            headers=[
                ("Content-Type", XLSX),
                ("Content-Disposition", content_disposition(f"{name}.xlsx")),
                ("Cache-Control", "no-store, private"),
            ],
        )

    @route(
        f"{HOMES_URL}/upload",
        type="http",
        auth="user",
        website=True,
        methods=["POST"],
        sitemap=False,
    )
    def portal_upload_homes(self, sheet=None, **post):
        if not self._is_landlord(self._get_homes()):
            raise request.not_found()
        content = sheet.read(MAX_SHEET_MB * 1024**2 + 1) if sheet else b""
        try:
            # sudo: residents may not write this; each row is checked against his homes
            record = request.env["onergy.move.sheet"].sudo()
            record = record._read(
                request.env.user.partner_id, content, sheet and sheet.filename[:120]
            )
        except UserError as error:
            return self._render_homes(errors={"sheet": str(error)})
        return request.redirect(f"{HOMES_URL}/sheet/{record.id}", code=303)

    def _get_sheet(self, sheet_id):
        """Return a sheet of his own as superuser, or nothing."""
        # sudo: residents have no rights on sheets; the domain keeps it to his own
        return (
            request.env["onergy.move.sheet"]
            .sudo()
            .search(
                Domain("id", "=", sheet_id)
                & Domain("partner_id", "=", request.env.user.partner_id.id)
            )
        )

    @route(
        f"{HOMES_URL}/sheet/<int:sheet_id>",
        type="http",
        auth="user",
        website=True,
        methods=["GET"],
        readonly=True,
        sitemap=False,
    )
    def portal_homes_sheet(self, sheet_id, **kw):
        record = self._get_sheet(sheet_id)
        if not record:
            return request.redirect(HOMES_URL)
        values = self._prepare_onergy_values("data")
        values["sheet"] = record
        return request.render("onergy_residents.portal_homes_sheet", values)

    @route(
        f"{HOMES_URL}/sheet/<int:sheet_id>/send",
        type="http",
        auth="user",
        website=True,
        methods=["POST"],
        sitemap=False,
    )
    def portal_send_sheet(self, sheet_id, **post):
        record = self._get_sheet(sheet_id)
        if record:
            record._send()
        return request.redirect(f"{HOMES_URL}/sheet/{sheet_id}", code=303)
