from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.fields import Domain

from .onergy_purge import BATCH


class OnergyPurgePersonal(models.AbstractModel):
    """What people told us about themselves and others, beside their questions."""

    _inherit = "onergy.purge"

    @api.model
    def _get_kinds(self, company):
        today = fields.Date.context_today(self)
        before = today - relativedelta(months=company.onergy_keep_request_months)
        return {
            **super()._get_kinds(company),
            "move": today - relativedelta(months=company._onergy_get_move_months()),
            "move_sheet": before,
            "access_grant": before,
            "erasure": before,
        }

    # ------------------------------------------------------------------ moves

    @api.model
    def _get_move_domain(self, company, before):
        """Moves that are over; one still open counts from its last day."""
        over = Domain("state", "=", "done") & Domain("date_done", "<", before)
        over |= Domain("state", "=", "cancelled")
        over |= Domain("date_end", "<", before)
        return (
            Domain("company_id", "=", company.id)
            & Domain("forgotten", "=", False)
            & Domain("write_date", "<", before)
            & over
        )

    @api.model
    def _count_move(self, company, before):
        return self.env["onergy.move"].search_count(
            self._get_move_domain(company, before)
        )

    @api.model
    def _purge_move(self, company, before):
        moves = self.env["onergy.move"].search(
            self._get_move_domain(company, before), limit=BATCH
        )
        moves._forget()
        return len(moves) or None

    # ------------------------------------------------------------------ spreadsheets

    @api.model
    def _get_move_sheet_domain(self, company, before):
        return [("company_id", "=", company.id), ("sent_on", "<", before)]

    @api.model
    def _count_move_sheet(self, company, before):
        return self.env["onergy.move.sheet"].search_count(
            self._get_move_sheet_domain(company, before)
        )

    @api.model
    def _purge_move_sheet(self, company, before):
        sheets = self.env["onergy.move.sheet"].search(
            self._get_move_sheet_domain(company, before), limit=BATCH
        )
        count = len(sheets) or None
        sheets.unlink()
        return count

    # ------------------------------------------------------------------ access

    @api.model
    def _get_access_grant_domain(self, company, before):
        over = Domain("revoked_on", "<", before) | Domain("date_to", "<", before)
        return Domain("company_id", "=", company.id) & over

    @api.model
    def _count_access_grant(self, company, before):
        return self.env["onergy.access.grant"].search_count(
            self._get_access_grant_domain(company, before)
        )

    @api.model
    def _purge_access_grant(self, company, before):
        grants = self.env["onergy.access.grant"].search(
            self._get_access_grant_domain(company, before), limit=BATCH
        )
        count = len(grants) or None
        grants._forget()
        return count

    # ------------------------------------------------------------------ erasure

    @api.model
    def _get_erasure_domain(self, company, before):
        said = Domain.OR(
            Domain(name, "!=", False) for name in ("reason", "answer", "message_ids")
        )
        return (
            Domain("company_id", "=", company.id)
            & Domain("state", "!=", "new")
            & Domain("date_decided", "<", before)
            & said
        )

    @api.model
    def _count_erasure(self, company, before):
        return self.env["onergy.erasure"].search_count(
            self._get_erasure_domain(company, before)
        )

    @api.model
    def _purge_erasure(self, company, before):
        erasures = self.env["onergy.erasure"].search(
            self._get_erasure_domain(company, before), limit=BATCH
        )
        erasures._forget()
        return len(erasures) or None
