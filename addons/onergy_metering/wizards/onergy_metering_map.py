from odoo import api, fields, models
from odoo.tools import SQL, groupby

from ..models.midnights import local

#: From so many days on a silence is one of a week, and a long one.
WEEK, LONG = 3, 8


class OnergyMeteringMap(models.TransientModel):
    """The addresses of a complex with the silence of their meters.

    A plan by street and number: drawn from the addresses alone, so that no map server
    outside is told where the supplier's meters are.
    """

    _name = "onergy.metering.map"
    _description = "Map of silent meters"

    complex_id = fields.Many2one("onergy.complex", required=True)
    map_data = fields.Json(compute="_compute_map_data")

    @api.depends("complex_id")
    def _compute_display_name(self):
        for record in self:
            record.display_name = self.env._(
                "Silent meters: %s", record.complex_id.name or ""
            )

    @api.depends("complex_id")
    def _compute_map_data(self):
        for record in self:
            record.map_data = record._get_map() if record.complex_id else False

    def _get_map(self):
        """``legend``, ``streets`` with their ``homes``, and ``texts``, for the page."""
        homes = [self._describe(row) for row in self._get_rows()]
        counts = {}
        for home in homes:
            counts[home["level"]] = counts.get(home["level"], 0) + 1
        return {
            "legend": [
                {"code": code, "sign": sign, "label": label, "count": counts[code]}
                for code, sign, label in self._get_levels()
                if counts.get(code)
            ],
            "streets": [
                {"name": street, "homes": group}
                for street, group in groupby(homes, key=lambda home: home["street"])
            ],
            "texts": {
                "only_silent": self.env._("Only what is silent"),
                "empty": self.env._("No address to show: nothing is silent."),
            },
        }

    @api.model
    def _get_levels(self):
        """(code, sign, what it means)"""
        _ = self.env._
        return [
            ("read", "✓", _("Read")),
            ("day", "!", _("Silent for 1 or 2 days")),
            ("week", "!!", _("Silent for 3 to 7 days")),
            ("long", "!!!", _("Silent for 8 days or more")),
            ("never", "?", _("Never read")),
            ("hand", "✎", _("Read by hand")),
            ("none", "–", _("No meter")),
        ]

    def _get_rows(self):
        """Connections in the order of the street, each with its most silent meter.

        No reading is read: the registers know when their last one was.
        """
        self.complex_id.check_access("read")
        self.env.flush_all()
        today = fields.Date.context_today(self)
        return self.env.execute_query_dict(
            SQL(
                """
                SELECT c.id, c.street, c.zip, c.city,
                       c.house_number, c.house_addition, m.meter_id, m.serial,
                       m.read_mode, %(today)s - %(day)s - 1 AS days,
                       m.last IS NULL AS never
                  FROM onergy_connection c
                  LEFT JOIN LATERAL (
                      SELECT m.id AS meter_id, m.serial, m.read_mode, st.last
                        FROM onergy_meter_placement p
                        JOIN onergy_meter m ON m.id = p.meter_id AND m.active
                        LEFT JOIN LATERAL (
                            SELECT max(last_moment) AS last
                              FROM onergy_meter_register st WHERE st.meter_id = m.id
                        ) st ON TRUE
                       WHERE p.connection_id = c.id AND p.date_from <= %(today)s
                         AND (p.date_to IS NULL OR p.date_to >= %(today)s)
                       ORDER BY m.read_mode <> 'remote', st.last NULLS FIRST, m.id
                       LIMIT 1
                  ) m ON TRUE
                 WHERE c.complex_id = %(complex)s AND c.active
                   AND c.company_id = ANY(%(companies)s)
                 ORDER BY c.street, c.city, c.house_number_sort, c.house_number,
                          c.house_addition NULLS FIRST, c.id
                """,
                today=today,
                day=SQL("(%s)::date", local(SQL("m.last"))),
                complex=self.complex_id.id,
                companies=self.env.companies.ids,
            )
        )

    def _describe(self, row):
        level, text = self._get_level(row)
        number = "".join(
            filter(None, [row["house_number"], row["house_addition"] or ""])
        )
        means = {code: label for code, _sign, label in self._get_levels()}[level]
        if level in ("day", "week", "long"):
            means = self.env._("Silent for %s days", row["days"])
        return {
            "key": row["id"],
            "street": row["street"],
            "number": number,
            "level": level,
            "text": text,
            "silent": level in ("day", "week", "long", "never"),
            "label": " – ".join(
                filter(None, [f"{row['street']} {number}", row["serial"], means])
            ),
            "model": "onergy.meter" if row["meter_id"] else "onergy.connection",
            "id": row["meter_id"] or row["id"],
        }

    def _get_level(self, row):
        """(code, short text) of one address.

        A reading of today or yesterday is in time: a day file comes in the next
        morning.
        """
        if not row["meter_id"]:
            return "none", "–"
        if row["read_mode"] != "remote":
            return "hand", "✎"
        if row["never"]:
            return "never", "?"
        days = row["days"]
        if days < 1:
            return "read", "✓"
        text = self.env._("%s d", days)
        if days < WEEK:
            return "day", f"! {text}"
        return ("week", f"!! {text}") if days < LONG else ("long", f"!!! {text}")
