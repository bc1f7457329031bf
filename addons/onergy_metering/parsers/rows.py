"""From records to rows ready to be staged."""

import base64
import binascii
import logging
import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from . import mbus
from .containers import RECORDS, decompressed
from .errors import FileError, RowError, SkipRow
from .moments import MomentReader
from .numerals import checked, number_reader, plain_number
from .references import fetch_json, fetch_xml, field_getter, path_getter
from .units import normalise

_logger = logging.getLogger(__name__)

#: What every row holds, in order. ``moment`` is UTC text and ``value`` a plain
#: decimal literal; ``column``, ``raw`` and ``reason`` are empty in a good row. A bad
#: row holds what could be read of it, and ``None`` for the rest.
ROW_FIELDS = (
    "line",
    "key",
    "register",
    "moment",
    "value",
    "unit",
    "status",
    "column",
    "raw",
    "reason",
)

_RAW_LIMIT = 200
#: status bits of a meter, hexadecimal or decimal
_BITS = re.compile("0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10}")


def read_rows(stream, profile, filename="", received=None, telegram_key=None):
    """Yield the rows of a reading file, each a tuple of :data:`ROW_FIELDS`.

    :param stream: seekable binary stream, possibly compressed
    :param profile: :class:`~.profile.Profile`
    :param filename: for profiles that read the meter from the name of the file
    :param received: aware datetime of arrival, for formats without a time
    :param telegram_key: function from (manufacturer, id) to an AES key or ``None``
    :raises FileError: when the file as a whole cannot be read. Rows may have been
        yielded by then; the caller must discard them.
    """
    content = decompressed(stream, profile.container)
    records = RECORDS[profile.container](content, profile)
    reader = _Reader(profile, filename, received, telegram_key)
    return reader.rows(records)


class _Reader:
    """One file being read: the profile's references resolved to functions."""

    def __init__(self, profile, filename, received, telegram_key):
        self.profile = profile
        self.filename = filename
        received = received or datetime.now(UTC)
        self.received = received.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        self.telegram_key = telegram_key or (lambda maker, number: None)
        moments = MomentReader(profile.moment_formats, profile.zone, profile.dst_rule)
        self.read_moment = moments.convert
        self.known_moments = moments.known
        self.read_number = number_reader(profile.decimal_mark, profile.thousands_marks)
        self.missing = frozenset(token.strip() for token in profile.missing_tokens)
        self.status_map = {
            text.casefold(): status for text, status in profile.status_map.items()
        }
        self.units = {}
        self.columns = {}
        self.headers = []
        self.count = 0
        self.line = 0
        self.trailer = None
        #: whether an error of this file was logged that nobody foresaw
        self.surprised = False

    # -- structure of the file --------------------------------------------

    def rows(self, records):
        try:
            yield from self._rows(records)
        except FileError as error:
            raise error.at(self.line + 1) from None

    def _rows(self, records):
        profile = self.profile
        if profile.container in ("csv", "xlsx", "hex"):
            self._read_header(records)
        self._resolve()
        interpret = (
            self._wide_rows if profile.orientation == "wide" else self._long_rows
        )
        quick_row = self._get_quick_reader()
        for self.line, record in records:
            line = self.line
            try:
                if quick_row and (row := quick_row(line, record)) is not None:
                    self.count += 1
                    yield row
                elif isinstance(record, Exception):
                    self.count += 1
                    yield _bad(line, RowError("bad_row", raw=str(record)))
                elif not (profile.trailer_marker and self._is_trailer(record)):
                    self.count += 1
                    yield from interpret(line, record)
            except FileError:
                raise
            except Exception as error:  # pylint: disable=broad-except
                # A line that nobody thought of is no reason to refuse the others.
                yield self._unforeseen(line, error)
        self._check_trailer()

    def _unforeseen(self, line, error):
        if not self.surprised:
            self.surprised = True
            _logger.exception("Line %s of %s", line, self.filename)
        return _bad(line, RowError("bad_row", raw=repr(error)))

    def _read_header(self, records):
        if self.profile.container == "hex":
            return
        for _number in range(self.profile.header_lines):
            found = next(records, None)
            if found is None or isinstance(found[1], Exception):
                raise FileError("no_header")
            self.line = found[0]
            self.headers.append([name.strip() for name in found[1]])
        if self.headers:
            last = self.headers[-1]
            self.columns = {
                name.casefold(): position
                for position, name in reversed(list(enumerate(last)))
            }

    def _is_trailer(self, record):
        if not isinstance(record, list) or record[0] != self.profile.trailer_marker:
            return False
        try:
            self.trailer = int(self._getter(self.profile.trailer_ref)(record))
        except (ValueError, RowError):
            raise FileError("trailer_count", "no number") from None
        return True

    def _check_trailer(self):
        if not self.profile.trailer_marker:
            return
        if self.trailer is None:
            raise FileError("no_trailer")
        if self.trailer != self.count:
            raise FileError("trailer_count", f"{self.trailer} <> {self.count}")

    def _getter(self, reference):
        container = self.profile.container
        if not reference:
            return lambda record: ""
        if container in ("json", "jsonl"):
            return path_getter(reference, fetch_json)
        if container == "xml":
            return path_getter(reference, fetch_xml)
        return field_getter(reference, self.columns)

    def _resolve(self):
        profile = self.profile
        self.key_pattern = None
        if profile.key_source == "filename":
            self.get_key = self._key_of_filename()
        elif profile.orientation == "long":
            self.get_key = self._getter(profile.key_ref)
        self.get_moment = self._getter(profile.moment_ref)
        self.get_status = self._getter(profile.status_ref)
        if profile.orientation == "wide":
            self._resolve_wide()
            return
        self.get_register = self._getter(profile.register_ref)
        self.get_value = self._getter(profile.value_ref)
        self.get_unit = self._getter(profile.unit_ref)
        self.filters = [
            (self._getter(reference), frozenset(wanted.split("|")))
            for reference, wanted in profile.row_filters.items()
        ]
        self.extras = [
            (register, reference, self._getter(reference), self._getter(unit))
            for register, reference, unit in profile.extra_values
        ]

    def _key_of_filename(self):
        try:
            match = re.search(self.profile.key_ref, self.filename)
        except re.error as error:
            raise FileError("bad_profile", f"key pattern: {error}") from None
        if match is None or not match.groups() or match.group(1) is None:
            raise FileError("no_key_in_name", self.filename)
        key = match.group(1)
        return lambda record: key

    # -- long: one record, one meter --------------------------------------

    def _long_rows(self, line, record):
        row = [line, "", "", None, None, "", "ok", "", "", ""]
        try:
            for getter, wanted in self.filters:
                if getter(record).strip() not in wanted:
                    return
            if self.profile.codec != "plain":
                yield from self._telegram_rows(line, record)
                return
            row[1] = self._key(self.get_key(record))
            row[2] = self._register(self.get_register(record))
            row[3] = self._moment(record, (row[1], row[2]))
            row[6] = self._status(self.get_status(record))
            row[5], factor = self._unit(self.get_unit(record))
            row[4] = self._value(self.get_value(record), factor)
        except SkipRow:
            return
        except RowError as error:
            _spoil(row, error)
        yield tuple(row)
        if self.extras and row[3] is not None:
            yield from self._extra_rows(row, record)

    def _get_quick_reader(self):
        """A function from a record to its row, or ``None`` where there is none.

        Most rows of a file differ from the one before in meter and value only. What
        their other texts mean is remembered; a record with anything new or wrong in
        it gives ``None`` and goes the long way.
        """
        profile = self.profile
        if (
            profile.orientation != "long"
            or profile.codec != "plain"
            or profile.moment_source == "received"
            or profile.container not in ("csv", "xlsx")
            or profile.trailer_marker
            or profile.multiplier
            or self.filters
            or self.extras
        ):
            return None
        get_key, get_moment, get_value = self.get_key, self.get_moment, self.get_value
        get_register, get_unit = self.get_register, self.get_unit
        get_status, padding, missing = (
            self.get_status,
            profile.key_padding,
            self.missing,
        )
        moments = self.known_moments
        registers, statuses = Remembered(self._register), Remembered(self._status)
        units = Remembered(self._unit)
        is_plain, mark = plain_number(profile.decimal_mark), profile.decimal_mark

        def quick_row(line, record):
            if record.__class__ is not list:
                return None
            try:
                key = get_key(record).strip()
                moment = moments.get(get_moment(record))
                register = registers[get_register(record)]
                unit, factor = units[get_unit(record)]
                status = statuses[get_status(record)]
                value = get_value(record)
            except (RowError, SkipRow):
                return None
            if not key or moment is None or factor:
                return None
            if value in missing or not is_plain(value):
                return None
            if mark != ".":
                value = value.replace(mark, ".")
            key = key.zfill(padding)
            return line, key, register, moment, value, unit, status, "", "", ""

        return quick_row

    def _extra_rows(self, main, record):
        for register, reference, get_value, get_unit in self.extras:
            row = [*main[:2], register, main[3], None, "", main[6], "", "", ""]
            try:
                text = get_value(record)
                if text.strip() in self.missing:
                    continue
                row[5], factor = self._unit(get_unit(record))
                row[4] = self._value(text, factor, reference)
            except RowError as error:
                _spoil(row, error)
            yield tuple(row)

    # -- wide: one record, one moment, a column per meter ------------------

    def _resolve_wide(self):
        profile = self.profile
        keys = self._header_row(profile.key_ref)
        registers = self._header_row(profile.register_ref)
        units = self._header_row(profile.unit_ref)
        moment_column = profile.moment_ref.split("+")
        skipped = {int(ref[1:]) - 1 for ref in moment_column if ref[1:].isdigit()}
        self.wide = [
            (position, self._key(key), registers(position), units(position))
            for position, key in enumerate(keys(None))
            if key and position not in skipped
        ]
        if not self.wide:
            raise FileError("no_header")

    def _header_row(self, reference):
        """A function from a position to the text of the header row referred to."""
        if not reference.startswith("^"):
            fixed = reference[1:] if reference.startswith("=") else ""
            return lambda position: [] if position is None else fixed
        try:
            row = self.headers[int(reference[1:]) - 1]
        except (ValueError, IndexError):
            raise FileError("no_header", reference) from None

        def text(position):
            if position is None:
                return row
            return row[position] if position < len(row) else ""

        return text

    def _wide_rows(self, line, record):
        for position, key, register, unit in self.wide:
            row = [line, key, "", None, None, "", "ok", "", "", ""]
            column = f"#{position + 1}"
            try:
                row[2] = self._register(register)
                row[3] = self._moment(record, (key, row[2]))
                row[5], factor = self._unit(unit)
                if position >= len(record):
                    raise RowError("missing_column", column)
                row[4] = self._value(record[position], factor, column)
            except SkipRow:
                continue
            except RowError as error:
                _spoil(row, error)
            yield tuple(row)

    # -- telegrams ---------------------------------------------------------

    def _telegram_rows(self, line, record):
        text = self.get_value(record).strip()
        row = [line, "", "energy", None, None, "", "ok", "", "", ""]
        try:
            if self.profile.key_source != "telegram":
                row[1] = self._key(self.get_key(record))
            telegram = mbus.decode(self._payload(text), self.telegram_key)
            if self.profile.key_source == "telegram":
                row[1] = self._key(telegram.number)
            row[3] = self._telegram_moment(record, telegram)
            row[6] = self._telegram_status(record, telegram)
            registers = telegram.registers()
            if not registers:
                raise RowError("no_total", raw=text)
        except mbus.TelegramError as error:
            _spoil(row, RowError(error.reason, error.detail, text))
            registers = {}
        except SkipRow:
            return
        except RowError as error:
            _spoil(row, error)
            registers = {}
        if not registers:
            yield tuple(row)
        for register, (value, unit) in registers.items():
            yield (*row[:2], register, row[3], f"{value:f}", unit, *row[6:])

    def _payload(self, text):
        try:
            if self.profile.codec == "mbus_base64":
                return base64.b64decode(text, validate=True)
            return bytes.fromhex(re.sub(r"[\s_|]", "", text))
        except (ValueError, binascii.Error):
            raise RowError("bad_hex", self.profile.value_ref, text) from None

    def _telegram_moment(self, record, telegram):
        if self.profile.moment_source != "telegram":
            return self._moment(record, telegram.number)
        if telegram.moment is None:
            raise RowError("bad_date", "telegram")
        return self.read_moment(telegram.moment, "telegram", telegram.number)

    def _telegram_status(self, record, telegram):
        status = self._status(self.get_status(record))
        if self.profile.status_masks:
            judged = self._masked(telegram.status)
        else:
            judged = telegram.judgement
        return max(status, judged, key=_SEVERITY.index)

    # -- fields --------------------------------------------------------------

    def _key(self, text):
        key = text.strip()
        if not key:
            raise RowError("missing_key", self.profile.key_ref)
        return key.zfill(self.profile.key_padding)

    def _register(self, text):
        text = text.strip()
        if not text:
            return self.profile.register_default
        register = self.profile.register_map.get(text)
        if register is None:
            raise RowError("unknown_register", self.profile.register_ref, text)
        if register == "skip":
            raise SkipRow
        return register

    def _moment(self, record, key):
        if self.profile.moment_source == "received":
            return self.received
        return self.read_moment(self.get_moment(record), self.profile.moment_ref, key)

    def _value(self, text, factor="", column=""):
        column = column or self.profile.value_ref
        if text.strip() in self.missing:
            if self.profile.missing_policy == "skip":
                raise SkipRow
            raise RowError("missing_value", column, text)
        value = checked(self.read_number, text, column)
        factor = factor or self.profile.multiplier
        if factor:
            return f"{Decimal(value) * self._factor(factor):f}"
        return value

    def _factor(self, text):
        try:
            factor = Decimal(text)
        except InvalidOperation:
            factor = Decimal("NaN")
        if not factor.is_finite() or not factor:
            raise FileError("bad_profile", f"multiplier {text!r}")
        return factor

    def _unit(self, text):
        """Unit and factor of the text of a unit; ``10 kWh`` in the map is both."""
        known = self.units.get(text)
        if known is None:
            name = text.strip()
            name_or_unit = self.profile.unit_map.get(name, name)
            factor, _space, mapped = name_or_unit.rpartition(" ")
            unit = normalise(mapped)
            if not unit:
                reason = "unknown_unit" if name else "missing_unit"
                raise RowError(reason, self.profile.unit_ref, text)
            known = self.units[text] = (unit, factor.strip())
        return known

    def _status(self, text):
        profile = self.profile
        text = text.strip()
        if not text or not (profile.status_map or profile.status_masks):
            return self.status_map.get("", profile.status_default)
        status = self.status_map.get(text.casefold(), self.status_map.get("*"))
        if status is not None:
            return status
        if profile.status_masks and _BITS.fullmatch(text):
            return self._masked(int(text, 16 if text[1:2].lower() == "x" else 10))
        raise RowError("unknown_status", profile.status_ref, text)

    def _masked(self, bits):
        found = ["ok"]
        left = bits
        for mask, status in self.profile.status_masks.items():
            mask = int(mask, 0)
            if bits & mask:
                found.append(status)
                left &= ~mask
        if left:
            found.append("warn")
        return max(found, key=_SEVERITY.index)


class Remembered(dict):
    """What a function made of the texts it was asked about; errors are not kept."""

    LIMIT = 1000

    def __init__(self, function):
        super().__init__()
        self._function = function

    def __missing__(self, text):
        if len(self) >= self.LIMIT:
            self.clear()
        value = self[text] = self._function(text)
        return value


_SEVERITY = ("ok", "warn", "error", "invalid")


def _spoil(row, error):
    row[7] = error.column
    row[8] = str(error.raw)[:_RAW_LIMIT]
    row[9] = error.reason


def _bad(line, error):
    row = [line, "", "", None, None, "", "ok", "", "", ""]
    _spoil(row, error)
    return tuple(row)
