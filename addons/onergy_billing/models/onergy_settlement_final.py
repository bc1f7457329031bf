import logging
from datetime import timedelta

from psycopg2 import OperationalError

from odoo import api, fields, models

_logger = logging.getLogger(__name__)

#: Days after the end of a contract in which its last readings come in.
WAIT_DAYS = 7


class OnergySettlementFinal(models.Model):
    """Final bills are worked out by themselves; a person approves them."""

    _inherit = "onergy.settlement.run"

    @api.model
    def _cron_final_bills(self):
        """Work out the final bills of contracts that ended a week ago or longer.

        The law gives six weeks after the end of a contract (Warmtewet, articles 2 and
        8b). What was worked out once is not due any more, so running twice makes
        nothing; what cannot be billed yet waits in the run, with the reason.
        """
        limit = fields.Date.context_today(self) - timedelta(days=WAIT_DAYS)
        self.env.flush_all()
        due = self.env["onergy.settlement.due"]._read_group(
            [
                # Where actual costs are billed, these are known after the year.
                ("complex_id.regime", "=", "warmtewet"),
                ("contract_id.date_end", "<=", limit),
                ("date_to", "<=", limit),
            ],
            ["company_id"],
            ["contract_id:recordset"],
        )
        for company, contracts in due:
            if not company.onergy_plan_final_bills:
                continue
            try:
                with self.env.cr.savepoint():
                    self._make_final_run(company, contracts, limit)
            except OperationalError:
                raise  # of the database or of two at once: the job is done again
            except Exception:  # of one company must not stop the others
                _logger.exception("The final bills of %s were not made", company)

    def _make_final_run(self, company, contracts, limit):
        run = self.with_company(company).create(
            {
                "company_id": company.id,
                # A year that was not billed yet comes before the final bill.
                "kind": "due",
                "date_until": limit,
                "contract_ids": [fields.Command.set(contracts.ids)],
            }
        )
        run.action_calculate()
