from odoo import api, models
from odoo.tools import SQL


class OnergyPurge(models.AbstractModel):
    _inherit = "onergy.purge"

    @api.model
    def _get_needed_query(self, company):
        """Days that have not been billed are needed, and those of the year before.

        A bill compares its period with the same days a year earlier (Besluit factuur,
        verbruiks- en indicatief kostenoverzicht energie). Per connection: the first
        day of a contract that no posted settlement covers, less a year.
        """
        return SQL(
            """
            SELECT c.connection_id,
                   (min(candidate.day) - interval '1 year')::date AS day
              FROM onergy_contract c
             CROSS JOIN LATERAL (
                -- A gap begins with the contract or after a settlement.
                SELECT c.date_start AS day
                 UNION ALL
                SELECT s.date_to + 1 FROM onergy_settlement s
                 WHERE s.contract_id = c.id AND s.state = 'posted'
             ) candidate
             WHERE c.active AND c.company_id = %s
               AND candidate.day <= COALESCE(c.date_end, 'infinity')
               AND NOT EXISTS (
                    SELECT 1 FROM onergy_settlement s
                     WHERE s.contract_id = c.id AND s.state = 'posted'
                       AND candidate.day BETWEEN s.date_from AND s.date_to)
             GROUP BY c.connection_id
            """,
            company.id,
        )
