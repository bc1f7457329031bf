from odoo import models

from ..engine.money import round_cent
from ..engine.timeline import count_days, days_in_year, new_years, split


class OnergyContract(models.Model):
    """What use costs, told by the tariffs; see the hooks in onergy_metering."""

    _inherit = "onergy.contract"

    def _get_heat_prices(self, date_from, date_to):
        result = super()._get_heat_prices(date_from, date_to)
        for contract, timelines in self._get_timelines().items():
            heat = timelines.get("heat")
            periods = heat and self._get_price_periods(heat, date_from, date_to)
            if periods:
                result[contract.id] = periods
        return result

    def _get_price_periods(self, timeline, date_from, date_to):
        periods = []
        for first, last in split(
            date_from, date_to, timeline.changes(date_from, date_to)
        ):
            prices = [price for price in timeline.at(first, ()) if price.unit == "gj"]
            tiers = sorted((price.tier_from, price.amount) for price in prices)
            if tiers:
                periods.append((first, last, tuple(tiers)))
        return periods

    def _get_fixed_costs(self, date_from, date_to):
        """As :meth:`onergy.settlement` bills them: per component, rounded to cents.

        Nothing for a contract of which one of the prices is not known.
        """
        result = super()._get_fixed_costs(date_from, date_to)
        for contract, timelines in self._get_timelines().items():
            first = max(date_from, contract.date_start)
            last = min(date_to, contract.date_end or date_to)
            if first > last or not all(timelines.values()):
                continue
            parts = [
                self._get_fixed_parts(timeline, first, last)
                for timeline in timelines.values()
            ]
            if all(part is not None for part in parts):
                result[contract.id] = sum(parts)
        return result

    def _get_fixed_parts(self, timeline, first, last):
        """Charges per year of one component; ``None`` when a day has no price."""
        total = 0
        cuts = new_years(first, last) + timeline.changes(first, last)
        for start, end in split(first, last, cuts):
            prices = timeline.at(start)
            if not prices:
                return None
            days, year_days = count_days(start, end), days_in_year(start)
            total += sum(
                round_cent(price.amount * days / year_days)
                for price in prices
                if price.unit == "year"
            )
        return total

    def _get_timelines(self):
        """{contract: {component: Timeline}}; alike connections are looked up once."""
        Tariff = self.env["onergy.tariff"]
        tariffs, known, result = {}, {}, {}
        for contract in self:
            home, complex_ = contract.connection_id, contract.complex_id
            if complex_._is_by_costs():
                continue  # what it costs is known after the year
            if complex_ not in tariffs:
                tariffs[complex_] = Tariff._get_tariffs(complex_)
            key = (
                complex_,
                home._get_service_set(),
                home.delivery_set_id,
                home.service_cooling,
                contract._get_parts()[0],
            )
            if key not in known:
                known[key] = Tariff._get_price_timelines(
                    home, tariffs[complex_], key[-1]
                )
            result[contract] = known[key]
        return result
