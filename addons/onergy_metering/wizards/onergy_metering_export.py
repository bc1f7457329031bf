import tempfile
from contextlib import closing

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name

from odoo import fields, models
from odoo.tools import SQL

from ..models.onergy_reading_loader import DAY_ZONE
from .export_sheet import ExportSheet

_BATCH = 5000
#: A worksheet of Excel ends here.
_SHEET_ROWS = 1_048_575


class OnergyMeteringExport(models.TransientModel):
    """Readings or use of a period as an Excel workbook, however many there are."""

    _name = "onergy.metering.export"
    _description = "Export to Excel"

    kind = fields.Selection(
        [
            ("readings", "Readings"),
            ("days", "Use per day"),
            ("months", "Use per month"),
        ],
        "What",
        required=True,
        default="months",
    )
    date_from = fields.Date(
        required=True,
        default=lambda self: fields.Date.start_of(
            fields.Date.context_today(self), "year"
        ),
    )
    date_to = fields.Date(
        "Until", required=True, default=lambda self: fields.Date.context_today(self)
    )
    complex_ids = fields.Many2many(
        "onergy.complex", string="Complexes", help="Empty: all of them."
    )

    def action_export(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_url",
            "url": f"/onergy/metering/export/{self.id}",
            "target": "download",
        }

    def _get_filename(self):
        return f"{self.kind}-{self.date_from}-{self.date_to}.xlsx"

    def _write_workbook(self):
        """Write the workbook to a temporary file and return it, at its beginning.

        Rows go from a server-side cursor to a workbook in constant memory; neither
        Python nor the client library ever holds more than a batch.
        """
        self.ensure_one()
        target = tempfile.TemporaryFile()
        options = {"constant_memory": True, "default_date_format": "yyyy-mm-dd"}
        with xlsxwriter.Workbook(target, options) as book:
            formats = {
                "date": book.add_format({"num_format": "yyyy-mm-dd"}),
                "moment": book.add_format({"num_format": "yyyy-mm-dd hh:mm"}),
                "number": book.add_format({"num_format": "#,##0.000"}),
                "head": book.add_format({"bold": True}),
            }
            self._write_sheets(book, formats)
        target.seek(0)
        return target

    def _write_sheets(self, book, formats):
        sheet, line = None, _SHEET_ROWS
        for row in self._iter_rows():
            if line >= _SHEET_ROWS:
                sheet, line = self._add_sheet(book, formats), 0
                writers = self._get_writers(sheet, formats)
            line += 1
            sheet.write_values(line, row, writers)
        if sheet is None:
            self._add_sheet(book, formats)

    def _get_writers(self, sheet, formats):
        """(letter, function that writes a cell) of each column."""
        return [
            (xl_col_to_name(column), self._get_writer(sheet, kind, formats))
            for column, (_title, kind, _width) in enumerate(self._get_columns())
        ]

    def _get_writer(self, sheet, kind, formats):
        if kind == "number":
            return sheet.get_number_writer(formats[kind])
        if kind in formats:
            return sheet.get_date_writer(formats[kind])
        return sheet.get_text_writer(self._get_words(kind))

    def _get_words(self, kind):
        """Labels of a selection, where ``kind`` names a model and a field of it."""
        model, dot, name = kind.rpartition(".")
        if not dot:
            return {}
        return dict(self.env[model]._fields[name]._description_selection(self.env))

    def _add_sheet(self, book, formats):
        sheet = book.add_worksheet(worksheet_class=ExportSheet)
        sheet.freeze_panes(1, 0)
        for column, (title, _kind, width) in enumerate(self._get_columns()):
            sheet.set_column(column, column, width)
            sheet.write_string(0, column, title, formats["head"])
        return sheet

    def _get_columns(self):
        """(title, kind, width) of each column.

        The kind is ``text``, ``number``, ``date``, ``moment`` or a selection field,
        ``model.field``, of which the label is written.
        """
        _ = self.env._
        if self.kind == "readings":
            return [
                (_("Meter number"), "text", 14),
                (_("Address"), "text", 36),
                (_("Register"), "onergy.reading.register", 10),
                (_("Read on"), "moment", 17),
                (_("Reading"), "number", 14),
                (_("Unit"), "text", 8),
                (_("Status"), "onergy.reading.status", 14),
                (_("Origin"), "onergy.reading.origin", 18),
            ]
        columns = [
            (_("Meter number"), "text", 14),
            (_("Address"), "text", 36),
            (_("Register"), "onergy.consumption.day.register", 10),
            (_("Month") if self.kind == "months" else _("Day"), "date", 12),
            (_("Use (GJ or m³)"), "number", 16),
        ]
        if self.kind == "days":
            return [*columns, (_("Quality"), "onergy.consumption.day.quality", 12)]
        return [
            *columns,
            (_("Days with data"), "number", 14),
            (_("Estimated days"), "number", 14),
        ]

    def _iter_rows(self):
        """Rows from a server-side cursor; only companies the user may see."""
        self.check_access("read")
        for name in ("onergy.reading", "onergy.consumption.day"):
            self.env[name].check_access("read")
        self.env.flush_all()
        query = self._get_query()
        # Odoo's cursor fetches all rows at once; this one leaves them on the server.
        with closing(self.env.cr._cnx.cursor("onergy_metering_export")) as cursor:
            cursor.itersize = _BATCH
            cursor.execute(query.code, query.params)
            yield from cursor

    def _get_query(self):
        """The query of the rows; every table in it is filtered by company."""
        return SQL(
            """
            SELECT m.serial, c.name, %(columns)s
              FROM %(source)s x
              JOIN onergy_meter m ON m.id = x.meter_id
              %(join)s
             WHERE m.company_id = ANY(%(companies)s) AND %(period)s
               AND (%(all)s OR c.complex_id = ANY(%(complexes)s))
             ORDER BY %(order)s
            """,
            companies=self.env.companies.ids,
            all=not self.complex_ids,
            complexes=self.complex_ids.ids,
            **getattr(self, f"_get_{self.kind}_parts")(),
        )

    def _get_readings_parts(self):
        local = SQL("x.moment AT TIME ZONE 'UTC' AT TIME ZONE %s", DAY_ZONE)
        loader = self.env["onergy.reading.loader"]
        return {
            "columns": SQL(
                "x.register, %s, x.value, x.unit, x.status, x.origin", local
            ),
            "source": SQL("onergy_reading"),
            "join": SQL(
                """
                LEFT JOIN onergy_meter_placement p
                  ON p.meter_id = x.meter_id AND p.date_from <= (%(local)s)::date
                 AND (p.date_to IS NULL OR p.date_to >= (%(local)s)::date)
                LEFT JOIN onergy_connection c ON c.id = p.connection_id
                """,
                local=local,
            ),
            "period": SQL(
                "x.superseded IS NOT TRUE AND x.moment >= %s AND x.moment < %s",
                loader._day_start(self.date_from),
                loader._day_start(fields.Date.add(self.date_to, days=1)),
            ),
            "order": SQL("x.meter_id, x.register, x.moment"),
        }

    def _get_days_parts(self):
        return {
            "columns": SQL("x.register, x.day, x.quantity, x.quality"),
            "source": SQL("onergy_consumption_day"),
            "join": SQL("JOIN onergy_connection c ON c.id = x.connection_id"),
            "period": SQL("x.day BETWEEN %s AND %s", self.date_from, self.date_to),
            "order": SQL("x.meter_id, x.register, x.day"),
        }

    def _get_months_parts(self):
        return {
            "columns": SQL("x.register, x.month, x.quantity, x.days, x.estimated_days"),
            "source": SQL("onergy_consumption_month"),
            "join": SQL("JOIN onergy_connection c ON c.id = x.connection_id"),
            "period": SQL("x.month BETWEEN %s AND %s", self.date_from, self.date_to),
            "order": SQL("x.meter_id, x.register, x.month"),
        }
