from odoo import models
from odoo.tools import SQL

from .onergy_settlement_meters import REGISTER_COMPONENTS


class OnergyVeeWatch(models.AbstractModel):
    _inherit = "onergy.vee.watch"

    def _get_watch_queries(self, company, today):
        return [
            *super()._get_watch_queries(company, today),
            self._get_estimated_bills_query(company),
        ]

    def _get_estimated_bills_query(self, company):
        """Meters whose last bills all ended with an estimate, more than allowed.

        A correction that was made with a real reading ends the row. The day of the
        first estimate stands for the episode: a fourth bill is no new work item.
        """
        return SQL(
            """
            WITH closing AS (
                SELECT DISTINCT ON (s.id, r.serial, r.component)
                       r.serial, r.component, r.day, r.basis = 'estimated' AS estimated
                  FROM onergy_settlement s
                  JOIN onergy_settlement_reading r ON r.settlement_id = s.id
                 WHERE s.company_id = %(company)s AND s.state = 'posted'
                 ORDER BY s.id, r.serial, r.component, r.day DESC
            ), told AS (
                SELECT serial, component, day, bool_and(estimated) AS estimated
                  FROM closing GROUP BY serial, component, day
            ), bill AS (
                SELECT *, max(day) FILTER (WHERE NOT estimated)
                          OVER (PARTITION BY serial, component) AS measured
                  FROM told
            )
            SELECT r.code, r.id, m.id, register.name, max(bill.day) AS day,
                   NULL::numeric, NULL::numeric, min(bill.day)
              FROM bill
              JOIN (VALUES %(registers)s) register(name, component)
                ON register.component = bill.component
              JOIN onergy_meter m
                ON m.company_id = %(company)s AND m.serial = bill.serial AND m.active
              JOIN onergy_vee_now r
                ON r.code = 'estimated' AND bill.day >= r.date_from
               AND bill.day <= COALESCE(r.date_to, 'infinity')
             WHERE bill.measured IS NULL OR bill.day > bill.measured
             GROUP BY r.code, r.id, r.threshold, m.id, register.name
            HAVING count(*) > r.threshold
            """,
            company=company.id,
            registers=SQL(", ").join(
                SQL("(%s, %s)", register, component)
                for register, component in REGISTER_COMPONENTS.items()
            ),
        )
