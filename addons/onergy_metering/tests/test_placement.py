from odoo.tests import Form, tagged

from .common import MeteringCase


@tagged("post_install", "-at_install")
class TestPlacement(MeteringCase):
    """Start and end values of placements among the readings."""

    def setUp(self):
        super().setUp()
        self.placement = self.meter.placement_ids

    def _get_in_force(self):
        """[(day, value, unit, origin)] of the meter's readings in force."""
        readings = self.env["onergy.reading"].search(
            [("meter_id", "=", self.meter.id), ("superseded", "=", False)],
            order="moment",
        )
        return [
            (str(reading.moment.date()), reading.value, reading.unit, reading.origin)
            for reading in readings
        ]

    def _change_unit(self, day, old_value, new_unit, new_value):
        self.env["onergy.meter.unit.change"].create(
            {
                "meter_id": self.meter.id,
                "date": day,
                "old_value": old_value,
                "new_unit": new_unit,
                "new_value": new_value,
                "reason": "Set by the installer",
            }
        ).action_apply()

    def test_values_stay_in_the_unit_of_their_time(self):
        """100 MWh at the start do not become 100 GJ when the meter comes down."""
        self.meter.unit = "MWh"
        self.placement.write({"start_value": 100})
        self._change_unit("2025-01-01", 110, "GJ", 396)
        self.placement.write({"date_to": "2025-12-31", "end_value": 400})
        expected = [
            ("2023-12-31", 100, "MWh", "placement"),
            ("2024-12-31", 396, "GJ", "manual"),
            ("2025-12-31", 400, "GJ", "placement"),
        ]
        self.assertEqual(self._get_in_force(), expected)
        self.assertEqual(self.placement.unit, "MWh → GJ")
        self.placement.write({"start_value": 101})
        self.assertEqual(
            self._get_in_force(),
            [("2023-12-31", 101, "MWh", "placement"), *expected[1:]],
        )

    def test_unit_in_a_new_form(self):
        form = Form(self.env["onergy.meter.placement"])
        self.assertFalse(form.unit)
        form.meter_id = self.meter
        self.assertEqual(form.unit, "GJ")

    def test_last_value_in_the_old_unit(self):
        """A meter that came down before its unit changed hung there in the old one."""
        self.placement.write({"date_to": "2024-06-30"})
        self._change_unit("2024-08-01", 36, "MWh", 10)
        self.placement.write({"end_value": 36})
        self.assertEqual(
            self._get_in_force(),
            [
                ("2024-06-30", 36, "GJ", "placement"),
                ("2024-07-31", 10, "MWh", "manual"),
            ],
        )

    def test_correction_by_a_person_outlives_another_change(self):
        self.placement.write({"start_value": 100})
        moment = self.loader._day_start(self.placement.date_from)
        self.loader._set_reading(
            self.meter, "energy", moment, 101.0, "GJ", "manual", reason="Photo"
        )
        self.placement.write({"date_to": "2025-12-31", "end_value": 400})
        self.assertEqual(
            self._get_in_force(),
            [
                ("2023-12-31", 101, "GJ", "manual"),
                ("2025-12-31", 400, "GJ", "placement"),
            ],
        )

    def test_zero_and_nothing(self):
        """Ticking the box makes zero a reading; taking the tick away unmakes it."""
        with Form(self.placement) as form:
            form.has_start_value = True
        self.assertEqual(self._get_in_force(), [("2023-12-31", 0, "GJ", "placement")])
        self._load(("71000001", "2024-01-03", "3"))
        self.assertEqual(len(self._get_days(self.meter)), 2)
        with Form(self.placement) as form:
            form.has_start_value = False
        self.assertEqual(self._get_in_force(), [("2024-01-02", 3, "GJ", "file")])
        self.assertFalse(self._get_days(self.meter))

    def test_end_reading_zero(self):
        self.placement.write({"date_to": "2024-01-31"})
        self.placement.has_end_value = True
        self.assertEqual(self._get_in_force(), [("2024-01-31", 0, "GJ", "placement")])

    def test_removed_placement_takes_its_readings_along(self):
        self.placement.write(
            {"start_value": 1, "date_to": "2024-01-31", "end_value": 5}
        )
        later = self.env["onergy.meter.placement"].create(
            {
                "meter_id": self.meter.id,
                "connection_id": self.other_home.id,
                "date_from": "2024-02-01",
                "start_value": 5,
            }
        )
        self._load(("71000001", "2024-01-15", "3"))
        self.placement.unlink()
        self.assertEqual(
            self._get_in_force(),
            [("2024-01-14", 3, "GJ", "file"), ("2024-01-31", 5, "GJ", "placement")],
        )
        later.unlink()
        self.assertEqual(self._get_in_force(), [("2024-01-14", 3, "GJ", "file")])
        self.assertFalse(self._get_days(self.meter))
        self.assertEqual(self.meter.last_value, 3)
