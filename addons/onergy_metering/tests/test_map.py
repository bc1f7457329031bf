from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import MeteringCase


@tagged("post_install", "-at_install")
class TestMap(MeteringCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.today = fields.Date.context_today(cls.env["onergy.meter"])
        homes = cls.home
        for number, addition in ((10, False), (9, False), (9, "A"), (11, False)):
            homes |= cls.home.copy(
                {"house_number": str(number), "house_addition": addition, "ean": False}
            )
        cls.homes = homes
        for serial, home in zip(
            ("71000010", "71000009", "71000019"), homes[1:4], strict=True
        ):
            cls._create_meter(serial, home)
        cls._load(
            ("71000001", cls.today, 5),
            ("71000002", cls.today - timedelta(days=2), 5),
            ("71000010", cls.today - timedelta(days=5), 5),
            ("71000009", cls.today - timedelta(days=20), 5),
        )

    def _get_homes(self):
        record = self.env["onergy.metering.map"].create({"complex_id": self.complex.id})
        [street] = record.map_data["streets"]
        self.assertEqual(street["name"], "Teststraat")
        return record.map_data, {home["number"]: home for home in street["homes"]}

    def test_addresses_with_their_silence(self):
        data, homes = self._get_homes()
        self.assertEqual(list(homes), ["1", "2", "9", "9A", "10", "11"])
        self.assertEqual(
            {number: (home["level"], home["text"]) for number, home in homes.items()},
            {
                "1": ("read", "✓"),
                "2": ("day", "! 1 d"),
                "9": ("long", "!!! 19 d"),
                "9A": ("never", "?"),
                "10": ("week", "!! 4 d"),
                "11": ("none", "–"),
            },
        )
        self.assertEqual(
            [home["number"] for home in homes.values() if home["silent"]],
            ["2", "9", "9A", "10"],
        )
        self.assertEqual(
            homes["9"]["label"], "Teststraat 9 – 71000009 – Silent for 19 days"
        )
        self.assertEqual(
            {level["code"]: level["count"] for level in data["legend"]},
            {"read": 1, "day": 1, "week": 1, "long": 1, "never": 1, "none": 1},
        )

    def test_where_a_click_leads(self):
        _data, homes = self._get_homes()
        self.assertEqual(
            (homes["2"]["model"], homes["2"]["id"]),
            ("onergy.meter", self.other_meter.id),
        )
        self.assertEqual(
            (homes["11"]["model"], homes["11"]["id"]),
            ("onergy.connection", self.homes[-1].id),
        )

    def test_yesterday_is_in_time_and_hand_is_no_silence(self):
        self._load(("71000002", self.today - timedelta(days=1), 6))
        self.env["onergy.meter"].search(
            [("serial", "=", "71000009")]
        ).read_mode = "refused"
        _data, homes = self._get_homes()
        self.assertEqual(homes["2"]["level"], "read")
        self.assertEqual((homes["9"]["level"], homes["9"]["silent"]), ("hand", False))

    def test_the_most_silent_meter_of_an_address(self):
        self._create_meter("71000099", self.home)
        _data, homes = self._get_homes()
        self.assertEqual(homes["1"]["level"], "never")

    def test_one_query_whatever_the_number_of_homes(self):
        record = self.env["onergy.metering.map"].create({"complex_id": self.complex.id})
        self.env.flush_all()
        record._get_map()
        with self.assertQueryCount(1):
            record._get_map()

    def test_from_the_overview(self):
        overview = self.env["onergy.metering.overview"].create({})
        line = overview.line_ids.filtered(lambda x: x.complex_id == self.complex)
        action = line.action_map()
        record = self.env[action["res_model"]].browse(action["res_id"])
        self.assertEqual(record.complex_id, self.complex)
        self.assertIn("Test complex", record.display_name)

    def test_roles_and_companies(self):
        groups = "onergy_residents.group_"
        clerk = self._create_user("map_clerk", f"{groups}metering")
        record = (
            self.env["onergy.metering.map"]
            .with_user(clerk)
            .create({"complex_id": self.complex.id})
        )
        self.assertTrue(record.map_data["streets"])
        portal = self._create_user("map_portal", "base.group_portal")
        with (
            mute_logger("odoo.addons.base.models.ir_model"),
            self.assertRaises(AccessError),
        ):
            self.env["onergy.metering.map"].with_user(portal).create(
                {"complex_id": self.complex.id}
            )
        other = self.env["res.company"].create({"name": "Other supplier"})
        clerk.write({"company_ids": [(6, 0, other.ids)], "company_id": other.id})
        with self.assertRaises(AccessError):
            record._get_map()
