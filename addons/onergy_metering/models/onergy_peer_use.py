from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.tools import SQL

from odoo.addons.onergy_residents.models.onergy_connection import DWELLING_TYPES

#: Homes of that many different payers make a group; of fewer nothing is told.
GROUP_SIZE = 10
#: A home that uses more of the whole than this could be told from the average.
LARGEST_SHARE = 0.5
#: Days after a month before its average is made, for late readings.
DELAY_DAYS = 3
#: Homes are alike when their floor is of the same class, m².
AREA_BOUNDS = (50, 75, 100, 125, 150)
AREA_CLASSES = [
    ("0", "Up to 50 m²"),
    ("50", "50 to 75 m²"),
    ("75", "75 to 100 m²"),
    ("100", "100 to 125 m²"),
    ("125", "125 to 150 m²"),
    ("150", "150 m² and more"),
]


class OnergyPeerUse(models.Model):
    """What similar homes used on average in a month.

    Alike are homes of the same complex, dwelling type and class of floor area. Where
    a complex has too few of them, what is left of all complexes under the same
    regime is one group (``complex_id`` is empty).

    Nobody learns what a neighbour uses. A group is of ten payers or more, none of whom
    uses more than half; a home is in one group only, so that no average can be taken
    from another; and a month is worked out once, so that a home that comes later
    cannot be told from how the average moved. Groups that are too small are kept
    without an average, for staff to see.
    """

    _name = "onergy.peer.use"
    _description = "Use of similar homes"
    _log_access = False
    _order = "month desc, complex_id, dwelling_type, area_class"
    _rec_name = "month"

    company_id = fields.Many2one(
        "res.company", required=True, index=True, ondelete="cascade", readonly=True
    )
    month = fields.Date(required=True, readonly=True, help="First day of the month.")
    complex_id = fields.Many2one(
        "onergy.complex",
        ondelete="cascade",
        index=True,
        readonly=True,
        help="Empty: the homes of all complexes that have too few of this kind.",
    )
    regime = fields.Selection(
        selection=lambda self: (
            self.env["onergy.complex"]
            ._fields["regime"]
            ._description_selection(self.env)
        ),
        required=True,
        readonly=True,
    )
    dwelling_type = fields.Selection(DWELLING_TYPES, required=True, readonly=True)
    area_class = fields.Selection(
        AREA_CLASSES, "Floor area", required=True, readonly=True
    )
    homes = fields.Integer(required=True, readonly=True)
    payers = fields.Integer("Different payers", required=True, readonly=True)
    average = fields.Float(
        "Average (GJ)",
        digits=(16, 3),
        readonly=True,
        aggregator=None,
        help="Empty: the group is too small, or one home uses too much of it.",
    )
    has_average = fields.Boolean("Told to residents", readonly=True)

    _group_uniq = models.UniqueIndex(
        "(company_id, month, COALESCE(complex_id, 0), regime, dwelling_type, "
        "area_class)"
    )

    @api.model
    def _cron_compute(self):
        """Work out the last month for each company that has not had it yet."""
        today = fields.Date.context_today(self)
        month = today.replace(day=1) - relativedelta(months=1)
        if today.day <= DELAY_DAYS:
            return
        for company in self.env["res.company"].search([]):
            self._compute_month(company, month)
            self.env["ir.cron"]._commit_progress(1)

    @api.model
    def _is_computed(self, company, month):
        return bool(
            self.search_count(
                [("company_id", "=", company.id), ("month", "=", month)], limit=1
            )
        )

    @api.model
    def _compute_month(self, company, month):
        """Work out a month of a company, once: what was told is never told anew.

        Homes count whose every day of the month is known and is paid by one resident;
        those that stand empty or whose floor area is not known do not.

        :param date month: its first day
        """
        if self._is_computed(company, month):
            return
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                WITH home AS (
                    SELECT h.id, h.complex_id, x.regime, h.dwelling_type,
                           %(area_class)s AS area_class, p.commercial_partner_id,
                           sum(m.quantity) AS quantity
                      FROM onergy_connection h
                      JOIN onergy_complex x ON x.id = h.complex_id
                      JOIN onergy_contract c
                        ON c.connection_id = h.id AND c.active
                       AND c.role <> 'vacancy' AND c.date_start <= %(first)s
                       AND (c.date_end IS NULL OR c.date_end >= %(last)s)
                      JOIN res_partner p ON p.id = c.partner_id
                      JOIN onergy_consumption_month m
                        ON m.connection_id = h.id AND m.month = %(first)s
                       AND m.register = 'energy'
                     WHERE h.company_id = %(company)s AND h.active
                       AND h.floor_area > 0
                     GROUP BY h.id, x.regime, p.commercial_partner_id
                    HAVING sum(m.days) >= %(days)s AND sum(m.quantity) > 0
                ), own AS (
                    -- The homes of each complex, and whether they are a group.
                    SELECT complex_id, regime, dwelling_type, area_class,
                           %(figures)s
                      FROM home
                     GROUP BY complex_id, regime, dwelling_type, area_class
                ), pooled AS (
                    SELECT NULL::int AS complex_id, home.regime, home.dwelling_type,
                           home.area_class, %(figures)s
                      FROM home
                      JOIN own USING (complex_id, regime, dwelling_type, area_class)
                     WHERE own.payers < %(size)s
                     GROUP BY home.regime, home.dwelling_type, home.area_class
                )
                INSERT INTO onergy_peer_use (
                    company_id, month, complex_id, regime, dwelling_type, area_class,
                    homes, payers, has_average, average)
                SELECT %(company)s, %(first)s, complex_id, regime, dwelling_type,
                       area_class, homes, payers, told,
                       CASE WHEN told THEN round(total / homes, 3) END
                  FROM (SELECT * FROM own WHERE payers >= %(size)s
                        UNION ALL SELECT * FROM pooled) every,
                       LATERAL (SELECT payers >= %(size)s
                                   AND largest <= %(share)s * total AS told) judged
                ON CONFLICT DO NOTHING
                """,
                area_class=self._get_area_class_sql(SQL("h.floor_area")),
                figures=SQL(
                    "count(*) AS homes, count(DISTINCT commercial_partner_id) "
                    "AS payers, sum(quantity) AS total, max(quantity) AS largest"
                ),
                company=company.id,
                first=month,
                last=month + relativedelta(day=31),
                days=(month + relativedelta(day=31)).day,
                size=GROUP_SIZE,
                share=LARGEST_SHARE,
            )
        )
        self.invalidate_model()

    @api.model
    def _get_area_class_sql(self, area):
        cases = [
            SQL("WHEN %s >= %s THEN %s", area, b, str(b)) for b in AREA_BOUNDS[::-1]
        ]
        return SQL("CASE %s ELSE '0' END", SQL(" ").join(cases))

    @api.model
    def _get_area_class(self, area):
        """Class of a floor area in m², ``False`` when it is not known."""
        if not area:
            return False
        return str(max((bound for bound in AREA_BOUNDS if area >= bound), default=0))

    @api.model
    def _get_averages(self, connections, first, last):
        """What homes like these used, of many connections at once.

        :param date first: first day of the first month
        :param date last: any day of the last month
        :return: ``{(connection id, month): GJ}`` where an average is told
        """
        groups = {}
        for record in self.search_fetch(
            [
                ("company_id", "in", connections.company_id.ids),
                ("month", ">=", first),
                ("month", "<=", last),
                ("complex_id", "in", [False, *connections.complex_id.ids]),
            ],
            ["company_id", "month", "complex_id", "regime", "dwelling_type"]
            + ["area_class", "average", "has_average"],
        ):
            groups[
                record.company_id,
                record.month,
                record.complex_id,
                record.regime,
                record.dwelling_type,
                record.area_class,
            ] = record
        result = {}
        nowhere = self.env["onergy.complex"]
        for month in {key[1] for key in groups}:
            for home in connections:
                kind = (
                    home.complex_id.regime,
                    home.dwelling_type,
                    self._get_area_class(home.floor_area),
                )
                group = groups.get(
                    (home.company_id, month, home.complex_id, *kind)
                ) or groups.get((home.company_id, month, nowhere, *kind))
                if group and group.has_average:
                    result[home.id, month] = group.average
        return result
