"""M-Bus and wireless M-Bus telegrams of heat meters (EN 13757-2, -3, -4).

Reads what the standard makes readable and refuses the rest with a reason: a value
that has to be guessed is not a meter reading. Sources: EN 13757-3 (data records,
clause 6; VIF tables 10-14), EN 13757-4 (link layer), OMS specification volume 2
(security modes 5 and 7). Written against public telegrams of heat meters.
"""

import re
import struct
from dataclasses import dataclass, field, replace
from decimal import Decimal

from cryptography.hazmat.primitives import cmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

#: A telegram holds at most 255 bytes of link layer; longer input is no telegram.
MAX_TELEGRAM = 512
_MAX_EXTENSIONS = 10

#: "Only positive contributions": what a heat meter's total is anyway.
_FORWARD_ONLY = 0x3B

#: VIF of a quantity that the maker defines.
_MAKERS_OWN = 0x7F
#: Where makers that do not use the standard's error flags (FD 17) put theirs: the
#: extensions after the VIF of the maker's own.
_MAKERS_ERROR_FLAGS = {"KAM": (0x22,), "APA": ()}

INSTANTANEOUS, MAXIMUM, MINIMUM, DURING_ERROR = range(4)


class TelegramError(Exception):
    """The telegram cannot be decoded; ``reason`` is a stable code."""

    def __init__(self, reason, detail=""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Record:
    """One data record.

    :param value: ``Decimal``, text (dates as ``YYYY-MM-DD[ hh:mm]``) or ``None``
    :param quantity: such as ``energy`` or ``volume``; empty when not known
    :param code: the VIF, or a pair of extension table and code
    """

    function: int
    storage: int
    tariff: int
    subunit: int
    quantity: str
    unit: str
    value: object
    modifiers: tuple = ()
    code: object = None

    @property
    def is_billing(self):
        """The register that is billed: the present total, nothing added to it."""
        return (
            self.function == INSTANTANEOUS
            and not (self.storage or self.tariff or self.subunit)
            and self.modifiers in ((), (_FORWARD_ONLY,))
        )


@dataclass(frozen=True)
class Telegram:
    """A decoded telegram: who sent it, in what state, and its records."""

    maker: str
    number: str
    version: int
    medium: int
    access: int
    status: int
    records: tuple = field(default=())

    @property
    def judgement(self):
        """``ok``, ``warn`` or ``error`` by the status byte (EN 13757-3, 7.5.6).

        Bit 3 is a permanent error, bit 2 low power and bit 4 a temporary error;
        the upper three bits belong to the maker. A non-zero error flag record
        (VIF FD 17, or the maker's own) makes it at least ``warn``.
        """
        if self.status & 0x08 or self.status & 0x03 == 2:
            return "error"
        flagged = any(
            record.quantity == "error_flags" and record.value
            for record in self.records
            if record.function == INSTANTANEOUS and not record.storage
        )
        return "warn" if self.status or flagged else "ok"

    @property
    def moment(self):
        """The meter's own clock (type F), local text without a zone, or ``None``."""
        for record in self.records:
            if record.quantity == "time" and record.is_billing:
                return record.value
        return None

    def registers(self):
        """Billed totals: ``{"energy" | "cooling" | "volume": (value, unit)}``.

        The first record of a quantity counts: heat meters put the billed register
        first. In a meter of medium 0A/0B the energy is cooling energy.
        """
        found = {}
        for record in self.records:
            if record.quantity not in ("energy", "volume") or not record.is_billing:
                continue
            if not isinstance(record.value, Decimal):
                continue
            register = record.quantity
            if register == "energy" and self.medium in (0x0A, 0x0B):
                register = "cooling"
            found.setdefault(register, (record.value, record.unit))
        if not found.keys() & {"energy", "cooling"}:
            # A heat meter's volume without its energy is a partial telegram.
            heat = self.medium in (0x04, 0x0A, 0x0B, 0x0C, 0x0D)
            return {} if heat else found
        return found


def decode(data, key_of=None):
    """Decode one telegram from ``bytes``.

    Takes a wired long frame (68 L L 68), its content from the C field without stop
    byte, and wireless frames of format A or B with their checksums removed.

    :param key_of: function from (maker, number) to the AES-128 key or ``None``
    :raises TelegramError: with the reasons ``bad_frame``, ``bad_checksum``,
        ``encrypted``, ``wrong_key``, ``compact_frame``, ``proprietary``,
        ``bad_record`` and ``unsupported``
    """
    if not 10 <= len(data) <= MAX_TELEGRAM:
        raise TelegramError("bad_frame", f"{len(data)} bytes")
    key_of = key_of or (lambda maker, number: None)
    try:
        if data[0] == 0x68 and data[3] == 0x68 and data[1] == data[2]:
            return _decode_wired(_long_frame(data), key_of)
        if data[1] in (0x44, 0x46, 0x08) and data[0] in (len(data) - 1, len(data)):
            return _decode_wireless(data, key_of)
        if data[0] & 0x4F == 0x08 and data[2] in (0x72, 0x76, 0x7A, 0x78):
            return _decode_wired(data, key_of)
    except (IndexError, struct.error):
        raise TelegramError("bad_frame", "cut short") from None
    raise TelegramError("bad_frame", "neither wired nor wireless")


# -- link layer --------------------------------------------------------------


def _long_frame(data):
    length = data[1]
    if len(data) < length + 6 or data[length + 5] != 0x16:
        raise TelegramError("bad_frame", "cut short")
    body = data[4 : length + 4]
    if sum(body) & 0xFF != data[length + 4]:
        raise TelegramError("bad_checksum")
    return body


def _decode_wired(body, key_of):
    control = body[2]
    if control == 0x72:
        head = _LongHeader(body[3:15])
        return _finish(head, body[15:], key_of)
    if control == 0x76:
        raise TelegramError("unsupported", "big-endian mode")
    raise TelegramError("unsupported", f"CI {control:02X}")


def _decode_wireless(data, key_of):
    head = _LinkHeader(data)
    position = 10
    control = data[position]
    if control in (0x8C, 0x8D):
        # Extended link layer; 8D adds a session number and its own encryption.
        size = 3 if control == 0x8C else 9
        if control == 0x8D:
            session = struct.unpack_from("<I", data, position + 3)[0]
            if session >> 29 & 0x07 and not _ell_is_plain(data, position):
                data = _decrypt_ell(data, position, head, key_of)
        position += size
        control = data[position]
    if control == 0x90:
        position = _read_authentication(data, position, head)
        control = data[position]
    if control == 0x72:
        head.take_long(data[position + 1 : position + 13])
        return _finish(head, data[position + 13 :], key_of)
    if control == 0x7A:
        head.take_short(data[position + 1 : position + 5])
        return _finish(head, data[position + 5 :], key_of)
    if control == 0x78:
        return _finish(head, data[position + 1 :], key_of)
    if control in (0x79, 0x7B):
        raise TelegramError("compact_frame")
    if control >= 0xA0:
        raise TelegramError("proprietary", f"CI {control:02X}")
    raise TelegramError("unsupported", f"CI {control:02X}")


def _read_authentication(data, position, head):
    """The authentication layer (CI 90): only its message counter is of use here.

    Its fields come in a fixed order, each announced by a bit of the control field.
    """
    end = position + 2 + data[position + 1]
    control = struct.unpack_from("<H", data, position + 2)[0]
    position += 4
    for bit, size in ((0x2000, 1), (0x0200, 2), (0x0800, 4)):
        if control & bit:
            if bit == 0x0800:
                head.counter = bytes(data[position : position + size])
            position += size
    return end


class _LongHeader:
    """The fixed header of EN 13757-3: id, maker, version, medium, state."""

    #: message counter of the authentication layer
    counter = b""

    def __init__(self, raw):
        self.take_long(raw)

    def take_long(self, raw):
        if len(raw) < 12:
            raise TelegramError("bad_frame", "cut short")
        self.raw_number, self.raw_maker = raw[0:4], raw[4:6]
        self.version, self.medium = raw[6], raw[7]
        self.take_short(raw[8:12])

    def take_short(self, raw):
        if len(raw) < 4:
            raise TelegramError("bad_frame", "cut short")
        self.access, self.status = raw[0], raw[1]
        self.configuration = struct.unpack("<H", raw[2:4])[0]

    @property
    def number(self):
        return self.raw_number[::-1].hex().upper()

    @property
    def maker(self):
        return maker_code(struct.unpack("<H", self.raw_maker)[0])

    @property
    def address(self):
        return self.raw_maker + self.raw_number + bytes((self.version, self.medium))


class _LinkHeader(_LongHeader):
    """The same facts from the link layer of a wireless telegram."""

    def __init__(self, data):
        self.raw_maker, self.raw_number = data[2:4], data[4:8]
        self.version, self.medium = data[8], data[9]
        self.access = self.status = self.configuration = 0


def maker_code(number):
    """The three letters of a manufacturer (EN 62056-21)."""
    return "".join(chr((number >> shift & 0x1F) + 64) for shift in (10, 5, 0))


# -- security ------------------------------------------------------------------

_FILLER = b"\x2f\x2f"


def _finish(head, payload, key_of):
    mode = head.configuration >> 8 & 0x1F
    if mode and not _looks_plain(payload):
        payload = _decrypt(head, mode, payload, key_of)
    return Telegram(
        maker=head.maker,
        number=head.number,
        version=head.version,
        medium=head.medium,
        access=head.access,
        status=head.status,
        records=tuple(_name_error_flags(head.maker, read_records(payload))),
    )


def _name_error_flags(maker, records):
    extensions = _MAKERS_ERROR_FLAGS.get(maker)
    for record in records:
        if record.code == _MAKERS_OWN and record.modifiers == extensions:
            yield replace(record, quantity="error_flags")
        else:
            yield record


def _looks_plain(payload):
    """Gateways that decrypt may leave the mode in the header.

    An encrypted payload begins with two filler bytes once decrypted: one that has
    them now is plain. So is one that is a whole chain of known records with a valid
    total among them; cipher text is that once in many millions.
    """
    if payload.startswith(_FILLER):
        return True
    try:
        records = list(read_records(payload))
    except TelegramError:
        return False
    return (
        len(records) > 3
        and all(record.quantity and record.value is not None for record in records)
        and any(r.quantity == "energy" and r.is_billing for r in records)
    )


def _decrypt(head, mode, payload, key_of):
    if mode not in (5, 7):
        raise TelegramError("encrypted", f"security mode {mode}")
    key = key_of(head.maker, head.number)
    if not key:
        raise TelegramError("encrypted", f"no key for {head.number}")
    if mode == 5:
        blocks = head.configuration >> 4 & 0x0F
        vector = head.address + bytes((head.access,)) * 8
    else:
        payload, blocks, key = _mode7(head, payload, key)
        vector = bytes(16)
    size = blocks * 16 or len(payload) // 16 * 16
    if size > len(payload):
        raise TelegramError("bad_frame", "cut short")
    cipher = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()
    plain = cipher.update(payload[:size]) + cipher.finalize()
    if not plain.startswith(_FILLER):
        raise TelegramError("wrong_key", head.number)
    return plain + payload[size:]


def _mode7(head, payload, key):
    """Key derivation of OMS volume 2, 9.5.3, with the message counter of the AFL.

    Without an authentication layer in front the counter is not known; then it is
    the access number, as simple senders do.
    """
    extension = payload[0]
    blocks = head.configuration >> 4 & 0x0F
    if extension & 0x30 != 0x10:
        raise TelegramError("encrypted", "key derivation not supported")
    counter = head.counter or struct.pack("<I", head.access)
    derive = cmac.CMAC(algorithms.AES(key))
    derive.update(b"\x00" + counter + head.raw_number + b"\x07" * 7)
    return payload[1:], blocks, derive.finalize()


def _ell_is_plain(data, position):
    """Whether the checksum inside the extended link layer fits as it is.

    Gateways that decrypt leave the session number of the encrypted telegram.
    """
    start = position + 7
    return _crc(data[start + 2 :]) == struct.unpack_from("<H", data, start)[0]


def _decrypt_ell(data, position, head, key_of):
    """AES-CTR of the extended link layer (EN 13757-4, 12.2.5); Kamstrup uses it."""
    key = key_of(head.maker, head.number)
    if not key:
        raise TelegramError("encrypted", f"no key for {head.number}")
    control, session = data[position + 1], data[position + 3 : position + 7]
    counter = head.address + bytes((control,)) + session + bytes(3)
    start = position + 7
    cipher = Cipher(algorithms.AES(key), modes.CTR(counter)).decryptor()
    plain = cipher.update(data[start:]) + cipher.finalize()
    if _crc(plain[2:]) != struct.unpack("<H", plain[:2])[0]:
        raise TelegramError("wrong_key", head.number)
    return data[:start] + plain


def _crc(data):
    """The checksum of EN 13757-4: polynomial 3D65, complement."""
    value = 0
    for byte in data:
        value ^= byte << 8
        for _bit in range(8):
            value = (value << 1 ^ (0x3D65 if value & 0x8000 else 0)) & 0xFFFF
    return value ^ 0xFFFF


# -- data records --------------------------------------------------------------

_SIZES = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 4, 6: 6, 7: 8, 9: 1, 10: 2, 11: 3, 12: 4}
_SIZES[14] = 6
_BCD = (9, 10, 11, 12, 14)


def read_records(payload):
    """Yield the records of a payload until its end or the maker's own data."""
    position, end = 0, len(payload)
    while position < end:
        dif = payload[position]
        if dif == 0x2F:
            position += 1
        elif dif & 0x0F == 0x0F:
            # 0F and 1F: what follows is the maker's own, not a record.
            return
        else:
            try:
                record, position = _read_record(payload, position)
            except (IndexError, struct.error):
                raise TelegramError("bad_record", f"byte {position}") from None
            yield record


def _read_record(payload, position):
    dif = payload[position]
    coding, function = dif & 0x0F, dif >> 4 & 0x03
    storage, tariff, subunit = dif >> 6 & 1, 0, 0
    position += 1
    extended, count = dif & 0x80, 0
    while extended:
        dife = payload[position]
        storage |= (dife & 0x0F) << (1 + 4 * count)
        tariff |= (dife >> 4 & 0x03) << (2 * count)
        subunit |= (dife >> 6 & 0x01) << count
        extended = dife & 0x80
        position, count = position + 1, count + 1
        if count > _MAX_EXTENSIONS:
            raise TelegramError("bad_record", "too many extensions")
    codes, text, position = _read_vib(payload, position)
    raw, coding, position = _read_data(payload, position, coding)
    quantity, unit, exponent, kind = _meaning(codes[0], text)
    modifiers, exponent = _modifiers(codes[1:], exponent)
    value = _value(raw, coding, exponent, kind)
    record = Record(
        function, storage, tariff, subunit, quantity, unit, value, modifiers, codes[0]
    )
    return record, position


def _read_vib(payload, position):
    """Read VIF and its extensions; return codes, plain text and position."""
    vif = payload[position]
    position += 1
    text = None
    if vif & 0x7F == 0x7C:
        # The unit is given in words; its length comes first, the text reversed.
        size = payload[position]
        text = payload[position + 1 : position + 1 + size][::-1]
        text = text.decode("latin-1")
        position += 1 + size
    codes = [vif & 0x7F]
    extended = vif & 0x80
    if vif in (0xFB, 0xFD):
        codes = [(vif, payload[position] & 0x7F)]
        extended = payload[position] & 0x80
        position += 1
    while extended:
        codes.append(payload[position] & 0x7F)
        extended = payload[position] & 0x80
        position += 1
        if len(codes) > _MAX_EXTENSIONS:
            raise TelegramError("bad_record", "too many extensions")
    return codes, text, position


def _read_data(payload, position, coding):
    if coding == 13:
        return _read_variable(payload, position)
    if coding not in _SIZES:
        raise TelegramError("bad_record", f"data field {coding:X}")
    size = _SIZES[coding]
    raw = payload[position : position + size]
    if len(raw) < size:
        raise TelegramError("bad_record", "cut short")
    return raw, coding, position + size


def _read_variable(payload, position):
    """Data of variable length (LVAR): text, BCD or a binary number."""
    length = payload[position]
    position += 1
    if length < 0xC0:
        size, coding = length, 13
    elif length < 0xD0:
        size, coding = length - 0xC0, 9
    elif length < 0xE0:
        size, coding = length - 0xD0, 9
    elif length < 0xF0:
        size, coding = length - 0xE0, 4
    elif length < 0xF5:
        size, coding = 4 * (length - 0xEC), 4
    else:
        raise TelegramError("bad_record", f"length {length:02X}")
    raw = payload[position : position + size]
    if len(raw) < size:
        raise TelegramError("bad_record", "cut short")
    return raw, coding, position + size


def _value(raw, coding, exponent, kind):
    if kind == "date" and len(raw) == 2:
        return _date(raw)
    if kind == "time" and len(raw) == 4:
        return _date_time(raw)
    if kind in ("time", "date") and len(raw) == 6:
        return _date_time_seconds(raw)
    if coding == 13:
        return raw[::-1].decode("latin-1")
    if not raw:
        return None
    if coding in _BCD:
        number = _bcd(raw)
    elif coding == 5:
        number = _real(raw)
    else:
        number = Decimal(int.from_bytes(raw, "little", signed=True))
    if number is None or kind == "bits":
        return number
    return number.scaleb(exponent)


def _bcd(raw):
    """A BCD number; ``None`` when filled with F ("no value", EN 13757-3 annex)."""
    digits = raw[::-1].hex()
    sign = ""
    if digits[0] == "f" and digits[1:].isdigit():
        sign, digits = "-", digits[1:]
    if not digits.isdigit():
        return None
    return Decimal(sign + digits)


def _real(raw):
    number = struct.unpack("<f", raw)[0]
    if number != number or number in (float("inf"), float("-inf")):
        return None
    return Decimal(f"{number:.7g}")


# A date of type G or F that is "every day", "every month" or simply impossible is
# returned as written: whoever needs a moment will refuse it.


def _date(raw):
    day = raw[0] & 0x1F
    month = raw[1] & 0x0F
    year = (raw[0] & 0xE0) >> 5 | (raw[1] & 0xF0) >> 1
    return f"{2000 + year if year < 100 else 2000 + year}-{month:02d}-{day:02d}"


def _date_time(raw):
    minute, hour = raw[0] & 0x3F, raw[1] & 0x1F
    if raw[0] & 0x80:
        return None
    century = raw[1] >> 5 & 0x03
    day, month = raw[2] & 0x1F, raw[3] & 0x0F
    year = (raw[2] & 0xE0) >> 5 | (raw[3] & 0xF0) >> 1
    base = 1900 + 100 * century if century else 2000
    return f"{base + year}-{month:02d}-{day:02d} {hour:02d}:{minute:02d}"


def _date_time_seconds(raw):
    second, minute, hour = raw[0] & 0x3F, raw[1] & 0x3F, raw[2] & 0x1F
    day, month = raw[3] & 0x1F, raw[4] & 0x0F
    year = (raw[3] & 0xE0) >> 5 | (raw[4] & 0xF0) >> 1
    return f"{2000 + year}-{month:02d}-{day:02d} {hour:02d}:{minute:02d}:{second:02d}"


# -- value information ---------------------------------------------------------

#: first code, last code, quantity, unit, exponent of the first code
_PRIMARY = (
    (0x00, 0x07, "energy", "Wh", -3),
    (0x08, 0x0F, "energy", "J", 0),
    (0x10, 0x17, "volume", "m3", -6),
    (0x18, 0x1F, "mass", "kg", -3),
    (0x28, 0x2F, "power", "W", -3),
    (0x30, 0x37, "power", "J/h", 0),
    (0x38, 0x3F, "flow", "m3/h", -6),
    (0x40, 0x47, "flow", "m3/min", -7),
    (0x48, 0x4F, "flow", "m3/s", -9),
    (0x50, 0x57, "mass_flow", "kg/h", -3),
    (0x58, 0x5B, "flow_temperature", "C", -3),
    (0x5C, 0x5F, "return_temperature", "C", -3),
    (0x60, 0x63, "temperature_difference", "K", -3),
    (0x64, 0x67, "external_temperature", "C", -3),
    (0x68, 0x6B, "pressure", "bar", -3),
)
_TIMES = {0x20: "on_time", 0x24: "operating_time", 0x70: "averaging", 0x74: "actuality"}
_SINGLE = {
    0x6C: ("date", "", 0, "date"),
    0x6D: ("time", "", 0, "time"),
    0x6E: ("cost_units", "", 0, "number"),
    0x78: ("fabrication_number", "", 0, "number"),
    0x79: ("identification", "", 0, "number"),
    0x7A: ("bus_address", "", 0, "number"),
}
#: extension FB: the same, larger
_EXTENSION_FB = (
    (0x00, 0x01, "energy", "Wh", 5),
    (0x08, 0x09, "energy", "J", 8),
    (0x0C, 0x0F, "energy", "cal", 5),
    (0x10, 0x11, "volume", "m3", 2),
    (0x18, 0x19, "mass", "kg", 5),
    (0x28, 0x29, "power", "W", 5),
    (0x30, 0x31, "power", "J/h", 8),
)
_NAMED_FD = {
    0x08: "access_number",
    0x09: "medium",
    0x0A: "maker",
    0x0B: "parameter_set",
    0x0C: "model",
    0x0D: "hardware_version",
    0x0E: "firmware_version",
    0x0F: "software_version",
    0x10: "customer_location",
    0x11: "customer",
    0x17: "error_flags",
    0x1A: "digital_output",
    0x1B: "digital_input",
}
#: the unit a register is counted in, by the exponent of its last digit
_ENERGY_UNITS = {
    "Wh": ((6, "MWh"), (0, "kWh")),
    "J": ((9, "GJ"), (0, "MJ")),
    "cal": ((9, "Gcal"), (0, "Mcal")),
}
_UNIT_EXPONENT = {"kWh": 3, "MWh": 6, "MJ": 6, "GJ": 9, "Mcal": 6, "Gcal": 9}


def _meaning(code, text):
    """Quantity, unit, exponent and kind of value of a VIF."""
    if text is not None:
        return "", text, 0, "number"
    if isinstance(code, tuple):
        return _extended_meaning(*code)
    for first, last, quantity, unit, exponent in _PRIMARY:
        if first <= code <= last:
            return _scaled(quantity, unit, exponent + code - first)
    if code & 0x7C in _TIMES:
        return _TIMES[code & 0x7C], ("s", "min", "h", "d")[code & 3], 0, "number"
    return _SINGLE.get(code, ("", "", 0, "number"))


def _extended_meaning(table, code):
    if table == 0xFD:
        quantity = _NAMED_FD.get(code, "")
        return quantity, "", 0, "bits" if quantity == "error_flags" else "number"
    for first, last, quantity, unit, exponent in _EXTENSION_FB:
        if first <= code <= last:
            return _scaled(quantity, unit, exponent + code - first)
    return "", "", 0, "number"


def _scaled(quantity, unit, exponent):
    """Energy is told in the unit of the display, everything else in its base unit."""
    for least, name in _ENERGY_UNITS.get(unit, ()):
        if quantity == "energy" and exponent >= least:
            return quantity, name, exponent - _UNIT_EXPONENT[name], "number"
    if quantity == "energy":
        name = _ENERGY_UNITS[unit][-1][1]
        return quantity, name, exponent - _UNIT_EXPONENT[name], "number"
    return quantity, unit, exponent, "number"


def _modifiers(codes, exponent):
    """Orthogonal extensions: a power of ten corrects, the rest is kept as a mark."""
    marks = []
    for code in codes:
        if 0x70 <= code <= 0x77:
            exponent += code - 0x76
        elif code == 0x7D:
            exponent += 3
        else:
            marks.append(code)
    return tuple(marks), exponent


def telegram_of_hex(text, key_of=None):
    """Decode a telegram written in hexadecimal; separators are ignored."""
    try:
        data = bytes.fromhex(re.sub(r"[\s_|]", "", text))
    except ValueError:
        raise TelegramError("bad_hex") from None
    return decode(data, key_of)
