from collections import namedtuple

from odoo import api, fields, models
from odoo.tools import SQL, format_date, format_datetime

from .onergy_settlement_calculator import Period

#: Rows that are fetched at a time, and contracts that are worked out at a time.
FETCH = 1000
BATCH = 100
CENT = 0.005

Check = namedtuple("Check", "sheet title rows total ledger explanation name")


class OnergyWorkbookBuilder(models.AbstractModel):
    """Fill the sheets of the accountant's workbook.

    Each sheet is one query that is read and written in pieces. Its control total is
    the sum of what was written; the ledger's figure comes from another query.
    """

    _name = "onergy.workbook.builder"
    _description = "Sheets of the accountant's workbook"

    @api.model
    def _fill(self, workbook, book):
        """Write all sheets.

        :param workbook: ``onergy.workbook``
        :param book: :class:`~..report.workbook_writer.Workbook`
        :return: number of control totals that do not match the ledger
        """
        self.env.flush_all()
        front = book.book.add_worksheet(self.env._("1 Explanation"))
        steps = [
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
        checks = [step(workbook, book) for step in steps]
        return self._write_front(workbook, book, front, checks)

    # -- tools ---------------------------------------------------------------------

    def _stream(self, query):
        """Rows of a query, a piece at a time: a cursor on the server keeps the rest."""
        # Odoo's cursor has none of its own kind.
        with self.env.cr._cnx.cursor(name="onergy_workbook") as cursor:
            cursor.itersize = FETCH
            cursor.execute(query.code, query.params)
            yield from cursor

    def _value(self, query):
        ((value,),) = self.env.execute_query(query)
        return float(value or 0)

    def _write_list(self, workbook, book, sheet, columns, query, tie, explanation):
        """Write a query as a sheet and compare one of its totals with the ledger.

        :param sheet: (name, title)
        :param columns: list of (heading, kind, whether it is added up)
        :param tie: (index of the column, SQL of the ledger's figure)
        """
        page = book.sheet(*sheet, columns)
        for row in self._stream(query):
            page.add_row(row)
        return self._finish(page, sheet, tie[0], self._value(tie[1]), explanation)

    def _finish(self, page, sheet, column, ledger, explanation):
        sums = page.finish(self.env._("Control total"))
        number = sheet[0].split(" ")[0]
        return Check(
            sheet[0],
            sheet[1],
            page.count,
            round(sums[column], 2),
            round(ledger, 2),
            explanation,
            f"Check_{int(number):02d}",
        )

    def _labels(self, model, name):
        """SQL that turns the values of a selection field into words."""
        field = self.env[model]._fields[name]
        return SQL(", ").join(
            SQL("(%s, %s)", key, label)
            for key, label in field._description_selection(self.env)
        )

    def _write_front(self, workbook, book, front, checks):
        _ = self.env._
        front.set_column(0, 0, 34)
        front.set_column(1, 1, 12)
        front.set_column(2, 4, 16)
        front.set_column(5, 5, 14)
        front.set_column(6, 6, 90)
        front.write_string(0, 0, _("Accountant's workbook"), book.title)
        facts = [
            (_("Company"), workbook.company_id.name),
            (
                _("Period"),
                f"{format_date(self.env, workbook.date_from)} – "
                f"{format_date(self.env, workbook.date_to)}",
            ),
            (_("As of"), format_date(self.env, workbook.as_of)),
            (_("Made on"), format_datetime(self.env, fields.Datetime.now())),
            (_("Made by"), workbook.user_id.name),
            (
                _("How to read it"),
                _(
                    "Figures are frozen. Each sheet ends with a control total; below "
                    "it is compared with the ledger. Text that begins like a formula "
                    "has an apostrophe in front."
                ),
            ),
        ]
        for row, (label, value) in enumerate(facts, start=2):
            front.write_string(row, 0, label, book.label)
            front.write_string(row, 1, str(value or ""))
        row = len(facts) + 3
        for column, heading in enumerate(
            (
                _("Sheet"),
                _("Rows"),
                _("Control total"),
                _("Ledger"),
                _("Difference"),
                _("Check"),
                _("Explanation"),
            )
        ):
            front.write_string(row, column, heading, book.head)
        front.freeze_panes(row + 1, 0)
        broken = 0
        money = book.formats["money"]
        for check in checks:
            row += 1
            is_right = abs(check.total - check.ledger) < CENT
            broken += not is_right
            front.write_string(row, 0, f"{check.sheet}: {check.title}"[:255])
            front.write_number(row, 1, check.rows)
            front.write_number(row, 2, check.total, money)
            front.write_number(row, 3, check.ledger, money)
            front.write_number(row, 4, check.total - check.ledger, money)
            front.write_string(
                row,
                5,
                _("Right") if is_right else _("Wrong"),
                book.good if is_right else book.bad,
            )
            front.write_string(row, 6, check.explanation)
            sheet = self.env._("1 Explanation").replace("'", "''")
            book.book.define_name(check.name, f"='{sheet}'!$F${row + 1}")
        return broken

    # -- 2, 3: open items ----------------------------------------------------------

    def _get_open_items(self, workbook):
        """SQL: each line on a receivable account with what was open on the day."""
        return SQL(
            """
            SELECT l.id, l.partner_id, l.move_id, l.date,
                   COALESCE(l.date_maturity, l.date) AS due, l.balance,
                   l.balance
                   - COALESCE((SELECT sum(p.amount) FROM account_partial_reconcile p
                                WHERE p.debit_move_id = l.id
                                  AND p.max_date <= %(as_of)s), 0)
                   + COALESCE((SELECT sum(p.amount) FROM account_partial_reconcile p
                                WHERE p.credit_move_id = l.id
                                  AND p.max_date <= %(as_of)s), 0) AS residual
              FROM account_move_line l
              JOIN account_account a ON a.id = l.account_id
             WHERE a.account_type = 'asset_receivable' AND l.parent_state = 'posted'
               AND l.company_id = %(company)s AND l.date <= %(as_of)s
            """,
            as_of=workbook.as_of,
            company=workbook.company_id.id,
        )

    def _get_receivable_balance(self, workbook):
        return SQL(
            """
            SELECT sum(l.balance) FROM account_move_line l
              JOIN account_account a ON a.id = l.account_id
             WHERE a.account_type = 'asset_receivable' AND l.parent_state = 'posted'
               AND l.company_id = %s AND l.date <= %s
            """,
            workbook.company_id.id,
            workbook.as_of,
        )

    def _write_open_items(self, workbook, book):
        _ = self.env._
        return self._write_list(
            workbook,
            book,
            (_("2 Open items"), _("Open items per invoice")),
            [
                (_("Debtor"), "text", False),
                (_("Name"), "wide", False),
                (_("Document"), "text", False),
                (_("Kind"), "text", False),
                (_("Date"), "date", False),
                (_("Due"), "date", False),
                (_("Amount"), "money", True),
                (_("Open"), "money", True),
            ],
            SQL(
                """
                SELECT p.debtor_number, p.name, m.name, k.label, i.date, i.due,
                       i.balance::float, i.residual::float
                  FROM (%s) i
                  JOIN account_move m ON m.id = i.move_id
                  LEFT JOIN res_partner p ON p.id = i.partner_id
                  LEFT JOIN (VALUES %s) k(value, label) ON k.value = m.onergy_move_kind
                 WHERE round(i.residual, 2) <> 0
                 ORDER BY p.name, i.date, i.id
                """,
                self._get_open_items(workbook),
                self._labels("account.move", "onergy_move_kind"),
            ),
            (7, self._get_receivable_balance(workbook)),
            _("Open items on the day are the balance of the debtors' accounts."),
        )

    def _write_ageing(self, workbook, book):
        _ = self.env._
        buckets = SQL(
            """
            sum(residual) FILTER (WHERE late <= 0)::float,
            sum(residual) FILTER (WHERE late BETWEEN 1 AND 30)::float,
            sum(residual) FILTER (WHERE late BETWEEN 31 AND 60)::float,
            sum(residual) FILTER (WHERE late BETWEEN 61 AND 90)::float,
            sum(residual) FILTER (WHERE late > 90)::float
            """
        )
        return self._write_list(
            workbook,
            book,
            (_("3 Ageing"), _("Age of open items per debtor")),
            [
                (_("Debtor"), "text", False),
                (_("Name"), "wide", False),
                (_("Not due"), "money", True),
                (_("1-30 days"), "money", True),
                (_("31-60 days"), "money", True),
                (_("61-90 days"), "money", True),
                (_("More than 90 days"), "money", True),
                (_("Open"), "money", True),
            ],
            SQL(
                """
                SELECT p.debtor_number, p.name, %s, sum(residual)::float
                  FROM (SELECT i.*, %s - i.due AS late FROM (%s) i) i
                  LEFT JOIN res_partner p ON p.id = i.partner_id
                 GROUP BY p.id, p.debtor_number, p.name
                HAVING bool_or(round(residual, 2) <> 0)
                 ORDER BY p.name, p.id
                """,
                buckets,
                workbook.as_of,
                self._get_open_items(workbook),
            ),
            (7, self._get_receivable_balance(workbook)),
            _("By due date; together they are the balance of the debtors' accounts."),
        )

    # -- 4: advances ---------------------------------------------------------------

    def _write_advances(self, workbook, book):
        _ = self.env._
        company, dates = workbook.company_id.id, (workbook.date_from, workbook.date_to)
        return self._write_list(
            workbook,
            book,
            (_("4 Advances"), _("Advances per address and month")),
            [
                (_("Address"), "wide", False),
                (_("Contract"), "text", False),
                (_("Payer"), "wide", False),
                (_("Month"), "date", False),
                (_("Document"), "text", False),
                (_("Invoiced"), "money", True),
                (_("Credited"), "money", True),
                (_("Paid or settled"), "money", True),
                (_("Open"), "money", True),
            ],
            SQL(
                """
                SELECT c.name, k.name, p.name,
                       COALESCE(m.onergy_advance_month, m.invoice_date), m.name,
                       CASE WHEN m.move_type = 'out_invoice'
                            THEN i.balance END::float,
                       CASE WHEN m.move_type = 'out_refund'
                            THEN i.balance END::float,
                       (i.balance - i.residual)::float, i.residual::float
                  FROM (%s) i
                  JOIN account_move m ON m.id = i.move_id
                  JOIN onergy_contract k ON k.id = m.onergy_contract_id
                  JOIN onergy_connection c ON c.id = k.connection_id
                  JOIN res_partner p ON p.id = m.partner_id
                 WHERE m.onergy_move_kind = 'advance' AND m.date BETWEEN %s AND %s
                 ORDER BY c.name, k.id, m.date, m.id
                """,
                self._get_open_items(workbook),
                *dates,
            ),
            (
                5,
                SQL(
                    """
                    SELECT sum(amount_total_signed) FROM account_move
                     WHERE onergy_move_kind = 'advance' AND state = 'posted'
                       AND move_type = 'out_invoice' AND company_id = %s
                       AND date BETWEEN %s AND %s AND date <= %s
                    """,
                    company,
                    *dates,
                    workbook.as_of,
                ),
            ),
            _("Invoiced in the period, as of the day, is what the invoices add up to."),
        )

    # -- 5, 6: settlements ---------------------------------------------------------

    def _get_settlements(self, workbook):
        """SQL condition: settlements whose invoice lies in the period."""
        return SQL(
            "s.state = 'posted' AND s.company_id = %s AND m.date BETWEEN %s AND %s",
            workbook.company_id.id,
            workbook.date_from,
            workbook.date_to,
        )

    def _write_use(self, workbook, book):
        _ = self.env._
        condition = self._get_settlements(workbook)
        return self._write_list(
            workbook,
            book,
            (_("5 Use"), _("Use per address, with readings")),
            [
                (_("Address"), "wide", False),
                (_("Contract"), "text", False),
                (_("Meter"), "text", False),
                (_("Day"), "date", False),
                (_("Reading (GJ)"), "number", False),
                (_("Basis"), "text", False),
                (_("Use since (GJ)"), "number", True),
                (_("A year before, corrected (GJ)"), "number", False),
            ],
            SQL(
                """
                SELECT address, contract, serial, day, value, label,
                       CASE WHEN previous IS NOT NULL THEN
                            CASE WHEN value >= previous THEN value - previous
                                 ELSE NULL END END,
                       CASE WHEN is_first THEN before END
                  FROM (
                    SELECT c.name AS address, k.name AS contract, r.serial, r.day,
                           r.value::float AS value, b.label,
                           lag(r.value) OVER w::float AS previous,
                           row_number() OVER (PARTITION BY s.id
                                              ORDER BY r.sequence) = 1 AS is_first,
                           NULLIF(s.use_before, 0)::float AS before,
                           s.id, r.sequence
                      FROM onergy_settlement_reading r
                      JOIN onergy_settlement s ON s.id = r.settlement_id
                      JOIN account_move m ON m.id = s.move_id
                      JOIN onergy_contract k ON k.id = s.contract_id
                      JOIN onergy_connection c ON c.id = s.connection_id
                      LEFT JOIN (VALUES %s) b(value, label) ON b.value = r.basis
                     WHERE %s
                    WINDOW w AS (PARTITION BY s.id, r.serial, r.component
                                 ORDER BY r.sequence)
                  ) rows
                 ORDER BY address, id, sequence
                """,
                self._labels("onergy.settlement.reading", "basis"),
                condition,
            ),
            (
                6,
                SQL(
                    """
                    SELECT sum(l.quantity) FROM onergy_settlement_line l
                      JOIN onergy_settlement s ON s.id = l.settlement_id
                      JOIN account_move m ON m.id = s.move_id
                     WHERE l.unit = 'gj' AND s.original_id IS NULL AND %s
                    """,
                    condition,
                ),
            ),
            _(
                "Differences of the readings are the GJ that were billed. A register "
                "that started again at zero in the period breaks this."
            ),
        )

    def _write_settlements(self, workbook, book):
        _ = self.env._
        condition = self._get_settlements(workbook)
        components = SQL(", ").join(
            SQL("sum(l.amount) FILTER (WHERE l.component = %s)::float", component)
            for component in ("heat", "cooling", "standing", "metering", "delivery_set")
        )
        return self._write_list(
            workbook,
            book,
            (_("6 Settlements"), _("Settlements in the period")),
            [
                (_("Address"), "wide", False),
                (_("Payer"), "wide", False),
                (_("From"), "date", False),
                (_("Until"), "date", False),
                (_("Document"), "text", False),
                (_("Heat"), "money", True),
                (_("Cooling"), "money", True),
                (_("Standing charge"), "money", True),
                (_("Metering charge"), "money", True),
                (_("Rent of the delivery set"), "money", True),
                (_("Supply incl. VAT"), "money", True),
                (_("VAT on the supply"), "money", True),
                (_("Advances incl. VAT"), "money", True),
                (_("VAT on the advances"), "money", True),
                (_("Compensation"), "money", True),
                (_("To pay"), "money", True),
            ],
            SQL(
                """
                SELECT c.name, p.name, s.date_from, s.date_to, m.name, %s,
                       s.amount_supply::float, s.vat_supply::float,
                       s.amount_advances::float, s.vat_advances::float,
                       s.amount_compensation::float, s.amount_total::float
                  FROM onergy_settlement s
                  JOIN account_move m ON m.id = s.move_id
                  JOIN onergy_connection c ON c.id = s.connection_id
                  JOIN res_partner p ON p.id = s.partner_id
                  LEFT JOIN onergy_settlement_line l ON l.settlement_id = s.id
                 WHERE %s
                 GROUP BY s.id, c.name, p.name, m.name
                 ORDER BY c.name, s.date_from, s.id
                """,
                components,
                condition,
            ),
            (
                15,
                SQL(
                    """
                    SELECT sum(l.balance) FROM account_move_line l
                      JOIN account_account a ON a.id = l.account_id
                      JOIN account_move m ON m.id = l.move_id
                     WHERE a.account_type = 'asset_receivable'
                       AND m.onergy_move_kind = 'settlement' AND m.state = 'posted'
                       AND m.company_id = %s AND m.date BETWEEN %s AND %s
                    """,
                    workbook.company_id.id,
                    workbook.date_from,
                    workbook.date_to,
                ),
            ),
            _("To pay is what these invoices put on the debtors' accounts."),
        )

    # -- 7: accrual ----------------------------------------------------------------

    def _write_accrual(self, workbook, book):
        _ = self.env._
        sheet = (_("7 To be settled"), _("Delivered and not yet settled"))
        page = book.sheet(
            *sheet,
            [
                (_("Address"), "wide", False),
                (_("Contract"), "text", False),
                (_("Payer"), "wide", False),
                (_("From"), "date", False),
                (_("Until"), "date", False),
                (_("Use (GJ)"), "number", True),
                (_("Delivered without VAT"), "money", True),
                (_("Advances without VAT"), "money", True),
                (_("To be received"), "money", True),
                (_("Remark"), "wide", False),
            ],
        )
        periods = self._get_accrual_periods(workbook)
        calculator = self.env["onergy.settlement.calculator"]
        ids = []
        for start in range(0, len(periods), BATCH):
            batch = periods[start : start + BATCH]
            for result in calculator._calculate(batch, as_of=workbook.as_of):
                page.add_row(self._get_accrual_row(result))
                ids += [move_id for move_id, *_rest in result.advances]
            self.env.invalidate_all()
        ledger = self._value(
            SQL(
                """
                SELECT -sum(l.balance) FROM account_move_line l
                 WHERE l.move_id = ANY(%s) AND l.display_type = 'product'
                """,
                ids,
            )
        )
        return self._finish(
            page,
            sheet,
            7,
            ledger,
            _(
                "Advances without VAT are what their invoices put in the books as "
                "turnover. Delivered is worked out like a bill, at the prices that are "
                "known now."
            ),
        )

    def _get_accrual_periods(self, workbook):
        """What each contract was supplied and not billed for on the day."""
        rows = self.env.execute_query(
            SQL(
                """
                SELECT c.id, start.day, LEAST(c.date_end, %(as_of)s)
                  FROM onergy_contract c
                  JOIN res_company co ON co.id = c.company_id
                 CROSS JOIN LATERAL (
                    SELECT GREATEST(c.date_start, co.onergy_billing_start, (
                        SELECT max(s.date_to) + 1 FROM onergy_settlement s
                          JOIN account_move m ON m.id = s.move_id
                         WHERE s.contract_id = c.id AND s.state = 'posted'
                           AND s.original_id IS NULL AND m.date <= %(as_of)s)) AS day
                 ) start
                 WHERE c.active AND c.company_id = %(company)s
                   AND start.day <= LEAST(c.date_end, %(as_of)s)
                 ORDER BY c.id
                """,
                as_of=workbook.as_of,
                company=workbook.company_id.id,
            )
        )
        contracts = self.env["onergy.contract"].browse([row[0] for row in rows])
        return [
            Period(contract, start, end)
            for contract, (_id, start, end) in zip(contracts, rows, strict=True)
        ]

    def _get_accrual_row(self, result):
        period, contract = result.period, result.period.contract
        advances = sum(net for _move, _rate, _day, net, _vat in result.advances)
        row = [
            contract.connection_id.name,
            contract.name,
            contract.partner_id.name,
            period.start,
            period.end,
        ]
        if not result.bill:
            # Unknown is not zero: the accountant has to see it.
            return [*row, None, None, float(advances), None, "; ".join(result.errors)]
        net = sum(part.net for part in result.bill.supply)
        use = sum(line.quantity for line in result.bill.lines if line.unit == "gj")
        figures = (use, net, advances, net - advances)
        return [*row, *(float(figure) for figure in figures), None]

    # -- 8: VAT --------------------------------------------------------------------

    def _write_vat(self, workbook, book):
        _ = self.env._
        period = (workbook.company_id.id, workbook.date_from, workbook.date_to)
        lang = self.env.lang or "en_US"
        return self._write_list(
            workbook,
            book,
            (_("8 VAT"), _("VAT per rate and month")),
            [
                (_("Month"), "date", False),
                (_("Tax"), "text", False),
                (_("Rate (%)"), "number", False),
                (_("Base"), "money", True),
                (_("VAT"), "money", True),
            ],
            SQL(
                """
                SELECT month, COALESCE(t.name ->> %(lang)s, t.name ->> 'en_US'),
                       t.amount::float, sum(base)::float, sum(vat)::float
                  FROM (
                    SELECT date_trunc('month', l.date)::date AS month,
                           l.tax_line_id AS tax_id, 0 AS base, -l.balance AS vat
                      FROM account_move_line l
                     WHERE l.tax_line_id IS NOT NULL AND %(period)s
                     UNION ALL
                    SELECT date_trunc('month', l.date)::date,
                           rel.account_tax_id, -l.balance, 0
                      FROM account_move_line l
                      JOIN account_move_line_account_tax_rel rel
                        ON rel.account_move_line_id = l.id
                     WHERE %(period)s
                  ) rows
                  JOIN account_tax t ON t.id = rows.tax_id
                 GROUP BY month, t.id
                 ORDER BY month, t.amount, t.id
                """,
                lang=lang,
                period=self._get_line_period(workbook),
            ),
            (
                4,
                SQL(
                    """
                    SELECT -sum(l.balance) FROM account_move_line l
                     WHERE l.account_id IN (
                           SELECT r.account_id FROM account_tax_repartition_line r
                             JOIN account_tax t ON t.id = r.tax_id
                            WHERE r.repartition_type = 'tax' AND t.company_id = %s)
                       AND l.parent_state = 'posted' AND l.company_id = %s
                       AND l.date BETWEEN %s AND %s
                    """,
                    period[0],
                    *period,
                ),
            ),
            _(
                "VAT of the documents is what the VAT accounts changed by. An entry "
                "made by hand on a VAT account, or the payment of a return, breaks "
                "this."
            ),
        )

    def _get_line_period(self, workbook):
        return SQL(
            "l.parent_state = 'posted' AND l.company_id = %s "
            "AND l.date BETWEEN %s AND %s",
            workbook.company_id.id,
            workbook.date_from,
            workbook.date_to,
        )

    # -- 9, 10: ledger -------------------------------------------------------------

    def _get_account_name(self):
        lang = self.env.lang or "en_US"
        return SQL("COALESCE(a.name ->> %s, a.name ->> 'en_US')", lang)

    def _get_account_code(self, workbook):
        return SQL("a.code_store ->> %s", str(workbook.company_id.root_id.id))

    def _write_moves(self, workbook, book):
        _ = self.env._
        return self._write_list(
            workbook,
            book,
            (_("9 Ledger"), _("Entries in the period")),
            [
                (_("Date"), "date", False),
                (_("Document"), "text", False),
                (_("Account"), "text", False),
                (_("Name of the account"), "wide", False),
                (_("Debtor"), "text", False),
                (_("Text"), "wide", False),
                (_("Debit"), "money", True),
                (_("Credit"), "money", True),
            ],
            SQL(
                """
                SELECT l.date, l.move_name, %s, %s, p.debtor_number, l.name,
                       l.debit::float, l.credit::float
                  FROM account_move_line l
                  JOIN account_account a ON a.id = l.account_id
                  LEFT JOIN res_partner p ON p.id = l.partner_id
                 WHERE %s
                 ORDER BY l.date, l.move_id, l.id
                """,
                self._get_account_code(workbook),
                self._get_account_name(),
                self._get_line_period(workbook),
            ),
            (
                6,
                SQL(
                    "SELECT sum(l.credit) FROM account_move_line l WHERE %s",
                    self._get_line_period(workbook),
                ),
            ),
            _("All that was debited was credited."),
        )

    def _write_balances(self, workbook, book):
        _ = self.env._
        before = SQL("FILTER (WHERE l.date < %s)", workbook.date_from)
        within = SQL("FILTER (WHERE l.date >= %s)", workbook.date_from)
        return self._write_list(
            workbook,
            book,
            (_("10 Trial balance"), _("Balances of the accounts")),
            [
                (_("Account"), "text", False),
                (_("Name of the account"), "wide", False),
                (_("Opening balance"), "money", True),
                (_("Debit"), "money", True),
                (_("Credit"), "money", True),
                (_("Closing balance"), "money", True),
            ],
            SQL(
                """
                SELECT %(code)s, %(name)s, sum(l.balance) %(before)s::float,
                       sum(l.debit) %(within)s::float, sum(l.credit) %(within)s::float,
                       sum(l.balance)::float
                  FROM account_move_line l
                  JOIN account_account a ON a.id = l.account_id
                 WHERE l.parent_state = 'posted' AND l.company_id = %(company)s
                   AND l.date <= %(until)s
                 GROUP BY a.id
                 ORDER BY 1
                """,
                code=self._get_account_code(workbook),
                name=self._get_account_name(),
                before=before,
                within=within,
                company=workbook.company_id.id,
                until=workbook.date_to,
            ),
            (
                3,
                SQL(
                    "SELECT sum(l.debit) FROM account_move_line l WHERE %s",
                    self._get_line_period(workbook),
                ),
            ),
            _("Debits per account add up to those of the entries on sheet 9."),
        )

    # -- 11: vacancy ---------------------------------------------------------------

    def _write_vacancy(self, workbook, book):
        _ = self.env._
        company, dates = workbook.company_id.id, (workbook.date_from, workbook.date_to)
        invoiced = SQL(
            """
            m.state = 'posted' AND m.company_id = %s AND m.date BETWEEN %s AND %s
            AND m.move_type IN ('out_invoice', 'out_refund')
            """,
            company,
            *dates,
        )
        return self._write_list(
            workbook,
            book,
            (_("11 Vacancy"), _("Empty homes and their owners")),
            [
                (_("Address"), "wide", False),
                (_("Owner"), "wide", False),
                (_("From"), "date", False),
                (_("Until"), "date", False),
                (_("Days in the period"), "integer", True),
                (_("Invoiced"), "money", True),
            ],
            SQL(
                """
                SELECT c.name, p.name, k.date_start, k.date_end,
                       GREATEST(0, LEAST(k.date_end, %(until)s)
                                   - GREATEST(k.date_start, %(first)s) + 1),
                       sum(m.amount_total_signed)::float
                  FROM onergy_contract k
                  JOIN onergy_connection c ON c.id = k.connection_id
                  JOIN res_partner p ON p.id = k.partner_id
                  LEFT JOIN account_move m
                    ON m.onergy_contract_id = k.id AND %(invoiced)s
                 WHERE k.role = 'vacancy' AND k.company_id = %(company)s
                 GROUP BY k.id, c.name, p.name
                HAVING count(m.id) > 0 OR (k.date_start <= %(until)s
                   AND (k.date_end IS NULL OR k.date_end >= %(first)s))
                 ORDER BY c.name, k.date_start
                """,
                first=dates[0],
                until=dates[1],
                invoiced=invoiced,
                company=company,
            ),
            (
                5,
                SQL(
                    """
                    SELECT sum(l.balance) FROM account_move_line l
                      JOIN account_account a ON a.id = l.account_id
                      JOIN account_move m ON m.id = l.move_id
                      JOIN onergy_contract k ON k.id = m.onergy_contract_id
                     WHERE a.account_type = 'asset_receivable'
                       AND k.role = 'vacancy' AND %s
                    """,
                    invoiced,
                ),
            ),
            _("Invoiced to owners is what was put on their debtors' accounts."),
        )

    # -- 12: Payt ------------------------------------------------------------------

    def _write_payt(self, workbook, book):
        """Differences with the receivables software, as its own addon finds them."""
        _ = self.env._
        sheet = (_("12 Payt"), _("Differences between Odoo and Payt"))
        page = book.sheet(
            *sheet,
            [
                (_("Document"), "text", False),
                (_("Name"), "wide", False),
                (_("Date"), "date", False),
                (_("Odoo"), "money", True),
                (_("Payt"), "money", True),
                (_("Difference"), "money", True),
                (_("Explanation"), "wide", False),
            ],
        )
        if "payt.difference" not in self.env:
            explanation = _("Payt is not connected to this database.")
            return self._finish(page, sheet, 5, 0.0, explanation)
        # sudo: only staff who handle Payt read its records; accountants get this list
        rows = (
            self.env["payt.difference"]
            .sudo()
            .search([("company_id", "=", workbook.company_id.id)])
        )
        for row in rows:
            page.add_row(
                [
                    row.move_id.name,
                    row.partner_id.name,
                    row.invoice_date,
                    row.odoo_amount,
                    row.payt_amount,
                    row.odoo_amount - row.payt_amount,
                    row.explanation,
                ]
            )
        return self._finish(
            page,
            sheet,
            5,
            0.0,
            _(
                "Nothing is listed when Odoo and Payt have the same amounts open. This "
                "is how it stands now, not on the day of the workbook."
            ),
        )
