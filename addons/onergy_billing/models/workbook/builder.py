from dataclasses import dataclass
from decimal import Decimal

from psycopg2.extensions import DECIMAL, register_type

from odoo import api, models
from odoo.tools import SQL, format_date

#: Rows that are fetched at a time.
FETCH = 1000
#: Rows after which the reader is told how far it is.
TELL_ROWS = 2000
CENT = Decimal("0.01")


@dataclass
class Check:
    """A control total and what it is compared with.

    :param explanation: what has to be equal, and why
    :param hint: where to look when it is not
    :param name: name of the cell with the verdict
    """

    sheet: str
    title: str
    rows: int
    total: Decimal
    ledger: Decimal
    explanation: str
    hint: str
    name: str

    @property
    def difference(self):
        return self.total - self.ledger

    @property
    def is_right(self):
        return not self.difference


class OnergyWorkbookBuilder(models.AbstractModel):
    """Fill the sheets of the accountant's workbook.

    Each sheet is one query that is read and written in pieces. Its control total is
    the sum of what was written; the ledger's figure comes from another query. Amounts
    stay the decimals of the database: floats would not add up over a long list.
    """

    _name = "onergy.workbook.builder"
    _description = "Sheets of the accountant's workbook"

    @api.model
    def _fill(self, workbook, book):
        """Write all sheets.

        :param workbook: ``onergy.workbook``
        :param book: :class:`~...report.workbook_writer.Workbook`
        :return: number of control totals that do not match the ledger
        """
        self.env.flush_all()
        book.describe(self._get_front_name(), workbook.company_id.name)
        front = book.book.add_worksheet(self._get_front_name())
        steps = self._get_steps()
        checks = []
        for number, step in enumerate(steps):
            book.begin(number, len(steps))
            checks.append(step(workbook, book))
        self._write_front(workbook, book, front, checks)
        return sum(not check.is_right for check in checks)

    def _get_steps(self):
        """The methods that each write a sheet, in order."""
        return [
            self._write_open_items,
            self._write_ageing,
            self._write_advances,
            self._write_use,
            self._write_settlements,
            self._write_accrual,
            self._write_vat,
            self._write_moves,
            self._write_balances,
            self._write_vacancy,
            self._write_payt,
        ]

    # -- tools ---------------------------------------------------------------------

    def _stream(self, query):
        """Rows of a query, a piece at a time: a cursor on the server keeps the rest."""
        # Odoo's cursor has none of its own kind, and turns decimals into floats.
        with self.env.cr._cnx.cursor(name="onergy_workbook") as cursor:
            register_type(DECIMAL, cursor)
            cursor.itersize = FETCH
            cursor.execute(query.code, query.params)
            yield from cursor

    def _value(self, query):
        ((value,),) = self._stream(query)
        return value or Decimal(0)

    def _add_sheet(self, workbook, book, sheet, columns):
        dates = (workbook.date_from, workbook.date_to, workbook.as_of)
        first, last, as_of = (format_date(self.env, day) for day in dates)
        facts = self.env._(
            "%(company)s, %(first)s to %(last)s, as of %(as_of)s",
            company=workbook.company_id.name,
            first=first,
            last=last,
            as_of=as_of,
        )
        return book.sheet(*sheet, facts, columns)

    def _write_list(
        self, workbook, book, sheet, columns, query, tie, explanation, hint=""
    ):
        """Write a query as a sheet and compare one of its totals with the ledger.

        :param sheet: (name, title)
        :param columns: list of (heading, kind, whether it is added up)
        :param tie: (index of the column, SQL of the ledger's figure)
        """
        page = self._add_sheet(workbook, book, sheet, columns)
        for number, row in enumerate(self._stream(query), start=1):
            page.add_row(row)
            if not number % TELL_ROWS:
                book.tell(sheet[0], number)
        return self._finish(
            book, page, sheet, tie[0], self._value(tie[1]), explanation, hint
        )

    def _finish(self, book, page, sheet, column, ledger, explanation, hint=""):
        _ = self.env._
        sums = page.finish(_("Control total"))
        number = int(sheet[0].split(" ")[0])
        check = Check(
            sheet[0],
            sheet[1],
            page.count,
            self._round(sums[column]),
            self._round(ledger),
            explanation,
            hint,
            f"Check_{number:02d}",
        )
        page.write_check(
            check.name,
            [
                (_("Ledger"), check.ledger, None),
                (_("Difference"), check.difference, None),
                (_("Result"), *self._get_verdict(book, check)),
            ],
        )
        return check

    @api.model
    def _round(self, amount):
        return Decimal(amount).quantize(CENT)

    def _get_verdict(self, book, check):
        """(word, format of the cell)"""
        if check.is_right:
            return self.env._("Right"), book.good
        return self.env._("Wrong"), book.bad

    def _labels(self, model, name):
        """SQL that turns the values of a selection field into words."""
        field = self.env[model]._fields[name]
        return SQL(", ").join(
            SQL("(%s, %s)", key, label)
            for key, label in field._description_selection(self.env)
        )

    def _get_line_period(self, workbook):
        """SQL condition: posted journal items ``l`` of the period."""
        return SQL(
            "l.parent_state = 'posted' AND l.company_id = %s "
            "AND l.date BETWEEN %s AND %s",
            workbook.company_id.id,
            workbook.date_from,
            workbook.date_to,
        )
