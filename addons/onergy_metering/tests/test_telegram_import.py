from odoo.tests import tagged

from .common import MeteringCase
from .test_mbus import (
    EXTENDED_LINK,
    EXTENDED_LINK_KEY,
    KEY,
    TELEGRAMS,
    make_mode_5,
    make_mode_7,
)

PLAIN_TELEGRAM = TELEGRAMS["77447744"][0]


@tagged("post_install", "-at_install")
class TestTelegramImport(MeteringCase):
    """Files of telegrams, whose keys are asked for while rows go to the server."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.profile = cls.env["onergy.reading.profile"].create(
            {
                "name": "Telegrams",
                "delimiter": ";",
                "codec": "mbus_hex",
                "key_source": "telegram",
                "moment_ref": "time",
                "value_ref": "telegram",
            }
        )
        cls.open_meter = cls._create_meter("77447744", cls.home, unit="kWh")
        cls.secret_meter = cls._create_meter("12345678", cls.other_home, unit="kWh")

    def _import_telegrams(self, *telegrams, profile=None):
        lines = [
            f"2026-01-15 {number // 60:02}:{number % 60:02};{telegram}"
            for number, telegram in enumerate(telegrams)
        ]
        text = "\n".join(["time;telegram", *lines]) + "\n"
        return self._import(text, "telegrams.csv", profile or self.profile)

    def test_with_the_key(self):
        self.secret_meter.mbus_key = KEY.hex()
        for make in (make_mode_5, make_mode_7):
            with self.subTest(make.__name__):
                record = self._import_telegrams(PLAIN_TELEGRAM, make().hex())
                self.assertEqual(record.state, "done", record.summary)
                self.assertEqual(record.rows_bad, 0)
        readings = self.env["onergy.reading"].search(
            [("meter_id", "=", self.secret_meter.id), ("register", "=", "energy")]
        )
        self.assertEqual(readings.mapped("value"), [12345])

    def test_key_by_m_bus_id(self):
        """The number in a telegram may be another than the one on the meter."""
        meter = self._create_meter("76", self.home, medium="water", mbus_id="76348799")
        meter.mbus_key = EXTENDED_LINK_KEY.hex()
        record = self._import_telegrams(EXTENDED_LINK)
        self.assertEqual((record.rows_new, record.rows_bad), (1, 0))
        self.assertEqual(meter.last_value, 6.408)

    def test_without_the_key(self):
        """The telegram alone is set aside; the other rows come in."""
        for telegram in (make_mode_5().hex(), make_mode_7().hex(), EXTENDED_LINK):
            with self.subTest(telegram[:20]):
                record = self._import_telegrams(telegram)
                self.assertEqual((record.state, record.rows_total), ("done", 1))
                self.assertEqual(record.exception_ids.reason, "encrypted")
        record = self._import_telegrams(make_mode_5().hex(), PLAIN_TELEGRAM)
        self.assertEqual((record.rows_new, record.rows_bad), (2, 1))

    def test_key_of_another_company(self):
        other = self.env["res.company"].create({"name": "Another supplier"})
        self.env["onergy.meter"].create(
            {"serial": "12345678", "company_id": other.id, "mbus_key": KEY.hex()}
        )
        record = self._import_telegrams(make_mode_5().hex())
        self.assertEqual(record.exception_ids.reason, "encrypted")

    def test_first_secret_after_the_rows_that_choose_the_profile(self):
        self.secret_meter.mbus_key = KEY.hex()
        self.profile.write(
            {
                "sample": f"time;telegram\n2026-01-15;{PLAIN_TELEGRAM}\n",
                "expected": "",
                "sequence": 1,
            }
        )
        self.profile.action_take_expected()
        self.profile.action_activate()
        telegrams = [PLAIN_TELEGRAM] * 60 + [make_mode_5().hex()]
        record = self._import_telegrams(*telegrams, profile=False)
        self.assertEqual(record.profile_id, self.profile)
        self.assertEqual((record.rows_total, record.rows_bad), (122, 0))
        self.assertEqual(self.secret_meter.last_value, 12345)
