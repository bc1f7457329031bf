from odoo import api, fields, models
from odoo.tools import SQL

#: Context key with the day of which open items are shown; today without it.
AS_OF = "onergy_as_of"

AGES = [
    ("0", "Not due"),
    ("1", "1-30 days"),
    ("2", "31-60 days"),
    ("3", "61-90 days"),
    ("4", "More than 90 days"),
]


class OnergyOpenItem(models.Model):
    """What debtors had to pay on a day, per journal item.

    The day is in the context, so that lists, pivots, graphs and exports of Odoo all
    show the same day. What was paid later counts as open; an entry with a later date
    does not count.
    """

    _name = "onergy.open.item"
    _description = "Open item on a day"
    _auto = False
    _order = "date_due, id"
    _rec_name = "move_id"
    _rec_names_search = ["move_id", "partner_id"]
    _depends = {
        "account.move": ["name", "onergy_contract_id", "onergy_move_kind"],
        "account.move.line": [
            "account_id",
            "balance",
            "company_id",
            "date",
            "date_maturity",
            "parent_state",
            "partner_id",
        ],
        "account.partial.reconcile": [
            "amount",
            "credit_move_id",
            "debit_move_id",
            "max_date",
        ],
        "onergy.contract": ["connection_id", "complex_id"],
        "res.partner": ["debtor_number"],
    }

    move_id = fields.Many2one("account.move", "Document", readonly=True)
    partner_id = fields.Many2one("res.partner", "Debtor", readonly=True)
    debtor_number = fields.Char(readonly=True)
    company_id = fields.Many2one("res.company", readonly=True)
    currency_id = fields.Many2one("res.currency", readonly=True)
    contract_id = fields.Many2one("onergy.contract", readonly=True)
    connection_id = fields.Many2one("onergy.connection", "Address", readonly=True)
    complex_id = fields.Many2one("onergy.complex", readonly=True)
    kind = fields.Selection(
        selection=lambda self: (
            self.env["account.move"]
            ._fields["onergy_move_kind"]
            ._description_selection(self.env)
        ),
        readonly=True,
    )
    date = fields.Date(readonly=True)
    date_due = fields.Date("Due date", readonly=True)
    days_late = fields.Integer("Days late", readonly=True, aggregator="max")
    age = fields.Selection(AGES, readonly=True)
    amount = fields.Monetary(readonly=True)
    residual = fields.Monetary("Open", readonly=True)

    @api.model
    def _get_items(self, day):
        """SQL of all items on debtors' accounts with what was open on a day.

        It ends with its conditions, so that others can be added with ``AND``.
        """
        return SQL(
            """
            SELECT l.id, l.partner_id, l.move_id, l.company_id, l.date,
                   COALESCE(l.date_maturity, l.date) AS due, l.balance,
                   l.balance
                   - COALESCE((SELECT sum(p.amount) FROM account_partial_reconcile p
                                WHERE p.debit_move_id = l.id
                                  AND p.max_date <= %(day)s), 0)
                   + COALESCE((SELECT sum(p.amount) FROM account_partial_reconcile p
                                WHERE p.credit_move_id = l.id
                                  AND p.max_date <= %(day)s), 0) AS residual
              FROM account_move_line l
              JOIN account_account a ON a.id = l.account_id
             WHERE a.account_type = 'asset_receivable' AND l.parent_state = 'posted'
               AND l.date <= %(day)s
            """,
            day=day,
        )

    @property
    def _table_query(self):
        today = fields.Date.context_today(self)
        day = fields.Date.to_date(self.env.context.get(AS_OF)) or today
        return SQL(
            """
            SELECT i.id, i.move_id, i.partner_id, p.debtor_number, i.company_id,
                   co.currency_id, k.id AS contract_id, k.connection_id, k.complex_id,
                   m.onergy_move_kind AS kind, i.date, i.due AS date_due,
                   GREATEST(%(day)s - i.due, 0) AS days_late,
                   CASE WHEN i.due >= %(day)s THEN '0'
                        WHEN i.due >= %(day)s - 30 THEN '1'
                        WHEN i.due >= %(day)s - 60 THEN '2'
                        WHEN i.due >= %(day)s - 90 THEN '3'
                        ELSE '4' END AS age,
                   i.balance AS amount, i.residual
              FROM (%(items)s) i
              JOIN account_move m ON m.id = i.move_id
              JOIN res_company co ON co.id = i.company_id
              LEFT JOIN onergy_contract k ON k.id = m.onergy_contract_id
              LEFT JOIN res_partner p ON p.id = i.partner_id
             WHERE round(i.residual, 2) <> 0
            """,
            day=SQL("%s::date", day),
            items=self._get_items(day),
        )

    def action_open_move(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "account.move",
            "res_id": self.move_id.id,
            "view_mode": "form",
        }
