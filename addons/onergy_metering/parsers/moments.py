"""Times as files write them, to UTC.

A gateway writes local time without a zone, UTC, or an offset; the profile says
which. Local time has one hour twice a year that is doubled and one that does not
exist: both are decided by a rule of the profile and never guessed.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .errors import FileError, RowError

#: Meters without a date send 2127, and 2128 after a restart; the first heat
#: meters with a data output are of the nineties.
FIRST_YEAR, LAST_YEAR = 1990, 2099

_TOKENS = (
    ("YYYY", r"(?P<year>[0-9]{4})"),
    ("YY", r"(?P<short>[0-9]{2})"),
    ("MM", r"(?P<month>[0-9]{2})"),
    ("M", r"(?P<month>[0-9]{1,2})"),
    ("DD", r"(?P<day>[0-9]{2})"),
    ("D", r"(?P<day>[0-9]{1,2})"),
    ("hh", r"(?P<hour>[0-9]{2})"),
    ("h", r"(?P<hour>[0-9]{1,2})"),
    ("mm", r"(?P<minute>[0-9]{2})"),
    ("ss", r"(?P<second>[0-9]{2})(?:[.,][0-9]{1,9})?"),
)

_OFFSET = re.compile(r"(?P<sign>[+-])(?P<hours>[01][0-9]):(?P<minutes>[0-5][0-9])")

DST_RULES = ("reject", "first", "second", "sequence")


@lru_cache(maxsize=256)
def compile_format(text):
    """A regular expression for a pattern such as ``D.M.YYYY hh:mm``."""
    pattern, position = "", 0
    while position < len(text):
        for token, expression in _TOKENS:
            if text.startswith(token, position):
                pattern += expression
                position += len(token)
                break
        else:
            pattern += re.escape(text[position])
            position += 1
    try:
        return re.compile(pattern)
    except re.error as error:
        raise FileError("bad_profile", f"date format {text!r}: {error}") from None


def zone_of(name):
    """The time zone called ``name``: an IANA name, ``UTC`` or an offset (+01:00)."""
    offset = _OFFSET.fullmatch(name)
    if offset:
        sign = -1 if offset["sign"] == "-" else 1
        minutes = int(offset["hours"]) * 60 + int(offset["minutes"])
        return timezone(sign * timedelta(minutes=minutes))
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise FileError("bad_profile", f"time zone {name!r}") from None


class MomentReader:
    """Turn the text of a moment into ``YYYY-MM-DD HH:MM:SS`` in UTC.

    :param formats: patterns tried in order; ``ISO`` reads ISO 8601 (an offset in
        the text wins over ``zone``) and ``UNIX`` seconds since 1970
    :param zone: name of the zone of a time without offset
    :param dst_rule: for the doubled hour: ``reject``, ``first`` (summer time),
        ``second`` (winter time) or ``sequence`` (per meter: a time that does not
        advance starts the second run)
    :param latest: nothing later than this aware datetime is a moment
    """

    CACHE_LIMIT = 20_000

    def __init__(self, formats, zone, dst_rule="reject"):
        self.formats = [
            name if name in ("ISO", "UNIX") else compile_format(name)
            for name in formats or ["ISO"]
        ]
        self.zone = zone_of(zone)
        if dst_rule not in DST_RULES:
            raise FileError("bad_profile", f"DST rule {dst_rule!r}")
        self.dst_rule = dst_rule
        #: text -> result, of the texts that always mean the same
        self.known = {}
        self._doubled = {}

    def convert(self, text, column="", key=""):
        """The UTC text of ``text``; :class:`RowError` when it is no moment."""
        known = self.known.get(text)
        if known is not None:
            return known
        parsed = self._parse(text.strip())
        # Before the zone is applied: the first and last day of time have none to go to.
        if parsed is None or not FIRST_YEAR - 1 <= parsed.year <= LAST_YEAR + 1:
            raise RowError("bad_date", column, text)
        if parsed.tzinfo is None:
            moment, cacheable = self._localise(parsed, column, text, key)
        else:
            moment, cacheable = parsed, True
        utc = moment.astimezone(UTC)
        if not FIRST_YEAR <= utc.year <= LAST_YEAR:
            raise RowError("bad_date", column, text)
        result = utc.strftime("%Y-%m-%d %H:%M:%S")
        if cacheable:
            if len(self.known) >= self.CACHE_LIMIT:
                self.known.clear()
            self.known[text] = result
        return result

    def _parse(self, text):
        for form in self.formats:
            if form == "ISO":
                parsed = _parse_iso(text)
            elif form == "UNIX":
                parsed = _parse_unix(text)
            else:
                parsed = _parse_pattern(form, text)
            if parsed is not None:
                return parsed
        return None

    def _localise(self, naive, column, text, key):
        if not FIRST_YEAR <= naive.year <= LAST_YEAR:
            raise RowError("bad_date", column, text)
        first = naive.replace(tzinfo=self.zone, fold=0)
        second = naive.replace(tzinfo=self.zone, fold=1)
        if first.utcoffset() == second.utcoffset():
            return first, True
        if first.utcoffset() < second.utcoffset():
            raise RowError("nonexistent_time", column, text)
        if self.dst_rule == "first":
            return first, True
        if self.dst_rule == "second":
            return second, True
        if self.dst_rule == "sequence":
            return (second if self._is_second_run(naive, key) else first), False
        raise RowError("ambiguous_time", column, text)

    def _is_second_run(self, naive, key):
        previous, second = self._doubled.get(key, (None, False))
        if previous is not None and previous.date() == naive.date():
            second = second or naive <= previous
        else:
            second = False
        self._doubled[key] = (naive, second)
        return second


def _parse_pattern(pattern, text):
    match = pattern.fullmatch(text)
    if match is None:
        return None
    found = match.groupdict()
    year = found.get("year") or 2000 + int(found.get("short") or -2000)
    try:
        return datetime(
            int(year),
            int(found.get("month") or 0),
            int(found.get("day") or 0),
            int(found.get("hour") or 0),
            int(found.get("minute") or 0),
            int(found.get("second") or 0),
        )
    except ValueError:
        return None


def _parse_iso(text):
    try:
        return datetime.fromisoformat(_shorten_fraction(text))
    except ValueError:
        return None


def _shorten_fraction(text):
    # Networks write nanoseconds; datetime knows microseconds only.
    return re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text)


def _parse_unix(text):
    if not re.fullmatch(r"[0-9]{9,10}", text):
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(text))
