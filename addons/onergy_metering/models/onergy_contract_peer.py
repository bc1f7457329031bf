from decimal import Decimal

from dateutil.relativedelta import relativedelta

from odoo import models
from odoo.tools import format_date

from ..parsers.units import gj_to_kwh


class OnergyContract(models.Model):
    """Comparison with similar homes; see ``onergy.peer.use``."""

    _inherit = "onergy.contract"

    def _get_peers(self, charts, use, last_day, unit):
        """The last whole month beside similar homes; adds them to charts of months.

        Of similar homes there are no euros: their use is told, not their bill.

        :return: dict with ``text``, and ``why_not`` in its place where nothing is told
        """
        month = (last_day + relativedelta(days=1)).replace(day=1)
        month -= relativedelta(months=1)
        monthly = [chart for chart in charts if chart["view"] == "month"]
        firsts = [chart["rows"][0]["day"] for chart in monthly]
        averages = self.env["onergy.peer.use"]._get_averages(
            self.connection_id, min([month, *firsts]), max([last_day, *firsts])
        )
        known = {day: Decimal(str(gj)) for (_home, day), gj in averages.items()}
        if unit != "EUR":
            for chart in monthly:
                self._add_peers(chart, known, unit)
        if month not in known:
            return {"text": "", "why_not": self._get_no_peers_reason()}
        return {"text": self._describe_peers(month, known[month], use, unit)}

    def _add_peers(self, chart, known, unit):
        for row in chart["rows"]:
            amount = known.get(row["day"])
            if amount is not None and unit == "kWh":
                amount = gj_to_kwh(amount)
            row["peers"] = None if amount is None else round(float(amount), 4)
            row["text_peers"] = self._format_use(amount, unit)
        chart["has_peers"] = any(row["peers"] is not None for row in chart["rows"])

    def _describe_peers(self, month, average, use, unit):
        days = [
            day for day in use if (day.year, day.month) == (month.year, month.month)
        ]
        own = sum(use[day][0] for day in days)
        shown = "kWh" if unit == "kWh" else "GJ"
        convert = gj_to_kwh if shown == "kWh" else Decimal
        words = {
            "month": format_date(self.env, month, date_format="MMMM"),
            "average": self._format_use(convert(average), shown),
            "own": self._format_use(convert(own), shown),
        }
        whole = month >= self.date_start
        if not whole or len(days) < (month + relativedelta(day=31)).day:
            return self.env._(
                "In %(month)s homes like yours used %(average)s on average.", **words
            )
        percent = round(100 * (own - average) / average) if average else 0
        if percent > 0:
            return self.env._(
                "In %(month)s homes like yours used %(average)s on average. You used "
                "%(own)s: %(percent)s%% more.",
                percent=percent,
                **words,
            )
        if percent < 0:
            return self.env._(
                "In %(month)s homes like yours used %(average)s on average. You used "
                "%(own)s: %(percent)s%% less.",
                percent=-percent,
                **words,
            )
        return self.env._(
            "In %(month)s homes like yours used %(average)s on average, as much as "
            "you.",
            **words,
        )

    def _get_no_peers_reason(self):
        if not self.connection_id.floor_area:
            return self.env._(
                "We cannot compare your home, because we do not know its floor area."
            )
        return self.env._(
            "There is nothing to compare with. We compare only when we know the use of "
            "at least ten homes like yours. Otherwise you could see what a neighbour "
            "uses."
        )
