from odoo import fields, models
from odoo.tools import SQL

#: Warmtewet, articles 2 and 8b: six weeks after the contract year or contract end.
DEADLINE_DAYS = 42
#: Service costs: six months after the year.
COST_DEADLINE_MONTHS = 6


class OnergySettlementDue(models.Model):
    """Periods of contracts that have ended and have no bill yet, or none any more.

    The next period of a contract begins after the last one that was billed and ends
    with the billing year or the contract. A period of which the bill was credited as a
    whole is due again, until a new bill waits in a run.
    """

    _name = "onergy.settlement.due"
    _description = "Period without a bill"
    _auto = False
    _order = "deadline, contract_id"
    _rec_name = "contract_id"

    contract_id = fields.Many2one("onergy.contract", readonly=True)
    connection_id = fields.Many2one("onergy.connection", readonly=True)
    complex_id = fields.Many2one("onergy.complex", readonly=True)
    company_id = fields.Many2one("res.company", readonly=True)
    partner_id = fields.Many2one("res.partner", "Payer", readonly=True)
    date_from = fields.Date("From", readonly=True)
    date_to = fields.Date("Until", readonly=True)
    deadline = fields.Date("Bill before", readonly=True)
    is_final = fields.Boolean("Final bill", readonly=True)
    settlement_id = fields.Many2one("onergy.settlement", readonly=True)
    move_id = fields.Many2one(
        "account.move",
        "Credited bill",
        readonly=True,
        help="The bill of these days was credited. The next run bills them anew.",
    )
    days_left = fields.Integer(readonly=True, aggregator="min")

    @property
    def _table_query(self):
        return SQL(
            """
            WITH open_period AS (
                SELECT c.id, c.connection_id, c.complex_id, c.company_id,
                       c.partner_id, c.date_start, c.date_end, x.billing_cycle,
                       x.billing_month::int AS month, x.regime,
                       GREATEST(c.date_start, co.onergy_billing_start,
                                last.date_to + 1) AS date_from
                  FROM onergy_contract c
                  JOIN onergy_complex x ON x.id = c.complex_id
                  JOIN res_company co ON co.id = c.company_id
                  LEFT JOIN LATERAL (
                      SELECT max(s.date_to) AS date_to FROM onergy_settlement s
                       WHERE s.contract_id = c.id AND s.original_id IS NULL
                         AND s.state <> 'cancelled' AND s.part <> 'owner'
                  ) last ON TRUE
                 WHERE c.active
            ), cycle AS (
                SELECT p.*,
                       CASE WHEN billing_cycle = 'anniversary' THEN
                           -- Of 29 February it is the 28th in most years.
                           CASE WHEN anniversary > date_from THEN anniversary
                                ELSE (date_start + make_interval(years => years + 1)
                                     )::date END
                       ELSE make_date(
                           extract(year FROM date_from)::int
                           + (extract(month FROM date_from) >= month)::int, month, 1)
                       END AS next_start
                  FROM open_period p
                 CROSS JOIN LATERAL (
                      SELECT (extract(year FROM date_from)
                              - extract(year FROM date_start))::int AS years
                 ) since
                 CROSS JOIN LATERAL (
                      SELECT (date_start + make_interval(years => years))::date
                             AS anniversary
                 ) this_year
                 WHERE date_end IS NULL OR date_end >= date_from
            ), period AS (
                SELECT *, LEAST(next_start - 1, date_end) AS date_to,
                       CASE WHEN regime = 'warmtewet'
                            THEN LEAST(next_start - 1, date_end) + %(days)s
                            ELSE (next_start + make_interval(months => %(months)s)
                                 )::date - 1
                       END AS deadline
                  FROM cycle
            )
            -- Odd and even: rows of credited bills and of contracts.
            SELECT 2 * id AS id, id AS contract_id, connection_id, complex_id,
                   company_id, partner_id, date_from, date_to,
                   deadline, deadline - CURRENT_DATE AS days_left,
                   COALESCE(date_to = date_end, FALSE) AS is_final,
                   NULL::int AS settlement_id, NULL::int AS move_id
              FROM period WHERE date_to < CURRENT_DATE
             UNION ALL
            SELECT 2 * s.id + 1, s.contract_id, s.connection_id, s.complex_id,
                   s.company_id, s.partner_id, s.date_from, s.date_to,
                   s.deadline, s.deadline - CURRENT_DATE, s.is_final, s.id, s.move_id
              FROM onergy_settlement s
             WHERE %(is_unbilled)s
               AND NOT EXISTS (
                   SELECT 1 FROM onergy_settlement waiting
                    WHERE waiting.original_id = s.id
                      AND waiting.state IN ('blocked', 'ready'))
            """,
            is_unbilled=self.env["onergy.settlement"]._get_unbilled_condition(),
            days=DEADLINE_DAYS,
            months=COST_DEADLINE_MONTHS,
        )

    def action_open_contract(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "onergy.contract",
            "res_id": self.contract_id.id,
            "view_mode": "form",
        }
