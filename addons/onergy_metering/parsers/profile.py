"""The description of a reading file: data, not code."""

from dataclasses import dataclass, field, fields

from .errors import FileError

CONTAINERS = ("csv", "xlsx", "xml", "json", "jsonl", "hex")
STATUSES = ("ok", "warn", "error", "invalid")
REGISTERS = ("energy", "cooling", "volume")


@dataclass(frozen=True)
class Profile:
    """How to read one kind of file.

    A *reference* (``*_ref``) points into a record: the name of a column, its number
    from 1 (``#3``), a path of names (``uplink.payload``) in JSON or XML, the number of
    a header row in a wide file (``^1``), or ``=text`` for a fixed text. Several
    references joined by ``+`` are read as one text with a space between (a date and
    a time column).
    """

    name: str = ""
    container: str = "csv"
    encoding: str = "auto"
    delimiter: str = ";"
    quote: str = '"'
    preamble_lines: int = 0
    header_lines: int = 1
    orientation: str = "long"
    record_path: str = ""
    codec: str = "plain"

    key_source: str = "column"
    key_ref: str = ""
    key_padding: int = 0

    moment_source: str = "column"
    moment_ref: str = ""
    moment_formats: tuple = ("ISO",)
    zone: str = "Europe/Amsterdam"
    dst_rule: str = "reject"

    value_ref: str = ""
    decimal_mark: str = "."
    thousands_marks: str = ""
    multiplier: str = ""
    missing_tokens: tuple = ("", "-", "NaN", "null", "None")
    missing_policy: str = "exception"

    register_ref: str = ""
    register_map: dict = field(default_factory=dict)
    register_default: str = "energy"

    #: further registers of the same record: (register, value_ref, unit_ref)
    extra_values: tuple = ()

    unit_ref: str = ""
    unit_map: dict = field(default_factory=dict)

    status_ref: str = ""
    status_map: dict = field(default_factory=dict)
    status_masks: dict = field(default_factory=dict)
    status_default: str = "ok"

    row_filters: dict = field(default_factory=dict)
    trailer_marker: str = ""
    trailer_ref: str = ""

    def __post_init__(self):
        self._choose("container", CONTAINERS)
        self._choose("orientation", ("long", "wide"))
        self._choose("key_source", ("column", "filename", "telegram"))
        self._choose("moment_source", ("column", "received", "telegram"))
        self._choose("codec", ("plain", "mbus_hex", "mbus_base64"))
        self._choose("missing_policy", ("exception", "skip"))
        self._choose("status_default", STATUSES)
        for status in (*self.status_map.values(), *self.status_masks.values()):
            if status not in STATUSES:
                raise FileError("bad_profile", f"status {status!r}")
        for register in self.register_map.values():
            if register not in (*REGISTERS, "skip"):
                raise FileError("bad_profile", f"register {register!r}")
        if self.register_default not in REGISTERS:
            raise FileError("bad_profile", f"register {self.register_default!r}")

    def _choose(self, name, allowed):
        value = getattr(self, name)
        if value not in allowed:
            raise FileError("bad_profile", f"{name} {value!r}")

    @classmethod
    def from_dict(cls, values):
        """A profile from plain data; unknown names are an error."""
        known = {item.name for item in fields(cls)}
        unknown = set(values) - known
        if unknown:
            raise FileError("bad_profile", ", ".join(sorted(unknown)))
        return cls(**values)
