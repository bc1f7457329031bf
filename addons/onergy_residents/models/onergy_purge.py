import logging

from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

_logger = logging.getLogger(__name__)

# Requests and residents take some dozens of statements each.
BATCH = 100
LINES_PER_BATCH = 10_000


class OnergyPurge(models.AbstractModel):
    """Removes what has been kept long enough, kind by kind, and leaves a log.

    A kind is a method ``_purge_<kind>(company, before)`` that removes a batch and
    returns how many went, ``None`` when nothing is left, and
    ``_count_<kind>(company, before)`` that only counts. ``before`` is a date: what is
    older may go. Addons add kinds with :meth:`_get_kinds`.
    """

    _name = "onergy.purge"
    _description = "Removal of old data"

    @api.model
    def _get_kinds(self, company):
        """Hook: return dict of kind -> date before which it may go."""
        today = fields.Date.context_today(self)
        months = {
            "access_log": company.onergy_keep_access_log_months,
            "request": company.onergy_keep_request_months,
        }
        return {
            **{
                kind: today - relativedelta(months=number)
                for kind, number in months.items()
            },
            # Counted from the end of the year of the last bill: AWR article 52(4).
            "resident": today.replace(month=1, day=1)
            - relativedelta(years=company.onergy_keep_billing_years),
        }

    @api.model
    def _cron_purge(self):
        """Purge every company, batch by batch, until the time of the cron is over."""
        cron = self.env["ir.cron"]
        for company in self.env["res.company"].search([]):
            purge = self.with_company(company)
            for kind, before in purge._get_kinds(company).items():
                if not purge._purge_kind(kind, company, before):
                    cron._commit_progress(remaining=1)
                    return

    @api.model
    def _purge_kind(self, kind, company, before):
        """Remove one kind; return False if there was no time for all of it."""
        cron = self.env["ir.cron"]
        total, finished = 0, True
        purge = getattr(self, f"_purge_{kind}")
        while finished and (count := purge(company, before)) is not None:
            total += count
            finished = bool(cron._commit_progress(count))
        if total:
            self.env["onergy.purge.log"].create(
                {
                    "company_id": company.id,
                    "kind": kind,
                    "before": before,
                    "count": total,
                }
            )
            cron._commit_progress()
            _logger.info("Purged %s of %s before %s", total, kind, before)
        return finished

    @api.model
    def _preview(self, company):
        """Log for each kind how much would go now; nothing is removed."""
        purge = self.with_company(company)
        return self.env["onergy.purge.log"].create(
            [
                {
                    "company_id": company.id,
                    "kind": kind,
                    "before": before,
                    "count": getattr(purge, f"_count_{kind}")(company, before),
                    "is_preview": True,
                }
                for kind, before in purge._get_kinds(company).items()
            ]
        )

    # ------------------------------------------------------------------ access log

    @api.model
    def _get_access_log_query(self, company, before):
        return SQL(
            """
            SELECT id FROM onergy_access_log
             WHERE moment < %s AND (company_id = %s OR company_id IS NULL)
            """,
            before,
            company.id,
        )

    @api.model
    def _count_access_log(self, company, before):
        query = self._get_access_log_query(company, before)
        return self._count(query)

    @api.model
    def _purge_access_log(self, company, before):
        query = self._get_access_log_query(company, before)
        self.env.cr.execute(
            SQL(
                "DELETE FROM onergy_access_log WHERE id IN (%s LIMIT %s)",
                query,
                LINES_PER_BATCH,
            )
        )
        return self.env.cr.rowcount or None

    @api.model
    def _count(self, query):
        self.env.flush_all()
        [[number]] = self.env.execute_query(
            SQL("SELECT count(*) FROM (%s) counted", query)
        )
        return number

    # ------------------------------------------------------------------ requests

    @api.model
    def _get_request_domain(self, company, before):
        """Closed ones, and those whose answer nobody ever came back to."""
        closed = Domain("state", "=", "closed") & Domain("date_closed", "<", before)
        left = Domain("state", "=", "answered") & Domain("write_date", "<", before)
        return Domain("company_id", "=", company.id) & (closed | left)

    @api.model
    def _count_request(self, company, before):
        requests = self.env["onergy.request"].with_context(active_test=False)
        return requests.search_count(self._get_request_domain(company, before))

    @api.model
    def _purge_request(self, company, before):
        requests = self.env["onergy.request"].with_context(active_test=False)
        old = requests.search(self._get_request_domain(company, before), limit=BATCH)
        count = len(old) or None
        old.attachment_ids.unlink()
        old.unlink()
        return count

    # ------------------------------------------------------------------ residents

    @api.model
    def _get_resident_query(self, company, before):
        """Payers whose last contract and bill are both older than the books need.

        What another company supplied or billed is judged by that company's years.
        """
        return SQL(
            """
            SELECT p.id FROM res_partner p
             WHERE p.onergy_anonymised IS NOT TRUE
               AND EXISTS (
                    SELECT 1 FROM onergy_contract c
                     WHERE c.partner_id = p.id AND c.company_id = %(company)s)
               AND NOT EXISTS (
                    SELECT 1 FROM onergy_contract c
                      JOIN res_company o ON o.id = c.company_id
                     WHERE c.partner_id = p.id
                       AND (c.date_end IS NULL OR c.date_end >= %(before_of_o)s))
               AND NOT EXISTS (
                    SELECT 1 FROM account_move m
                      JOIN res_company o ON o.id = m.company_id
                     WHERE m.commercial_partner_id = p.commercial_partner_id
                       AND (m.date >= %(before_of_o)s OR m.payment_state IN (
                            'not_paid', 'partial', 'in_payment')
                            AND m.state = 'posted' AND m.amount_residual <> 0))
               AND NOT EXISTS (
                    SELECT 1 FROM res_users u
                     WHERE u.partner_id = p.id AND u.share IS NOT TRUE AND u.active)
            """,
            company=company.id,
            before_of_o=SQL(
                "(%s + make_interval(years => %s - o.onergy_keep_billing_years))",
                before,
                company.onergy_keep_billing_years,
            ),
        )

    @api.model
    def _count_resident(self, company, before):
        return self._count(self._get_resident_query(company, before))

    @api.model
    def _purge_resident(self, company, before):
        query = SQL(
            "%s ORDER BY p.id LIMIT %s",
            self._get_resident_query(company, before),
            BATCH,
        )
        self.env.flush_all()
        ids = [partner_id for [partner_id] in self.env.execute_query(query)]
        partners = self.env["res.partner"].with_context(active_test=False).browse(ids)
        partners._onergy_anonymise()
        return len(ids) or None
