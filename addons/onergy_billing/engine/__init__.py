"""Rules of billing heat, without Odoo: dates, Decimals and plain data only.

Everything that ends up on a bill is worked out here, so that each rule can be read
and tested by itself. Amounts are in euro including VAT unless said otherwise, energy
in GJ, days are dates at 00:00 local time, and ``end`` is the last day, included.
"""

from .allocate import Cost, NothingMetered, Share, allocate
from .forecast import advance_advice, advance_band, year_cost
from .meters import Mark, MeterPeriod, MissingReading, Reading, Weights
from .money import CENT, net_of, round_cent, spread
from .outage import outage_compensation
from .rating import Line, MissingPrice, Price, Supply, get_use, rate_supply
from .settle import Advance, Bill, VatPart, difference
from .timeline import Timeline, days_in_year, split
