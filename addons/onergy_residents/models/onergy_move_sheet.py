import io
import zlib
from datetime import date, datetime, timedelta
from zipfile import BadZipFile, ZipFile

import xlsxwriter
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import email_normalize

from .onergy_connection import normalise_postcode

MAX_ROWS = 2000
MAX_SHEET_MB = 2
#: Of the files in a workbook together; 2000 lines with formats stay far below it.
MAX_UNPACKED_MB = 20
#: What openpyxl and what it is made of raise at files made by hand or damaged. The
#: errors of its XML parsers are syntax errors.
UNREADABLE = (
    ArithmeticError,
    AttributeError,
    BadZipFile,
    EOFError,
    InvalidFileException,
    LookupError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    zlib.error,
)
#: What a sheet that was never sent is kept for.
KEEP_DAYS = 7
ACTIONS = {
    "start": "start",
    "begin": "start",
    "stop": "stop",
    "end": "stop",
    "einde": "stop",
}


class OnergyMoveSheet(models.Model):
    """A landlord's spreadsheet: which homes he starts or stops to pay for, and when.

    Read and judged first; only when he sends it do the good rows become moves. The
    same sheet once more changes nothing.
    """

    _name = "onergy.move.sheet"
    _description = "Landlord's spreadsheet"
    _order = "id desc"

    name = fields.Char("File", required=True, readonly=True)
    partner_id = fields.Many2one(
        "res.partner", "Landlord", required=True, readonly=True, index=True
    )
    company_id = fields.Many2one(
        "res.company", required=True, default=lambda self: self.env.company
    )
    sent_on = fields.Datetime(readonly=True)
    line_ids = fields.One2many("onergy.move.sheet.line", "sheet_id", readonly=True)
    move_count = fields.Integer("Moves", compute="_compute_counts")
    ok_count = fields.Integer("To be sent", compute="_compute_counts")
    same_count = fields.Integer("Known already", compute="_compute_counts")
    error_count = fields.Integer("Not right", compute="_compute_counts")

    @api.depends("line_ids.state", "line_ids.move_id")
    def _compute_counts(self):
        for sheet in self:
            states = sheet.line_ids.mapped("state")
            sheet.ok_count = states.count("ok")
            sheet.same_count = states.count("same")
            sheet.error_count = states.count("error")
            sheet.move_count = len(sheet.line_ids.move_id)

    @api.model
    def _get_heads(self):
        """Return the heads of the columns, in the order in which they are read."""
        return [
            self.env._("Postcode"),
            self.env._("House number"),
            self.env._("Addition"),
            self.env._("start or stop"),
            self.env._("First day (start) or last day (stop)"),
            self.env._("Name of the next resident (stop)"),
            self.env._("E-mail of the next resident"),
            self.env._("Phone of the next resident"),
            self.env._("Remark"),
        ]

    @api.model
    def _write_workbook(self, homes):
        """Return an xlsx file with a line for each home, to be filled in."""
        out = io.BytesIO()
        with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
            sheet = book.add_worksheet()
            bold = book.add_format({"bold": True, "text_wrap": True})
            date_format = book.add_format({"num_format": "dd-mm-yyyy"})
            sheet.set_column(0, 8, 18)
            sheet.set_column(4, 4, 18, date_format)
            sheet.freeze_panes(1, 0)
            sheet.write_row(0, 0, self._get_heads(), bold)
            for line, home in enumerate(homes, start=1):
                for column, value in enumerate(
                    (home.zip, home.house_number, home.house_addition or "")
                ):
                    sheet.write_string(line, column, value)
            sheet.data_validation(
                1,
                3,
                max(len(homes), 1),
                3,
                {"validate": "list", "source": ["start", "stop"]},
            )
        return out.getvalue()

    @api.model
    def _read(self, partner, content, filename):
        """Read a workbook and judge its rows; nothing else happens yet.

        :param bytes content: an xlsx file
        :raise UserError: it is no such file, or has nothing filled in
        """
        if not content:
            raise UserError(self.env._("Choose a file first."))
        if len(content) > MAX_SHEET_MB * 1024**2:
            raise UserError(self.env._("The file can be %s MB at most.", MAX_SHEET_MB))
        try:
            rows = self._read_rows(content)
        except UNREADABLE as error:
            raise UserError(
                self.env._(
                    "We cannot read this file. Use the workbook that you can download "
                    "here, and save it as .xlsx."
                )
            ) from error
        if len(rows) > MAX_ROWS:
            raise UserError(
                self.env._("A file can have %s lines at most. Split it.", MAX_ROWS)
            )
        # A line without start or stop and without a date was left alone.
        filled = [
            (number, [_text(cell) if i != 4 else cell for i, cell in enumerate(row)])
            for number, row in enumerate(rows, start=2)
            if row[3:5] != (None, None) and any(_text(cell) for cell in row[3:5])
        ]
        if not filled:
            raise UserError(
                self.env._(
                    "Nothing is filled in. Write start or stop, and a date, behind the "
                    "homes that change."
                )
            )
        sheet = self.create({"name": filename, "partner_id": partner.id})
        homes = self.env["onergy.connection"]._get_landlord_homes(
            partner.commercial_partner_id
        )
        by_place = {
            (home.zip, home.house_number, (home.house_addition or "").upper()): home
            for home in homes
        }
        seen = set()
        vals_list = []
        for number, row in filled:
            vals = {"sheet_id": sheet.id, "line": number}
            vals.update(sheet._read_row(row, by_place, seen))
            vals_list.append(vals)
        lines = self.env["onergy.move.sheet.line"].create(vals_list)
        lines.filtered(lambda line: line.state == "ok")._judge()
        return sheet

    @api.model
    def _read_rows(self, content):
        """Return the cells of the lines of a workbook, a line too many if there are."""
        with ZipFile(io.BytesIO(content)) as archive:
            # Its strings are read as a whole, and two megabytes can hold two thousand.
            size = sum(info.file_size for info in archive.infolist())
        if size > MAX_UNPACKED_MB * 1024**2:
            raise ValueError(size)
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        return list(
            book.worksheets[0].iter_rows(
                min_row=2, max_row=MAX_ROWS + 2, max_col=9, values_only=True
            )
        )

    def _read_row(self, row, by_place, seen):
        """Return the values of a line, with what is wrong with it if anything is."""
        place = (
            normalise_postcode({"zip": row[0]})["zip"],
            row[1],
            row[2].upper(),
        )
        home = by_place.get(place)
        vals = {
            "address": " ".join(filter(None, row[:3])),
            "connection_id": home and home.id,
            "action": ACTIONS.get(row[3].lower()),
            "date": _date(row[4]),
            "next_name": row[5],
            "next_email": row[6],
            "next_phone": row[7],
            "note": row[8],
            "state": "error",
        }
        heads = self._get_heads()
        for is_wrong, column, remedy in (
            (
                not home,
                1,
                self.env._(
                    "We do not know this home as yours. Copy postcode, number and "
                    "addition from the workbook that you downloaded."
                ),
            ),
            (not vals["action"], 3, self.env._("Write start or stop.")),
            (
                not vals["date"],
                4,
                self.env._("Fill in a date, for example 31-12-2026."),
            ),
            (
                place in seen,
                1,
                self.env._("This home is in the file twice. Keep one line of it."),
            ),
            (
                row[6] and not email_normalize(row[6]),
                6,
                self.env._(
                    "This is not an e-mail address. Write it as name@example.com."
                ),
            ),
        ):
            if is_wrong:
                return {**vals, "field_name": heads[column], "remedy": remedy}
        seen.add(place)
        return {**vals, "state": "ok"}

    def action_send(self):
        """A clerk has looked at the lines: make the moves of the good ones."""
        self.ensure_one()
        self.env["onergy.move"].check_access("create")
        # sudo: nobody writes sheets but these methods; his right was checked above
        self.sudo()._send()
        return self.action_open_moves()

    def action_open_moves(self):
        self.ensure_one()
        action = self.env["ir.actions.actions"]._for_xml_id(
            "onergy_residents.action_onergy_move"
        )
        return {
            **action,
            "domain": [("id", "in", self.line_ids.move_id.ids)],
            "context": {},
        }

    def _send(self):
        """Make moves of the good rows, once; a clerk carries them out.

        They are judged again: things may have changed since they were shown.
        """
        self.ensure_one()
        self.lock_for_update()
        self.invalidate_recordset(["sent_on"])
        if self.sent_on:
            return
        lines = self.line_ids.filtered(lambda line: line.state == "ok")
        lines._judge()
        lines.filtered(lambda line: line.state == "ok")._make_moves()
        self.sent_on = fields.Datetime.now()

    @api.autovacuum
    def _gc_sheets(self):
        before = fields.Datetime.now() - timedelta(days=KEEP_DAYS)
        self.search([("sent_on", "=", False), ("create_date", "<", before)]).unlink()


def _text(cell):
    """Return what a cell holds as text; 12.0 of a spreadsheet is 12."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell == int(cell):
        cell = int(cell)
    return str(cell).strip()[:120]


def _date(cell):
    """Return the date in a cell, also one typed as text; nothing if it is none."""
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    for date_format in ("%d-%m-%Y", "%Y-%m-%d", "%d/%m/%Y"):
        try:
            return datetime.strptime(_text(cell), date_format).date()
        except ValueError:
            continue
    return None
