from decimal import Decimal

from odoo.tests import BaseCase, tagged

from ..parsers.mbus import TelegramError, telegram_of_hex

# Facts of public telegrams (driver tests of wmbusmeters): who, energy, volume.
TELEGRAMS = {
    "66666666": (
        "5A442D2C66666666350C8D2066D0E16420C6A1780406051C000004FF07393D000004FF08AE"
        "2400000414F7680000043B47000000042D1600000002596D14025DFD0804FF22000000000422"
        "E61A0000143B8C010000142D7C000000",
        (Decimal(7173), "kWh"),
        Decimal("268.71"),
    ),
    "85412440": (
        "5e442d2c4024418535047ae10050252f2f04fb091300000004167500000004ff220000000004"
        "3ca301000002599c1d025dB00e844014000000008480401400000000042eB9000000026c0534"
        "426c013444fb0900000000543c000000002f2f",
        (Decimal(19), "GJ"),
        Decimal(117),
    ),
    "61917653": (
        "5e44a5115376916140047a0B0050052f2f0c0e829311008c100e000000000c14014938000c2B"
        "751400000B3B2902000a5a52070a5e95060a6256000a279015cc020e92831100cc0214781138"
        "00c2026cdf2c2f2f2f2f2f2f2f2f2f2f2f2f2f",
        (Decimal(119382), "MJ"),
        Decimal("3849.01"),
    ),
    "67228058": (
        "3C449344957002372337725880226793442304DC0000200C05043900004C0500000000426C9F"
        "2CCC080551070000C2086CBE29326CFFFF046D280DB62A",
        (Decimal("390.4"), "kWh"),
        None,
    ),
    "77447744": (
        "68464668084a72447744772d2c3404060000000406ce86000004ff073444020004ff08f8ce01"
        "00041411680300043B0f02000002593c19025da41104ff220000000004a5ff21c7d02700d916",
        (Decimal(34510), "kWh"),
        Decimal("2232.49"),
    ),
}


@tagged("post_install", "-at_install")
class TestMbus(BaseCase):
    def test_telegrams_to_the_last_digit(self):
        for number, (text, energy, volume) in TELEGRAMS.items():
            with self.subTest(number):
                telegram = telegram_of_hex(text)
                self.assertEqual(telegram.number, number)
                registers = telegram.registers()
                self.assertEqual(registers["energy"], energy)
                self.assertEqual(registers.get("volume", (None,))[0], volume)

    def test_reading_of_the_set_date_is_not_the_total(self):
        telegram = telegram_of_hex(TELEGRAMS["61917653"][0])
        stored = [record for record in telegram.records if record.storage == 5]
        self.assertEqual(
            [record.value for record in stored],
            [Decimal(118392), Decimal("3811.78"), "2022-12-31"],
        )

    def test_damaged_frame(self):
        text = TELEGRAMS["77447744"][0]
        with self.assertRaises(TelegramError) as caught:
            telegram_of_hex(text[:60] + "00" + text[62:])
        self.assertEqual(caught.exception.reason, "bad_checksum")
        with self.assertRaises(TelegramError) as caught:
            telegram_of_hex(text[:-10])
        self.assertEqual(caught.exception.reason, "bad_frame")
