from fnmatch import fnmatch
from itertools import islice

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import lazy

from ..parsers import FileError, Profile, read_rows, sniff
from ..parsers.moments import DST_RULES

#: how the fields of this model are written for the parser
PLAIN = (
    "container",
    "encoding",
    "delimiter",
    "quote",
    "preamble_lines",
    "header_lines",
    "orientation",
    "record_path",
    "codec",
    "key_source",
    "key_ref",
    "key_padding",
    "moment_source",
    "moment_ref",
    "zone",
    "dst_rule",
    "value_ref",
    "decimal_mark",
    "thousands_marks",
    "multiplier",
    "missing_policy",
    "register_ref",
    "register_default",
    "unit_ref",
    "status_ref",
    "status_default",
    "trailer_marker",
    "trailer_ref",
)
MAPS = ("register_map", "unit_map", "status_map", "status_masks", "row_filters")
_ESCAPES = {"\\t": "\t", "\\s": " ", "\\xa0": "\u00a0", "\\u202f": "\u202f"}
_DST_LABELS = {
    "reject": "Set aside",
    "first": "Summer time",
    "second": "Winter time",
    "sequence": "In the order of the file",
}
assert set(_DST_LABELS) == set(DST_RULES)


class OnergyReadingProfile(models.Model):
    """How a kind of reading file is read: data, not code.

    References point into a record: the name of a column, its number (``#3``), a path
    in JSON or XML (``uplink.payload``), a header row of a wide file (``^1``) or a fixed
    text (``=GJ``). ``+`` joins two with a space.
    """

    _name = "onergy.reading.profile"
    _description = "Reading profile"
    _inherit = ["mail.thread"]
    _order = "sequence, name, version desc"

    name = fields.Char(required=True, tracking=True)
    code = fields.Char(copy=False, readonly=True)
    sequence = fields.Integer(default=50)
    active = fields.Boolean(default=True)
    version = fields.Integer(default=1, required=True, readonly=True, copy=False)
    date_from = fields.Date("Valid from", default=fields.Date.context_today)
    company_id = fields.Many2one(
        "res.company", index=True, help="Empty: for all companies."
    )
    state = fields.Selection(
        [("draft", "Draft"), ("active", "In use")],
        default="draft",
        required=True,
        readonly=True,
        copy=False,
        tracking=True,
    )
    filename_pattern = fields.Char(
        "File names",
        default="*",
        help="Files with such a name are tried with this profile, for example "
        "export_*.csv",
    )
    note = fields.Text()

    container = fields.Selection(
        [
            ("csv", "CSV"),
            ("xlsx", "Excel workbook"),
            ("xml", "XML"),
            ("json", "JSON"),
            ("jsonl", "JSON lines"),
            ("hex", "M-Bus telegrams (hexadecimal)"),
        ],
        "File type",
        default="csv",
        required=True,
    )
    encoding = fields.Char(
        default="auto", required=True, help="auto, utf-8, cp1252, iso-8859-1, ..."
    )
    delimiter = fields.Char(default=";", help="One character; \\t is a tab.")
    quote = fields.Char("Quote mark", default='"')
    preamble_lines = fields.Integer("Lines before the header")
    header_lines = fields.Integer("Header lines", default=1)
    orientation = fields.Selection(
        [("long", "A line per reading"), ("wide", "A column per meter")],
        default="long",
        required=True,
    )
    record_path = fields.Char(
        help="JSON: path of the list; XML: name of the element of one reading."
    )
    codec = fields.Selection(
        [
            ("plain", "Plain value"),
            ("mbus_hex", "M-Bus telegram, hexadecimal"),
            ("mbus_base64", "M-Bus telegram, base64"),
        ],
        "Value is a",
        default="plain",
        required=True,
    )

    key_source = fields.Selection(
        [
            ("column", "Field of the record"),
            ("filename", "Name of the file"),
            ("telegram", "Telegram"),
        ],
        "Meter number from",
        default="column",
        required=True,
    )
    key_ref = fields.Char(
        "Meter number",
        help="Reference, or for the name of the file a pattern with one group: "
        "meter_(\\d+)\\.csv",
    )
    key_padding = fields.Integer("Pad with zeros to")

    moment_source = fields.Selection(
        [
            ("column", "Field of the record"),
            ("received", "Moment of arrival"),
            ("telegram", "Telegram"),
        ],
        "Time from",
        default="column",
        required=True,
    )
    moment_ref = fields.Char("Time")
    moment_formats = fields.Char(
        "Time formats",
        default="ISO",
        help="For example D.M.YYYY hh:mm; several are separated by |. ISO is ISO 8601, "
        "UNIX seconds since 1970. A date without time counts as 00:00.",
    )
    zone = fields.Char(
        "Time zone",
        default="Europe/Amsterdam",
        required=True,
        help="Of times that do not name their own.",
    )
    dst_rule = fields.Selection(
        [(rule, _DST_LABELS[rule]) for rule in DST_RULES],
        "The doubled hour in October",
        default="reject",
        required=True,
    )

    value_ref = fields.Char("Value")
    decimal_mark = fields.Char(default=".", required=True)
    thousands_marks = fields.Char(
        help="All marks that may separate thousands; \\s is a space, \\xa0 a no-break "
        "space.",
    )
    multiplier = fields.Char(help="Empty, or a decimal number such as 0.001.")
    missing_tokens = fields.Char(
        "No value is written as",
        default="-|NaN|null|None",
        help="Separated by |. An empty field always is no value.",
    )
    missing_policy = fields.Selection(
        [("exception", "Set the line aside"), ("skip", "Skip the line")],
        "Without a value",
        default="exception",
        required=True,
    )
    extra_values = fields.Text(
        "Further registers",
        help="One per line: register; reference of the value; reference of the unit. "
        "For example volume; V; VU",
    )

    register_ref = fields.Char("Register")
    register_map = fields.Text(
        "Register names",
        help="One per line: name=energy, cooling, volume or skip.",
    )
    register_default = fields.Selection(
        [("energy", "Heat"), ("cooling", "Cooling"), ("volume", "Volume")],
        "Without a name",
        default="energy",
        required=True,
    )
    unit_ref = fields.Char("Unit", help="Reference, or a fixed unit such as =GJ.")
    unit_map = fields.Text("Unit names", help="One per line: name=GJ")
    status_ref = fields.Char("Status")
    status_map = fields.Text(
        "Status names", help="One per line: name=ok, warn, error or invalid."
    )
    status_masks = fields.Text(
        "Status bits", help="One per line: 0x10=warn; any other bit set is a warning."
    )
    status_default = fields.Selection(
        [("ok", "OK"), ("warn", "Warning"), ("error", "Error"), ("invalid", "Invalid")],
        "Without a status",
        default="ok",
        required=True,
    )
    row_filters = fields.Text(
        "Only lines where",
        help="One per line: reference=value; several values are separated by |.",
    )
    trailer_marker = fields.Char(
        help="First field of a closing line with the number of lines."
    )
    trailer_ref = fields.Char("Number in the closing line")

    sample_filename = fields.Char(default="sample.csv")
    sample = fields.Text(
        help="A few real lines. The profile cannot be used until they can be read."
    )
    expected = fields.Text(
        "Expected rows",
        help="What the sample must give, one JSON list per line; filled by 'Take over "
        "as expected' once the preview is right.",
    )
    preview = fields.Html(
        compute="_compute_preview", sanitize=False, export_string_translation=False
    )
    sample_ok = fields.Boolean(compute="_compute_preview")

    _code_uniq = models.UniqueIndex("(code)")

    # -- to the parser -----------------------------------------------------------

    def _to_parser(self):
        """The :class:`~..parsers.Profile` of this record.

        :raises FileError: when the record does not describe a file
        """
        self.ensure_one()
        values = {name: self[name] or "" for name in PLAIN}
        for name in ("preamble_lines", "header_lines", "key_padding"):
            values[name] = self[name] or 0
        for name in ("delimiter", "thousands_marks"):
            for escape, character in _ESCAPES.items():
                values[name] = values[name].replace(escape, character)
        for name in MAPS:
            values[name] = self._read_map(name)
        values["moment_formats"] = tuple(
            part.strip() for part in (self.moment_formats or "ISO").split("|")
        )
        values["missing_tokens"] = ("", *(self.missing_tokens or "").split("|"))
        values["extra_values"] = self._read_extra_values()
        return Profile.from_dict(values)

    def _read_map(self, name):
        found = {}
        for line in filter(str.strip, (self[name] or "").splitlines()):
            key, separator, value = line.rpartition("=")
            if not separator:
                raise FileError("bad_profile", f"{name}: {line}")
            found[key.strip()] = value.strip()
        return found

    def _read_extra_values(self):
        found = []
        for line in filter(str.strip, (self.extra_values or "").splitlines()):
            parts = tuple(part.strip() for part in line.split(";"))
            if len(parts) != 3:
                raise FileError("bad_profile", line)
            found.append(parts)
        return tuple(found)

    def _get_rows(self, stream, filename, company, received=None, keys=None):
        """Rows of a file; telegrams are decrypted with the meters' keys.

        The keys are read at once: while COPY takes the rows, the connection answers
        no query.

        :param keys: what :meth:`_get_keys` gave, when it was asked before
        """
        if keys is None:
            keys = self._get_keys(company) if self.codec != "plain" else {}
        return read_rows(
            stream,
            self._to_parser(),
            filename,
            received,
            lambda _maker, number: keys.get(number),
        )

    @api.model
    def _get_keys(self, company):
        """{number in a telegram: AES key} of the meters in use."""
        # sudo: the keys decrypt here and go nowhere else.
        meters = self.env["onergy.meter"].sudo()
        query = meters._search(
            [("company_id", "=", company.id), ("mbus_key", "!=", False)], order="id"
        )
        columns = [
            meters._field_to_sql(query.table, name, query)
            for name in ("serial", "mbus_id", "mbus_key")
        ]
        found = self.env.execute_query(query.select(*columns))
        keys = {serial: bytes.fromhex(key) for serial, _number, key in found}
        # What a meter sends goes before what is printed on another.
        keys.update((number, bytes.fromhex(key)) for _s, number, key in found if number)
        return keys

    # -- life --------------------------------------------------------------------

    def write(self, vals):
        described = {*PLAIN, *MAPS, "moment_formats", "extra_values", "sample"}
        if vals.keys() & described:
            # One version per state of the description, for the audit of imports.
            for profile in self:
                super(OnergyReadingProfile, profile).write(
                    {"version": profile.version + 1}
                )
        result = super().write(vals)
        if vals.keys() & described:
            self.filtered(lambda p: p.state == "active")._check_active()
        return result

    def _check_active(self):
        for profile in self:
            problems = profile._check_sample()
            if problems:
                raise ValidationError(
                    self.env._(
                        "Profile %(name)s cannot be used: %(problem)s",
                        name=profile.name,
                        problem=problems[0],
                    )
                )

    def action_activate(self):
        self._check_active()
        self.state = "active"

    def action_draft(self):
        self.state = "draft"

    # -- choice ------------------------------------------------------------------

    @api.model
    def _find_for(self, stream, filename, company, lines=50):
        """The active profile that reads most of the head of a file, or none.

        A profile whose columns are all there fits even when every value is wrong:
        the rows are then listed with what is wrong with them.
        """
        best, best_score = self.browse(), 0
        keys = lazy(self._get_keys, company)
        containers = sniff(stream)
        for profile in self._get_candidates(filename, company):
            if profile.container not in containers:
                continue
            stream.seek(0)
            try:
                rows = profile._get_rows(stream, filename, company, keys=keys)
                rows = list(islice(rows, lines))
            except FileError:
                continue
            score = profile._get_score(rows)
            if score > best_score:
                best, best_score = profile, score
        stream.seek(0)
        return best

    def _get_score(self, rows):
        if not rows:
            return 0
        good = sum(1 for row in rows if not row[9])
        structural = ("bad_row", "missing_column", "missing_key")
        readable = sum(1 for row in rows if row[9] and row[9] not in structural)
        return (good + (0.1 * readable if self.header_lines else 0)) / len(rows)

    @api.model
    def _get_candidates(self, filename, company):
        profiles = self.search(
            [("state", "=", "active"), ("company_id", "in", (False, company.id))]
        )
        return profiles.filtered(
            lambda p: fnmatch(filename.lower(), (p.filename_pattern or "*").lower())
        )
