from odoo import fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL


class OnergyContractGap(models.Model):
    """Days on which nobody pays for a connection.

    Every day of a connection that is supplied should have exactly one payer. The
    database refuses two; this view lists the days that have none:

    * before the first contract, from the day the connection is supplied;
    * between two contracts;
    * after the last one, until now;
    * all days of a connection that never had a contract.
    """

    _name = "onergy.contract.gap"
    _description = "Days without a payer"
    _auto = False
    _depends = {
        "onergy.complex": ["owner_id"],
        "onergy.connection": [
            "active",
            "company_id",
            "complex_id",
            "owner_id",
            "supply_start",
        ],
        "onergy.contract": ["active", "connection_id", "date_end", "date_start"],
    }
    _order = "date_from, connection_id"
    _rec_name = "connection_id"
    _rec_names_search = ["connection_id"]

    connection_id = fields.Many2one("onergy.connection", readonly=True)
    complex_id = fields.Many2one("onergy.complex", readonly=True)
    company_id = fields.Many2one("res.company", readonly=True)
    owner_id = fields.Many2one(
        "res.partner", readonly=True, help="Who would pay during vacancy."
    )
    previous_contract_id = fields.Many2one("onergy.contract", readonly=True)
    date_from = fields.Date("From", readonly=True)
    date_to = fields.Date(
        "Until", readonly=True, help="Last day without a payer; empty while it lasts."
    )
    days = fields.Integer(
        "Days so far", readonly=True, help="Days until today that nobody has paid for."
    )
    state = fields.Selection(
        [("past", "Past"), ("open", "Now"), ("upcoming", "Upcoming")], readonly=True
    )

    @property
    def _table_query(self):
        return SQL(
            """
            WITH today AS (
                SELECT %(today)s::date AS today
            ),
            span AS (
                SELECT
                    contract.id,
                    contract.connection_id,
                    contract.date_start,
                    contract.date_end,
                    LAG(contract.id) OVER by_connection AS previous_id,
                    LEAD(contract.date_start) OVER by_connection AS next_start
                FROM onergy_contract contract
                WHERE contract.active
                WINDOW by_connection AS (
                    PARTITION BY contract.connection_id ORDER BY contract.date_start
                )
            ),
            gap AS (
                -- Ids that never meet: even after a contract, odd before the first.
                SELECT
                    span.id * 2 AS id,
                    span.connection_id,
                    span.id AS previous_contract_id,
                    span.date_end + 1 AS date_from,
                    span.next_start - 1 AS date_to
                FROM span
                WHERE span.date_end IS NOT NULL
                    AND (span.next_start IS NULL OR span.next_start > span.date_end + 1)
                UNION ALL
                SELECT
                    connection.id * 2 + 1,
                    connection.id,
                    NULL,
                    COALESCE(connection.supply_start, connection.create_date::date),
                    first.date_start - 1
                FROM onergy_connection connection
                LEFT JOIN span first
                    ON first.connection_id = connection.id AND first.previous_id IS NULL
                WHERE first.id IS NULL OR first.date_start > connection.supply_start
            )
            SELECT
                gap.id,
                gap.connection_id,
                gap.previous_contract_id,
                gap.date_from,
                gap.date_to,
                connection.complex_id,
                connection.company_id,
                COALESCE(connection.owner_id, complex.owner_id) AS owner_id,
                GREATEST(
                    0, LEAST(COALESCE(gap.date_to, today), today) - gap.date_from + 1
                ) AS days,
                CASE
                    WHEN gap.date_from > today THEN 'upcoming'
                    WHEN gap.date_to < today THEN 'past'
                    ELSE 'open'
                END AS state
            FROM gap
            JOIN onergy_connection connection ON connection.id = gap.connection_id
            JOIN onergy_complex complex ON complex.id = connection.complex_id
            CROSS JOIN today
            WHERE connection.active
            """,
            today=fields.Date.context_today(self),
        )

    def action_start_vacancy(self):
        """Let the owner pay for these days: one vacancy contract for each gap."""
        without = self.filtered(lambda gap: not gap.owner_id)
        if without:
            raise UserError(
                self.env._(
                    "No owner is known for these connections. Enter one at the "
                    "connection or at its complex:\n%(connections)s",
                    connections="\n".join(without[:10].mapped("connection_id.name")),
                )
            )
        contracts = self.env["onergy.contract"].create(
            [
                gap.connection_id._prepare_vacancy_contract(
                    gap.owner_id, gap.date_from, gap.date_to
                )
                for gap in self
            ]
        )
        return {
            "type": "ir.actions.act_window",
            "domain": [("id", "in", contracts.ids)],
            "name": self.env._("Vacancy contracts"),
            "res_model": "onergy.contract",
            "view_mode": "list,form",
        }
