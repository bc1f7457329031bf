import csv
import io
from base64 import b64decode
from datetime import date
from decimal import Decimal, InvalidOperation
from zipfile import BadZipFile

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from odoo import Command, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import plaintext2html

from ..models.const import COMPONENTS, PRICE_DIGITS, SERVICE_SETS, TIER_DIGITS, UNITS

#: Name of a column in a file -> field. Both languages of the users are accepted.
COLUMNS = {
    "component": "component",
    "onderdeel": "component",
    "supplied": "service_set",
    "geleverd": "service_set",
    "delivery set": "delivery_set_id",
    "afleverset": "delivery_set_id",
    "from gj": "tier_from",
    "vanaf gj": "tier_from",
    "to gj": "tier_to",
    "tot gj": "tier_to",
    "unit": "unit",
    "eenheid": "unit",
    "price": "price",
    "prijs": "price",
}
REQUIRED = ("component", "price")
SELECTIONS = {"component": COMPONENTS, "service_set": SERVICE_SETS, "unit": UNITS}
DIGITS = {
    "price": PRICE_DIGITS[1],
    "tier_from": TIER_DIGITS[1],
    "tier_to": TIER_DIGITS[1],
}


class OnergyTariffLoad(models.TransientModel):
    """Load the prices of a new year from a spreadsheet."""

    _name = "onergy.tariff.load"
    _description = "Load prices from a spreadsheet"

    name = fields.Char("Name of the tariff", required=True)
    company_id = fields.Many2one(
        "res.company", required=True, default=lambda self: self.env.company
    )
    valid_from = fields.Date(
        required=True,
        default=lambda self: date(fields.Date.context_today(self).year + 1, 1, 1),
    )
    decided_on = fields.Date(required=True, default=fields.Date.context_today)
    complex_ids = fields.Many2many(
        "onergy.complex", string="Complexes", help="Empty: for every complex."
    )
    file = fields.Binary("Spreadsheet", required=True, attachment=False)
    filename = fields.Char()
    error_ids = fields.One2many("onergy.tariff.load.error", "load_id", readonly=True)

    def action_load(self):
        """Make the tariff, or show what is wrong with the file and make nothing."""
        self.ensure_one()
        self.error_ids.unlink()
        values, errors = self._parse(self._read_rows())
        if not errors:
            tariff, errors = self._create_tariff(values)
        if errors:
            self.error_ids = [
                Command.create(
                    {
                        "filename": self.filename or self.name,
                        "line": line,
                        "field": name,
                        "remedy": remedy,
                    }
                )
                for line, name, remedy in sorted(errors, key=lambda row: row[0])
            ]
            return {
                "type": "ir.actions.act_window",
                "name": self.env._("Load prices"),
                "res_model": self._name,
                "res_id": self.id,
                "view_mode": "form",
                "target": "new",
            }
        return {
            "type": "ir.actions.act_window",
            "res_model": "onergy.tariff",
            "res_id": tariff.id,
            "view_mode": "form",
        }

    def action_download_template(self):
        return {
            "type": "ir.actions.act_url",
            "url": "/onergy_billing/static/import/tariff.xlsx",
            "target": "download",
        }

    # -- reading the file ----------------------------------------------------------

    def _read_rows(self):
        """Rows of cells of the first sheet, as they are in the file."""
        content = b64decode(self.file)
        if (self.filename or "").lower().endswith((".csv", ".txt")):
            text = content.decode("utf-8-sig", errors="replace")
            delimiter = ";" if ";" in text.split("\n", 1)[0] else ","
            return list(csv.reader(io.StringIO(text), delimiter=delimiter))
        try:
            book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        except (BadZipFile, InvalidFileException, KeyError, OSError, ValueError) as e:
            raise UserError(
                self.env._(
                    "%(file)s cannot be read. Save it as .xlsx or .csv and choose it "
                    "again.",
                    file=self.filename or self.name,
                )
            ) from e
        sheet = book.worksheets[0]
        return [list(row) for row in sheet.iter_rows(values_only=True)]

    def _parse(self, rows):
        """Turn rows into values of prices.

        :return: (list of (line in the file, values), list of (line, column, remedy))
        """
        header = [str(cell or "").strip() for cell in rows[0]] if rows else []
        names = [COLUMNS.get(cell.lower()) for cell in header]
        missing = [name for name in REQUIRED if name not in names]
        if missing:
            remedy = self.env._(
                "The first line names the columns, at least Component and Price. "
                "Download the template to see them all."
            )
            return [], [(1, ", ".join(missing), remedy)]
        values, errors = [], []
        for number, row in enumerate(rows[1:], start=2):
            if not any(str(cell or "").strip() for cell in row):
                continue
            record = {}
            for title, name, cell in zip(header, names, row, strict=False):
                if name:
                    record[name], remedy = self._parse_cell(name, cell)
                    if remedy:
                        errors.append((number, title, remedy))
            values.append((number, {k: v for k, v in record.items() if v is not None}))
        if not values:
            errors.append((1, "", self.env._("The file holds no prices.")))
        return values, errors

    def _parse_cell(self, name, cell):
        """(value or None, what to do about it or None)"""
        text = str(cell if cell is not None else "").strip()
        if not text:
            remedy = self.env._("Fill in this cell.") if name in REQUIRED else None
            return None, remedy
        if name in SELECTIONS:
            return self._parse_selection(name, text)
        if name == "delivery_set_id":
            sets = self.env["onergy.delivery.set"].search([("name", "=ilike", text)])
            if sets:
                return sets[0].id, None
            return None, self.env._(
                "There is no delivery set of this name. Use one of: %(names)s",
                names=", ".join(sets.search([]).mapped("name")),
            )
        return self._parse_number(name, cell, text)

    def _parse_selection(self, name, text):
        words = {}
        installed = {code for code, _label in self.env["res.lang"].get_installed()}
        # Besides the users' languages the words as they are in the code.
        for lang in installed | {"en_US"}:
            line = self.env["onergy.tariff.line"].with_context(lang=lang)
            for key, label in line._fields[name]._description_selection(line.env):
                words[label.lower()] = words[key] = key
        key = words.get(text.lower())
        if key:
            return key, None
        labels = (
            self.env["onergy.tariff.line"]
            ._fields[name]
            ._description_selection(self.env)
        )
        return None, self.env._(
            "This word is not known here. Use one of: %(words)s",
            words=", ".join(label for _key, label in labels),
        )

    def _parse_number(self, name, cell, text):
        try:
            # A number cell is a float; its shortest form is what the clerk typed.
            number = Decimal(text.replace("€", "").replace(" ", "").replace(",", "."))
        except InvalidOperation:
            return None, self.env._("Write a number, for example 43,79.")
        if number < 0:
            return None, self.env._("Write a number of zero or more.")
        if round(number, DIGITS[name]) != number:
            return None, self.env._(
                "Write at most %(digits)s decimals.", digits=DIGITS[name]
            )
        return float(number), None

    def _create_tariff(self, values):
        """(tariff, errors); makes nothing when there are errors."""
        tariff = self.env["onergy.tariff"].create(
            {
                "name": self.name,
                "company_id": self.company_id.id,
                "valid_from": self.valid_from,
                "decided_on": self.decided_on,
                "complex_ids": [Command.set(self.complex_ids.ids)],
            }
        )
        try:
            with self.env.cr.savepoint():
                lines = self.env["onergy.tariff.line"].create(
                    [{**vals, "tariff_id": tariff.id} for _number, vals in values]
                )
                lines.flush_recordset()
        except ValidationError:
            # Something is wrong: find out with which lines.
            errors = self._find_errors(tariff, values)
            tariff.sudo().unlink()  # sudo: made a moment ago, and by nobody else
            return None, errors
        tariff.message_post(
            body=plaintext2html(
                self.env._(
                    "Loaded %(count)s prices from %(file)s",
                    count=len(lines),
                    file=self.filename or "",
                )
            )
        )
        return tariff, []

    def _find_errors(self, tariff, values):
        errors = []
        for number, vals in values:
            # The tiers of one price are judged together, not while lines are missing.
            alone = {k: v for k, v in vals.items() if not k.startswith("tier")}
            line = self.env["onergy.tariff.line"].new({**alone, "tariff_id": tariff.id})
            line.update({k: v for k, v in vals.items() if k.startswith("tier")})
            for check in ("_check_unit", "_check_cap"):
                try:
                    getattr(line, check)()
                except ValidationError as error:
                    errors.append((number, self.env._("Price"), str(error)))
        if not errors:
            errors.append(
                (
                    1,
                    self.env._("From GJ, to GJ"),
                    self.env._(
                        "The tiers of a price start at 0, follow on each other, and "
                        "the last has no end. No price may be there twice."
                    ),
                )
            )
        return errors
