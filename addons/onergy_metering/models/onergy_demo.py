import csv
from datetime import timedelta

from dateutil.relativedelta import relativedelta

from odoo import fields, models
from odoo.tools import file_open

from .onergy_degree_day import BASE_TEMPERATURE, MONTH_WEIGHTS

STATION = "260"
YEARS = 2
#: Days whose temperature the institute may still correct.
PROVISIONAL_DAYS = 10
KWH_PER_GJ = 1000 / 3.6

#: Heat for hot water, GJ per day of an average household.
HOT_WATER = 0.022
#: Heat for one weighted degree day of one square metre, GJ.
HEATING = 0.000095
#: Cooling for one degree above 18 °C of one square metre, GJ.
COOLING = 0.00009


class OnergyDemo(models.AbstractModel):
    """Meters and two years of daily readings for the demo supplier.

    The table ``demo/climate_de_bilt.csv`` holds, per calendar month of 1990-2019 at
    De Bilt, the mean temperature and its spread between years and between days (°C),
    computed from the daily figures of KNMI (CC0). Days are drawn from it.
    """

    _inherit = "onergy.demo"

    def _load_parts(self, today):
        result = super()._load_parts(today)
        meters = self.env["onergy.meter"].search_count([], limit=1)
        if self.logins() and not meters:
            self._load_metering(today)
        return result

    def _load_metering(self, today):
        first = today - relativedelta(years=YEARS)
        # The reading of yesterday's midnight is the last one: today's file is yours.
        days = [first + timedelta(days=n) for n in range((today - first).days)]
        temperatures = self._load_degree_days(days, today)
        connections = self.env["onergy.connection"].search([], order="id")
        meters = self._load_meters(connections, first)
        exchanged = self._load_exchange(connections[4], meters, days)
        rows = self._generate_rows(connections, meters, exchanged, days, temperatures)
        self._import_rows(rows + self._generate_faults(meters, rows, days))
        self._close_exchange(exchanged)

    # ------------------------------------------------------------------ weather
    def _load_degree_days(self, days, today):
        """Draw a temperature for each day; return {day: °C}."""
        rng = self._random("weather")
        with file_open("onergy_metering/demo/climate_de_bilt.csv") as file:
            climate = {
                int(line["month"]): [
                    float(line[name])
                    for name in ("mean", "between_years", "between_days")
                ]
                for line in csv.DictReader(file)
            }
        months, temperatures, drift = {}, {}, 0.0
        for day in days:
            key = day.replace(day=1)
            mean, between_years, between_days = climate[day.month]
            if key not in months:
                months[key] = rng.gauss(0, between_years * 0.7)
            # Weather lasts some days: each day keeps most of the day before.
            drift = 0.75 * drift + rng.gauss(0, between_days * 0.66)
            mean = self._interpolate(climate, day, mean)
            temperatures[day] = round(mean + months[key] + drift, 1)
        self.env["onergy.degree.day"]._load_temperatures(
            (
                STATION,
                day,
                temperature,
                day >= today - timedelta(days=PROVISIONAL_DAYS),
            )
            for day, temperature in temperatures.items()
        )
        return temperatures

    def _interpolate(self, climate, day, mean):
        """Let the month's mean hold at mid-month and glide to its neighbours."""
        offset = (day.day - 15) / 30
        month = day.month + (1 if offset > 0 else -1)
        neighbour = climate[(month - 1) % 12 + 1][0]
        return mean + (neighbour - mean) * abs(offset)

    # ------------------------------------------------------------------ meters
    def _load_meters(self, connections, first):
        """Hang a heat meter at each connection; return {connection: meter}."""
        rng = self._random("meters")
        values = []
        for number, connection in enumerate(connections, start=1):
            cooled = connection.service_cooling
            values.append(
                {
                    "serial": f"68{number:06d}",
                    "maker": rng.choice(["KAM", "LUG"]),
                    "medium": "heat_cooling" if cooled else "heat",
                    "unit": "kWh" if cooled else "GJ",
                    "step": 1 if cooled else 0.001,
                    "register_capacity": 10000000 if cooled else 100000,
                    "power": rng.choice([10, 12, 15, 20]),
                    # Two residents want no remote reading.
                    "read_mode": "refused" if number in (50, 90) else "remote",
                }
            )
        meters = self.env["onergy.meter"].create(values)
        self.env["onergy.meter.placement"].create(
            [
                {
                    "meter_id": meter.id,
                    "connection_id": connection.id,
                    "date_from": first - timedelta(days=rng.randint(30, 2500)),
                }
                for connection, meter in zip(connections, meters, strict=True)
            ]
        )
        return dict(zip(connections, meters, strict=True))

    def _load_exchange(self, connection, meters, days):
        """Plan the exchange of one meter; return (old, new, last day of the old)."""
        old = meters[connection]
        last_day = days[-250]
        new = old.copy(
            {"serial": f"69{old.serial[2:]}", "maker": "KAM", "placement_ids": False}
        )
        old.placement_ids.date_to = last_day
        self.env["onergy.meter.placement"].create(
            {
                "meter_id": new.id,
                "connection_id": connection.id,
                "date_from": last_day + timedelta(days=1),
                "start_value": 0.0,
                "has_start_value": True,
            }
        )
        return old, new, last_day

    def _close_exchange(self, exchanged):
        """Note the end reading of the old meter, and take it out of use."""
        old, _new, last_day = exchanged
        moment = self.env["onergy.reading.loader"]._day_start(
            last_day + timedelta(days=1)
        )
        reading = self.env["onergy.reading"].search(
            [("meter_id", "=", old.id), ("moment", "=", moment)]
        )
        old.placement_ids.end_value = reading.value
        old.active = False

    # ------------------------------------------------------------------ readings
    def _generate_rows(self, connections, meters, exchanged, days, temperatures):
        rng = self._random("readings")
        loader = self.env["onergy.reading.loader"]
        moments = {
            day: fields.Datetime.to_string(loader._day_start(day)) for day in days
        }
        households = self._get_households(connections, rng)
        gaps = self._plan_gaps(connections, days, rng)
        rows = []
        for connection, meter in meters.items():
            registers = ["energy", "cooling"] if meter.unit == "kWh" else ["energy"]
            for register in registers:
                values = self._generate_values(
                    connection, register, days, temperatures, households, rng
                )
                if meter == exchanged[0]:
                    rows += self._split_exchange(exchanged, days, values, moments)
                    continue
                rows += [
                    self._make_demo_row(meter, register, moments[day], value)
                    for day, value in zip(days, values, strict=True)
                    if day not in gaps.get(connection, ())
                ]
        return rows

    def _get_households(self, connections, rng):
        """Return {connection: [(first day, last day, how much they use)]}."""
        households = {connection: [] for connection in connections}
        for contract in self.env["onergy.contract"].search(
            [("connection_id", "in", connections.ids)], order="id"
        ):
            factor = 0.15 if contract.role == "vacancy" else rng.uniform(0.6, 1.45)
            households[contract.connection_id].append(
                (contract.date_start, contract.date_end, factor)
            )
        return households

    def _plan_gaps(self, connections, days, rng):
        """Return {connection: days without a reading}.

        Ten gateways were out for some days, one meter has been silent lately, and
        meters that are read by hand have a reading per month.
        """
        gaps = {}
        for connection in rng.sample(list(connections[5:]), 10):
            begin = rng.randrange(len(days) - 60)
            gaps[connection] = set(days[begin : begin + rng.randint(3, 25)])
        gaps[connections[20]] = set(days[-9:])
        for number in (50, 90):
            gaps[connections[number - 1]] = {day for day in days if day.day != 1}
        return gaps

    def _generate_values(
        self, connection, register, days, temperatures, households, rng
    ):
        """Return the register on the morning of each day, in GJ."""
        area = connection.floor_area
        total = rng.uniform(20, 320)
        periods = households[connection]
        values = []
        for day in days:
            values.append(total)
            factor = next(
                f
                for start, end, f in periods
                if start <= day and (not end or day <= end)
            )
            temperature = temperatures[day]
            if register == "cooling":
                use = max(0.0, temperature - BASE_TEMPERATURE) * COOLING * area
            else:
                cold = max(0.0, BASE_TEMPERATURE - temperature)
                use = HOT_WATER + cold * MONTH_WEIGHTS[day.month] * HEATING * area
            total += use * factor * rng.uniform(0.8, 1.2)
        return values

    def _split_exchange(self, exchanged, days, values, moments):
        """Give the old meter its days and let the new one begin at zero."""
        old, new, last_day = exchanged
        change = last_day + timedelta(days=1)
        start = values[days.index(change)]
        rows = []
        for day, value in zip(days, values, strict=True):
            if day <= change:
                rows.append(self._make_demo_row(old, "energy", moments[day], value))
            if day > change:
                rows.append(
                    self._make_demo_row(new, "energy", moments[day], value - start)
                )
        return rows

    def _make_demo_row(self, meter, register, moment, value):
        text = f"{value * KWH_PER_GJ:.0f}" if meter.unit == "kWh" else f"{value:.3f}"
        return self.env["onergy.reading.loader"]._make_row(
            meter.serial, moment, text, meter.unit, register=register
        )

    # ------------------------------------------------------------------ faults
    def _generate_faults(self, meters, rows, days):
        """Return rows that a clerk has to look at."""
        loader = self.env["onergy.reading.loader"]
        meters = list(meters.values())
        moment = fields.Datetime.to_string(
            loader._day_start(days[-2]) + timedelta(hours=6)
        )
        last = {row[1]: row[4] for row in rows if row[2] == "energy"}
        jump, back, broken = meters[12], meters[30], meters[33]
        return [
            # A number that was typed wrong.
            loader._make_row("86000013", moment, "12.345", "GJ"),
            # A gateway that was set to another unit.
            loader._make_row(
                jump.serial, moment, f"{float(last[jump.serial]) * 277.8:.0f}", "kWh"
            ),
            # A register that ran back.
            loader._make_row(
                back.serial, moment, f"{float(last[back.serial]) - 5:.3f}", "GJ"
            ),
            # A meter that reports a fault itself.
            (0, broken.serial, "energy", moment, "0.000", "GJ", "error", "", "", ""),
        ]

    def _import_rows(self, rows):
        record = self.env["onergy.reading.import"].create(
            {
                "company_id": self.env.company.id,
                "filename": "demo.csv",
                "channel": "demo",
            }
        )
        numbered = ((line, *row[1:]) for line, row in enumerate(rows, start=1))
        counts = self.env["onergy.reading.loader"]._load_rows(
            numbered, record.company_id, "demo", record.id
        )
        record._finish(
            state="done",
            rows_total=counts["total"],
            rows_new=counts["new"],
            rows_same=counts["same"],
            rows_bad=counts["bad"],
            rows_listed=counts["listed"],
        )
