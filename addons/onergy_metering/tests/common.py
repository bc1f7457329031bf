import io
from datetime import timedelta
from unittest.mock import patch

from odoo import Command, fields
from odoo.tests import TransactionCase


class MeteringCase(TransactionCase):
    """A complex with two homes, each with a heat meter in GJ."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company = cls.env.company
        cls.complex = cls.env["onergy.complex"].create(
            {
                "name": "Test complex",
                "code": "TC",
                "weather_station": "999",
                "daily_basis": "contract",
                "daily_basis_note": "Terms of supply",
            }
        )
        cls.home, cls.other_home = cls.env["onergy.connection"].create(
            [
                {
                    "complex_id": cls.complex.id,
                    "street": "Teststraat",
                    "house_number": str(number),
                    "zip": "1234 AB",
                    "city": "Teststad",
                }
                for number in (1, 2)
            ]
        )
        cls.meter = cls._create_meter("71000001", cls.home)
        cls.other_meter = cls._create_meter("71000002", cls.other_home)
        cls.loader = cls.env["onergy.reading.loader"]
        cls.plain = cls.env.ref("onergy_metering.profile_plain")

    @classmethod
    def _create_meter(cls, serial, home, date_from="2024-01-01", **values):
        meter = cls.env["onergy.meter"].create({"serial": serial, **values})
        cls.env["onergy.meter.placement"].create(
            {
                "meter_id": meter.id,
                "connection_id": home.id,
                "date_from": date_from,
            }
        )
        return meter

    @classmethod
    def _create_user(cls, login, *groups):
        return cls.env["res.users"].create(
            {
                "name": login,
                "login": login,
                "password": f"{login}-secret",
                "group_ids": [Command.set([cls.env.ref(group).id for group in groups])],
            }
        )

    @classmethod
    def _load(cls, *rows, company=None):
        """Load (serial, day, value[, unit]) rows as daily readings."""
        staged = []
        for line, (serial, day, value, *unit) in enumerate(rows, start=1):
            moment = cls.loader._day_start(fields.Date.to_date(day))
            staged.append(
                cls.loader._make_row(
                    serial, moment, value, unit[0] if unit else "GJ", line=line
                )
            )
        return cls.loader._load_rows(staged, company or cls.company, "file")

    def _as_large(self, large=True):
        """Have the next loads judged and joined as large ones."""
        judge = self.env.registry["onergy.reading.judge"]
        return patch.object(judge, "_is_large", lambda *_args: large)

    @classmethod
    def _load_daily(cls, serial, first, values):
        """Load a reading per day from ``first`` on."""
        first = fields.Date.to_date(first)
        return cls._load(
            *(
                (serial, first + timedelta(days=number), value)
                for number, value in enumerate(values)
            )
        )

    @classmethod
    def _import(cls, text, filename="day.csv", profile=None, channel="upload"):
        content = text if isinstance(text, bytes) else text.encode()
        return cls.env["onergy.reading.import"]._import_stream(
            io.BytesIO(content), filename, channel, cls.company, profile
        )

    @classmethod
    def _get_readings(cls, meter):
        """{moment text: value} of the readings in force."""
        return {
            fields.Datetime.to_string(reading.moment): reading.value
            for reading in cls.env["onergy.reading"].search(
                [("meter_id", "=", meter.id), ("superseded", "=", False)]
            )
        }

    @classmethod
    def _get_days(cls, meter):
        """{day text: (quantity, quality)}"""
        return {
            str(day.day): (round(day.quantity, 6), day.quality)
            for day in cls.env["onergy.consumption.day"].search(
                [("meter_id", "=", meter.id)]
            )
        }
