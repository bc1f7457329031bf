from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal

from odoo import models
from odoo.tools import format_amount

CENT = Decimal("0.01")


class OnergyContract(models.Model):
    """What heat costs. Metering knows no prices: an addon that does fills the hooks."""

    _inherit = "onergy.contract"

    def _get_heat_prices(self, date_from, date_to):
        """Prices of heat on some days, of many contracts at once.

        :return: ``{contract id: [(first day, last day, tiers)]}`` in order of time;
            tiers are ``(GJ a calendar year from which, euros per GJ including VAT)``,
            both ``Decimal``, the first from zero. Days and contracts without a price
            are left out.
        """
        return {}

    def _get_fixed_costs(self, date_from, date_to):
        """What is paid for some days whatever the use, of many contracts at once.

        :return: ``{contract id: Decimal euros including VAT}``
        """
        return {}

    def _get_tier_start(self, day):
        """First day whose use counts for the price on ``day``.

        Tiers are of the use in a calendar year, of this contract alone.
        """
        self.ensure_one()
        return max(self.date_start, day.replace(month=1, day=1))

    def _price_days(self, quantities, prices):
        """What each day costs, exact and not rounded.

        :param dict quantities: ``{day: GJ as Decimal}`` from :meth:`_get_tier_start` on
        :param list prices: as of :meth:`_get_heat_prices`
        :return: ``{day: Decimal}`` without the days that have no price
        """
        costs, used = {}, defaultdict(Decimal)
        for day in sorted(quantities):
            low = used[day.year]
            high = used[day.year] = low + quantities[day]
            tiers = next(
                (tiers for first, last, tiers in prices if first <= day <= last), ()
            )
            if tiers:
                roofs = [floor for floor, _price in tiers[1:]] + [high]
                costs[day] = sum(
                    price * max(Decimal(0), min(high, roof) - max(low, floor))
                    for (floor, price), roof in zip(tiers, roofs, strict=True)
                )
        return costs

    def _format_cost(self, amount):
        """An amount in euros as text; halves of a cent go up, as on the bill."""
        rounded = amount.quantize(CENT, ROUND_HALF_UP)
        return format_amount(self.env, float(rounded), self.company_id.currency_id)
