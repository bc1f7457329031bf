from odoo import fields
from odoo.fields import Domain
from odoo.http import request, route
from odoo.tools import plaintext2html

from .request import MAX_SUBJECT, OnergyPortalRequest

NOTICES_URL = "/my/notices"
FAULT_URL = "/my/fault"
# What residents look back for; older ones stay with the supplier.
NOTICES_ON_PAGE = 30


class OnergyPortalNotice(OnergyPortalRequest):
    """Works and outages that a resident is told about, and the fault he reports."""

    # ------------------------------------------------------------------
    # HOME
    # ------------------------------------------------------------------

    def _get_home_steps(self, contract, values):
        notices = request.env["onergy.notice"]._get_current(contract)
        return [
            *map(
                self._get_notice_step,
                notices.sorted(lambda notice: notice.kind != "outage"),
            ),
            *super()._get_home_steps(contract, values),
        ]

    def _get_notice_step(self, notice):
        text = request.env._(
            "%(subject)s, %(period)s",
            subject=notice.name,
            period=notice._get_period_text(),
        )
        return {
            "text": text,
            "url": f"{NOTICES_URL}#onergy_notice_{notice.id}",
            "label": request.env._("Read more"),
            "is_urgent": notice.kind == "outage",
        }

    # ------------------------------------------------------------------
    # NOTICES
    # ------------------------------------------------------------------

    @route(NOTICES_URL, type="http", auth="user", website=True, readonly=True)
    def portal_my_notices(self, **kw):
        values = self._prepare_onergy_values("notices", **kw)
        contract = values["contract"]
        notices = request.env["onergy.notice"]
        if contract:
            notices = notices.search(
                Domain("delivery_ids.contract_id", "=", contract.id)
                & Domain("state", "!=", "draft"),
                limit=NOTICES_ON_PAGE,
            )
        return request.render(
            "onergy_residents.portal_my_notices",
            {**values, **self._prepare_notice_values(contract, notices)},
        )

    def _prepare_notice_values(self, contract, notices):
        """Return the notices, those that still matter first; other addons add to it."""
        current = notices.filtered(
            lambda notice: (
                notice.state == "published"
                and (
                    notice.kind == "outage"
                    or not notice.date_end
                    or notice.date_end >= fields.Datetime.now()
                )
            )
        )
        return {
            "current_notices": current.sorted("date_start"),
            "past_notices": notices - current,
            "notice_remarks": {},
        }

    # ------------------------------------------------------------------
    # FAULT
    # ------------------------------------------------------------------

    @route(FAULT_URL, type="http", auth="user", website=True, methods=["GET"])
    def portal_fault(self, **kw):
        return self._render_fault(kw)

    @route(
        FAULT_URL,
        type="http",
        auth="user",
        website=True,
        methods=["POST"],
        sitemap=False,
    )
    def portal_report_fault(self, **post):
        contract = self._get_selected_contract(**post)
        typed, errors = self._check_fault(post)
        files = self._read_files(errors)
        if errors:
            return self._render_fault(post, typed, errors)
        # sudo: residents may not write requests; each value is checked above
        Request = request.env["onergy.request"].sudo()
        label = dict(Request._fields["fault_kind"]._description_selection(request.env))
        record = Request.create(
            {
                "subject": label[typed["fault_kind"]],
                "category": "fault",
                "fault_kind": typed["fault_kind"],
                "description": plaintext2html(
                    typed["text"] or label[typed["fault_kind"]]
                ),
                "phone": typed["phone"],
                "channel": "portal",
                "partner_id": request.env.user.partner_id.id,
                "contract_id": contract.id,
                "company_id": (contract.company_id or request.env.company).id,
            }
        )
        record.attachment_ids = record._create_attachments(files)
        record._send_acknowledgement()
        return request.redirect(f"{record.access_url}?done=sent", code=303)

    def _check_fault(self, post):
        """Return what was typed, and what is wrong with it by field."""
        typed = {
            name: (post.get(name) or "").strip()
            for name in ("fault_kind", "text", "phone")
        }
        typed["phone"] = typed["phone"][:MAX_SUBJECT]
        errors = {}
        kinds = request.env["onergy.request"]._fields["fault_kind"]
        if typed["fault_kind"] not in kinds.get_values(request.env):
            errors["fault_kind"] = request.env._("Choose what is wrong.")
        if typed["text"]:
            self._check_text(typed["text"], errors)
        return typed, errors

    def _render_fault(self, parameters, typed=None, errors=None):
        values = self._prepare_onergy_values(
            "requests", contract_id=parameters.get("contract_id")
        )
        contract = values["contract"]
        Request = request.env["onergy.request"]
        kinds = Request._fields["fault_kind"]._description_selection(request.env)
        company = contract.company_id or request.env.company
        values.update(
            typed=typed or {"phone": request.env.user.partner_id.phone},
            errors=errors or {},
            fault_kinds=kinds,
            # sudo: the supplier's telephone number is for everybody
            fault_phone=company.sudo()._onergy_get_fault_phone(),
            outages=request.env["onergy.notice"]
            ._get_current(contract)
            .filtered(lambda notice: notice.date_start <= fields.Datetime.now()),
            **self._prepare_file_values(),
        )
        return request.render("onergy_residents.portal_fault", values)
