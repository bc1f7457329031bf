import random
from decimal import Decimal
from pathlib import Path
from unittest import SkipTest

from cryptography.hazmat.primitives import cmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from lxml import etree

from odoo.tests import BaseCase, tagged

from ..parsers.mbus import TelegramError, decode, telegram_of_hex

KEY = bytes.fromhex("000102030405060708090A0B0C0D0E0F")
# Energy 12345 kWh and volume 6789 m3 in a payload of two AES blocks.
PLAIN = bytes.fromhex("2F2F0C06452301000C1590780600").ljust(32, b"\x2f")
LINK = bytes.fromhex("2D2C785634123504")

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

# The same source: telegrams of meters that report a fault. Who, energy, volume, flags.
FAULTS = {
    # Both temperature sensors below their range, no contact with the flow sensor.
    "80808081": (
        "88442D2C8180808039048D208640513220EA7978040FA000000004FF070200000004FF080900"
        "00000414FF000000844014000000008480401400000000043B0000000002590000025D000014"
        "2D0000000084100F0000000084200F0000000004FF2260000100026C892B440F000000004414"
        "00000000C4401400000000C480401400000000426C812B",
        (Decimal(1600), "MJ"),
        Decimal("2.55"),
        0x00010060,
    ),
    "71635605": (
        "3B44A7320556637104047AFA2000202F2F0C06774202000C14399956000B2D0200F00B3B3018"
        "000A5A51030A5E520302FD170000066D0C080AF42500",
        (Decimal(24277), "kWh"),
        Decimal("5699.39"),
        0,
    ),
    "01885619": (
        "51440186010905001837721956880101064004DA000020026CA9220E017799241103000C1364"
        "1320000A2D00000A5A90060A5E800544050E77000001FD0C010A6564370AFD4731030A274907"
        "047F00000002",
        (Decimal("3112.49977"), "kWh"),
        Decimal("201.364"),
        0x02000000,
    ),
}
PROPRIETARY = (
    "37446850336633663943A210672C866100181C01000480794435D5000000000000000000000000"
    "0000000000000000000000000000000000"
)
# AES-CTR of the extended link layer: telegram of a water meter with its key.
EXTENDED_LINK = (
    "2A442D2C998734761B168D2091D37CAC21E1D68CDAFFCD3DC452BD802913FF7B1706CA9E355D6C"
    "2701CC24"
)
EXTENDED_LINK_KEY = bytes.fromhex("28F64A24988064A079AA2C807D6102AE")


def _wireless(header, payload):
    body = b"\x44" + LINK + header + payload
    return bytes((len(body),)) + body


def _encrypt(key, vector):
    encryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    return encryptor.update(PLAIN) + encryptor.finalize()


def make_mode_5():
    """A telegram of meter 12345678, encrypted with ``KEY`` in security mode 5."""
    header = bytes.fromhex("7A2A002005")
    return _wireless(header, _encrypt(KEY, LINK + b"\x2a" * 8))


def make_mode_7():
    """The same in security mode 7, where the key is derived for each telegram."""
    counter = bytes.fromhex("21040000")
    derive = cmac.CMAC(algorithms.AES(KEY))
    derive.update(b"\x00" + counter + LINK[2:6] + b"\x07" * 7)
    authentication = bytes.fromhex("900F002C25") + counter + bytes(8)
    header = authentication + bytes.fromhex("7A2A00200710")
    return _wireless(header, _encrypt(derive.finalize(), bytes(16)))


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

    def test_faults_are_kept_with_the_value_and_never_pass_as_good(self):
        for number, (text, energy, volume, flags) in FAULTS.items():
            with self.subTest(number):
                telegram = telegram_of_hex(text)
                self.assertEqual(telegram.number, number)
                self.assertEqual(telegram.registers()["energy"], energy)
                self.assertEqual(telegram.registers()["volume"][0], volume)
                self.assertEqual(telegram.judgement, "warn")
                told = [r for r in telegram.records if r.quantity == "error_flags"]
                self.assertEqual([record.value for record in told], [flags])
        self.assertEqual(telegram_of_hex(FAULTS["71635605"][0]).status, 0x20)
        megajoules = telegram_of_hex(FAULTS["80808081"][0]).registers()["energy"][0]
        self.assertEqual(round(megajoules / Decimal("3.6"), 6), Decimal("444.444444"))

    def test_flags_that_are_zero_are_no_fault(self):
        for number in ("66666666", "85412440", "77447744"):
            self.assertEqual(telegram_of_hex(TELEGRAMS[number][0]).judgement, "ok")

    def test_format_of_the_maker_is_refused(self):
        with self.assertRaises(TelegramError) as caught:
            telegram_of_hex(PROPRIETARY)
        self.assertEqual(
            (caught.exception.reason, caught.exception.detail), ("proprietary", "CI A2")
        )

    def test_extended_link_layer(self):
        asked = []

        def key_of(maker, number):
            asked.append((maker, number))
            return EXTENDED_LINK_KEY

        telegram = decode(bytes.fromhex(EXTENDED_LINK), key_of)
        self.assertEqual(asked, [("KAM", "76348799")])
        self.assertEqual(telegram.registers(), {"volume": (Decimal("6.408"), "m3")})
        for key, reason in ((None, "encrypted"), (KEY, "wrong_key")):
            with self.assertRaises(TelegramError) as caught:
                decode(bytes.fromhex(EXTENDED_LINK), lambda maker, number, k=key: k)
            self.assertEqual(caught.exception.reason, reason)

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

    def _assertRefused(self, reason, text):
        with self.assertRaises(TelegramError) as caught:
            telegram_of_hex(text)
        self.assertEqual(caught.exception.reason, reason)

    def test_what_cannot_be_decoded_is_refused(self):
        link = LINK.hex()
        for reason, payload in (
            ("compact_frame", "79" + "00" * 20),
            ("proprietary", "A2" + "00" * 20),
            ("unsupported", "51" + "00" * 20),
            ("encrypted", "7A01003025" + "5A" * 32),
            ("encrypted", "7A0100200D" + "5A" * 32),
            ("bad_record", "7A01000000" + "0C06"),
        ):
            with self.subTest(payload):
                body = "44" + link + payload
                self._assertRefused(reason, f"{len(body) // 2:02X}{body}")
        self._assertRefused("bad_hex", "no telegram")
        self._assertRefused("bad_frame", "00")

    def test_value_during_error_is_no_reading(self):
        body = "44" + LINK.hex() + "7A01080000" + "3C0645230100" + "0C1590780600"
        telegram = telegram_of_hex(f"{len(body) // 2:02X}{body}")
        self.assertEqual(telegram.judgement, "error")
        self.assertEqual(telegram.registers(), {})

    def test_missing_digits_are_no_reading(self):
        body = "44" + LINK.hex() + "7A01000000" + "0C06FFFFFFFF"
        telegram = telegram_of_hex(f"{len(body) // 2:02X}{body}")
        self.assertEqual(telegram.registers(), {})

    def test_mode_5(self):
        telegram = decode(make_mode_5(), lambda maker, number: KEY)
        self.assertEqual(telegram.number, "12345678")
        self.assertEqual(telegram.registers()["energy"], (Decimal(12345), "kWh"))
        with self.assertRaises(TelegramError) as caught:
            decode(make_mode_5(), lambda maker, number: KEY[::-1])
        self.assertEqual(caught.exception.reason, "wrong_key")

    def test_mode_7(self):
        telegram = decode(make_mode_7(), lambda maker, number: KEY)
        self.assertEqual(telegram.registers()["energy"], (Decimal(12345), "kWh"))
        self.assertEqual(telegram.registers()["volume"], (Decimal("6789.0"), "m3"))

    def test_nothing_crashes_it(self):
        """Any bytes give a telegram or a reason."""
        seed = 13757
        rng = random.Random(seed)
        samples = [bytes.fromhex(text) for text, _energy, _volume in TELEGRAMS.values()]
        for trial in range(4000):
            data = bytearray(rng.choice(samples))
            for _change in range(rng.randrange(1, 6)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            data = bytes(data[: rng.randrange(len(data) + 1)])
            if rng.random() < 0.2:
                data = rng.randbytes(rng.randrange(300))
            try:
                telegram = decode(data, lambda maker, number: KEY)
                telegram.registers()
                self.assertIn(telegram.judgement, ("ok", "warn", "error"))
            except TelegramError:
                continue
            except Exception as error:  # any other exception is what we look for
                self.fail(f"{seed=} {trial=} {data.hex()}: {error!r}")


@tagged("post_install", "-at_install")
class TestReferenceFrames(BaseCase):
    """Frames of libmbus (BSD-3) with the values it reads from them."""

    #: what cannot be read as records: fixed structure of old meters (CI 73)
    REFUSED = {"manual_frame2", "sen_pollusonic_2"}
    FACTOR = {"Wh": 1, "kWh": 10**3, "MWh": 10**6, "J": 1, "MJ": 10**6, "GJ": 10**9}

    def _get_frames(self):
        for folder in Path(__file__).resolve().parents:
            frames = folder.parent / "shared" / "metering" / "libmbus"
            if frames.is_dir():
                return sorted(frames.glob("*.hex"))
        raise SkipTest("the frames of libmbus are not beside this checkout")

    def test_energy_registers(self):
        seen = 0
        for path in self._get_frames():
            with self.subTest(path.stem):
                if path.stem in self.REFUSED:
                    with self.assertRaises(TelegramError):
                        telegram_of_hex(path.read_text())
                    continue
                telegram = telegram_of_hex(path.read_text())
                expected = self._get_expected(path)
                values = [
                    record.value * self.FACTOR[record.unit]
                    for record in telegram.records
                    if record.quantity == "energy" and record.is_billing
                ]
                self.assertEqual(values, expected[: len(values)])
                self.assertEqual(bool(values), bool(expected))
                seen += bool(values)
        self.assertGreaterEqual(seen, 20)

    def _get_expected(self, path):
        tree = etree.parse(str(path.with_suffix(".norm.xml")))
        return [
            Decimal(record.findtext("Value"))
            for record in tree.iterfind("DataRecord")
            if record.findtext("Quantity") == "Energy"
            and record.findtext("Function") == "Instantaneous value"
            and record.findtext("StorageNumber") == "0"
            and record.findtext("Tariff") in (None, "0")
            and record.findtext("Device") in (None, "0")
        ]
