from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from operator import itemgetter

from dateutil.relativedelta import relativedelta
from lxml import etree
from psycopg2.extensions import DECIMAL, register_type

from odoo import api, fields, models, release
from odoo.exceptions import UserError
from odoo.tools import SQL

#: Target namespace of the schema of XAF 4.0 (package 4.0.3 of the Dutch tax office).
NAMESPACE = (
    "http://www.odb.belastingdienst.nl/Belastingdienst/BCPP/1.1/structures/"
    "XmlauditfileXAF_4.0"
)
#: Types of Odoo's journals as the schema names them.
JOURNAL_TYPES = {
    "sale": "S",
    "purchase": "P",
    "bank": "B",
    "credit": "B",
    "cash": "C",
    "general": "M",
}
FETCH = 1000
#: Items after which the reader is told how far it is.
TELL_ROWS = 2000
CENT = Decimal("0.01")
#: What XML cannot hold.
CONTROLS = dict.fromkeys(n for n in range(32) if n not in (9, 10, 13))


def text(value, length):
    """``value`` as the schema takes it: no control characters, not too long."""
    return str(value or "").translate(CONTROLS).strip()[:length]


def amount(value):
    return str(Decimal(value).quantize(CENT))


def side(value):
    return "C" if value < 0 else "D"


class OnergyAuditFile(models.AbstractModel):
    """The ledger of a period as an "XML Auditfile Financieel" 4.0.

    The elements and their order are those of the schema. Written as it is read, so
    that the length of the ledger does not matter. Amounts are the company's currency,
    always positive, with D or C beside them.
    """

    _name = "onergy.audit.file"
    _description = "Audit file (XAF 4.0)"

    @api.model
    def _write(self, company, first, last, path, tell=None):
        """Write the file.

        :param first: first day of the period, with the opening balance before it
        :param last: last day
        :param path: where the file goes
        :param tell: called as ``tell(percent, text)``
        :raises UserError: when the company lacks what the schema requires
        """
        self.env.flush_all()
        self._check(company)
        period = (company, first, last)
        with etree.xmlfile(path, encoding="utf-8") as xf:
            xf.write_declaration()
            with xf.element("auditfile", nsmap={None: NAMESPACE}):
                self._write_header(xf, *period)
                with xf.element("company"):
                    self._write_company(xf, company)
                    self._write_partners(xf, *period)
                    self._write_accounts(xf, *period)
                    self._write_taxes(xf, *period)
                    self._write_periods(xf, first, last)
                    self._write_opening(xf, *period)
                    self._write_transactions(xf, *period, tell)

    def _check(self, company):
        missing = [
            label
            for value, label in (
                (company.vat, self.env._("VAT number")),
                (company.country_id, self.env._("Country")),
            )
            if not value
        ]
        if missing:
            raise UserError(
                self.env._(
                    "Fill in for %(company)s first: %(fields)s.",
                    company=company.name,
                    fields=", ".join(missing),
                )
            )

    # -- tools ---------------------------------------------------------------------

    def _stream(self, query):
        with self.env.cr._cnx.cursor(name="onergy_audit_file") as cursor:
            register_type(DECIMAL, cursor)
            cursor.itersize = FETCH
            cursor.execute(query.code, query.params)
            yield from cursor

    def _write_element(self, xf, name, *children):
        """Write an element with simple children; those without a value are left out."""
        element = etree.Element(name)
        for child, value in children:
            if value not in (None, False, ""):
                etree.SubElement(element, child).text = str(value)
        xf.write(element)

    def _write_simple(self, xf, name, value):
        element = etree.Element(name)
        element.text = str(value)
        xf.write(element)

    def _get_code(self, company):
        return SQL("a.code_store ->> %s", str(company.root_id.id))

    def _get_name(self, alias):
        lang = self.env.lang or "en_US"
        column = SQL.identifier(alias, "name")
        return SQL("COALESCE(%s ->> %s, %s ->> 'en_US')", column, lang, column)

    def _get_posted(self, company, *days):
        condition = SQL("l.parent_state = 'posted' AND l.company_id = %s", company.id)
        if len(days) == 1:
            return SQL("%s AND l.date <= %s", condition, *days)
        return SQL("%s AND l.date BETWEEN %s AND %s", condition, *days)

    # -- master data ---------------------------------------------------------------

    def _write_header(self, xf, company, first, last):
        years = str(first.year)
        if last.year != first.year:
            years += f"-{last.year}"
        self._write_element(
            xf,
            "header",
            ("fiscalYear", years),
            ("startDate", first),
            ("endDate", last),
            ("curCode", company.currency_id.name),
            ("dateCreated", fields.Date.context_today(self)),
            ("softwareDesc", "Odoo"),
            ("softwareVersion", text(release.version, 20)),
        )

    def _write_company(self, xf, company):
        if company.company_registry:
            self._write_simple(xf, "Commercenr", text(company.company_registry, 100))
        self._write_simple(xf, "companyName", text(company.name, 255))
        self._write_simple(xf, "taxRegistrationCountry", company.country_id.code)
        self._write_simple(xf, "taxRegIdent", text(company.vat, 30))
        xf.write(self._make_address(company.partner_id))

    def _make_address(self, partner):
        element = etree.Element("streetAddress")
        for name, value in (
            ("streetname", text(partner.street, 100)),
            ("city", text(partner.city, 50)),
            ("postalCode", text(partner.zip, 10)),
            ("country", partner.country_id.code),
        ):
            if value:
                etree.SubElement(element, name).text = value
        return element

    def _get_partner_key(self):
        """SQL: number of a debtor, or that of the record for anybody else."""
        return SQL("COALESCE(p.debtor_number, 'P' || p.id)")

    def _write_partners(self, xf, company, first, last):
        """Debtors and creditors with what they owed before and after the period."""
        query = SQL(
            """
            SELECT p.id, %(key)s,
                   bool_or(a.account_type = 'asset_receivable'),
                   bool_or(a.account_type = 'liability_payable'),
                   COALESCE(sum(l.balance) FILTER (WHERE l.date < %(first)s), 0),
                   sum(l.balance)
              FROM account_move_line l
              JOIN account_account a ON a.id = l.account_id
              JOIN res_partner p ON p.id = l.partner_id
             WHERE a.account_type IN ('asset_receivable', 'liability_payable')
               AND %(posted)s
             GROUP BY p.id ORDER BY 2
            """,
            key=self._get_partner_key(),
            first=first,
            posted=self._get_posted(company, last),
        )
        with xf.element("customersSuppliers"):
            for rows in self._batches(query):
                partners = self.env["res.partner"].browse([row[0] for row in rows])
                for partner, row in zip(partners, rows, strict=True):
                    xf.write(self._make_partner(partner, *row[1:]))
                self.env.invalidate_all()

    def _batches(self, query):
        rows = []
        for row in self._stream(query):
            rows.append(row)
            if len(rows) == FETCH:
                yield rows
                rows = []
        if rows:
            yield rows

    def _make_partner(self, partner, key, is_debtor, is_creditor, before, after):
        kinds = {(True, True): "B", (True, False): "C", (False, True): "S"}
        element = etree.Element("customerSupplier")
        for name, value in (
            ("custSupID", text(key, 35)),
            ("custSupName", text(partner.name, 50)),
            ("eMail", text(partner.email, 255)),
            ("commerceNr", text(partner.company_registry, 100)),
            ("taxRegistrationCountry", partner.vat and partner.country_id.code),
            ("taxRegIdent", text(partner.vat, 30)),
            ("custSupTp", kinds[is_debtor, is_creditor]),
            ("opBalDesc", amount(abs(before))),
            ("opBalTp", side(before)),
            ("clBalDesc", amount(abs(after))),
            ("clBalTp", side(after)),
        ):
            if value:
                etree.SubElement(element, name).text = value
        address = self._make_address(partner)
        if len(address):
            element.append(address)
        return element

    def _write_accounts(self, xf, company, first, last):
        rows = self._stream(
            SQL(
                """
                SELECT %s, %s, a.account_type LIKE 'income%%'
                              OR a.account_type LIKE 'expense%%'
                              OR a.account_type = 'off_balance'
                  FROM account_account a
                 WHERE a.id IN (SELECT l.account_id FROM account_move_line l WHERE %s)
                    OR a.account_type = 'equity_unaffected' AND %s IS NOT NULL
                 ORDER BY 1
                """,
                self._get_code(company),
                self._get_name("a"),
                self._get_posted(company, last),
                self._get_code(company),
            )
        )
        with xf.element("generalLedger"):
            for code, name, is_result in rows:
                self._write_element(
                    xf,
                    "ledgerAccount",
                    ("accID", text(code, 35)),
                    ("accDesc", text(name, 255)),
                    ("accTp", "P" if is_result else "B"),
                )

    def _write_taxes(self, xf, company, first, last):
        rows = self._stream(
            SQL(
                """
                SELECT t.id, %s, max(%s) FILTER (WHERE t.type_tax_use = 'sale'),
                       max(%s) FILTER (WHERE t.type_tax_use = 'purchase')
                  FROM account_move_line l
                  JOIN account_tax t ON t.id = l.tax_line_id
                  JOIN account_account a ON a.id = l.account_id
                 WHERE %s GROUP BY t.id ORDER BY t.id
                """,
                self._get_name("t"),
                self._get_code(company),
                self._get_code(company),
                self._get_posted(company, first, last),
            )
        )
        with xf.element("vatCodes"):
            for tax_id, name, to_pay, to_claim in rows:
                self._write_element(
                    xf,
                    "vatCode",
                    ("vatID", tax_id),
                    ("vatDesc", text(name, 100)),
                    ("vatToPayAccID", to_pay),
                    ("vatToClaimAccID", to_claim),
                )

    def _write_periods(self, xf, first, last):
        with xf.element("periods"):
            for number, (start, end) in enumerate(self._get_months(first, last), 1):
                self._write_element(
                    xf,
                    "period",
                    ("periodNumber", number),
                    ("startDatePeriod", start),
                    ("endDatePeriod", end),
                )

    @api.model
    def _get_months(self, first, last):
        """(first, last) day of each month, cut off at the ends of the period."""
        months, start = [], first
        while start <= last:
            following = date(start.year, start.month, 1) + relativedelta(months=1)
            months.append((start, min(following - timedelta(days=1), last)))
            start = following
        return months

    # -- amounts -------------------------------------------------------------------

    def _write_opening(self, xf, company, first, last):
        """Balances before the period; results of earlier years as equity."""
        rows = [
            (code, balance)
            for code, balance in self._stream(
                SQL(
                    """
                    SELECT code, sum(balance) FROM (
                        SELECT CASE WHEN a.account_type LIKE 'income%%'
                                      OR a.account_type LIKE 'expense%%'
                                    THEN (SELECT %(code)s FROM account_account a
                                           WHERE a.account_type = 'equity_unaffected'
                                             AND %(code)s IS NOT NULL
                                           ORDER BY a.id LIMIT 1)
                                    ELSE %(code)s END AS code, l.balance
                          FROM account_move_line l
                          JOIN account_account a ON a.id = l.account_id
                         WHERE %(posted)s) items
                     GROUP BY code HAVING sum(balance) <> 0 ORDER BY code
                    """,
                    code=self._get_code(company),
                    posted=self._get_posted(company, first - timedelta(days=1)),
                )
            )
        ]
        debit = sum((b for _code, b in rows if b > 0), Decimal(0))
        with xf.element("openingBalance"):
            self._write_totals(xf, len(rows), debit, debit - sum(b for _c, b in rows))
            for number, (code, balance) in enumerate(rows, start=1):
                self._write_element(
                    xf,
                    "obLine",
                    ("nr", number),
                    ("accID", text(code, 35)),
                    ("amnt", amount(abs(balance))),
                    ("amntTp", side(balance)),
                )

    def _write_totals(self, xf, count, debit, credit):
        self._write_simple(xf, "linesCount", count)
        self._write_simple(xf, "totalDebit", amount(debit))
        self._write_simple(xf, "totalCredit", amount(credit))

    def _write_transactions(self, xf, company, first, last, tell):
        posted = self._get_posted(company, first, last)
        # A negative debit is written as a credit, so totals go by the balance.
        ((count, debit, credit),) = self._stream(
            SQL(
                """
                SELECT count(*), COALESCE(sum(l.balance) FILTER (WHERE balance > 0), 0),
                       COALESCE(-sum(l.balance) FILTER (WHERE balance < 0), 0)
                  FROM account_move_line l WHERE l.display_type NOT IN
                       ('line_section', 'line_note', 'line_subsection') AND %s
                """,
                posted,
            )
        )
        months = {
            (start.year, start.month): number
            for number, (start, _end) in enumerate(self._get_months(first, last), 1)
        }
        with xf.element("transactions"):
            self._write_totals(xf, count, debit, credit)
            done = 0
            # They come in this order: nothing has to be gathered before it is written.
            # pylint: disable=bad-builtin-groupby
            items = self._stream(self._get_items(company, posted))
            for journal, rows in groupby(items, key=itemgetter(0, 1, 2)):
                code, name, kind = journal
                with xf.element("journal"):
                    self._write_simple(xf, "jrnID", text(code, 35))
                    self._write_simple(xf, "desc", text(name, 9999))
                    self._write_simple(xf, "jrnTp", JOURNAL_TYPES.get(kind, "Z"))
                    for _move, lines in groupby(rows, key=itemgetter(3)):
                        lines = list(lines)
                        xf.write(self._make_transaction(lines, months))
                        done += len(lines)
                        if tell and done % TELL_ROWS < len(lines):
                            tell(100 * done // count, f"{done} / {count}")

    def _get_items(self, company, posted):
        return SQL(
            """
            SELECT j.code, %(journal)s, j.type, m.id, m.name, m.date,
                   COALESCE(m.ref, ''), m.invoice_date, m.move_type,
                   l.id, %(code)s, l.name, l.balance, %(partner)s,
                   a.account_type IN ('asset_receivable', 'liability_payable'),
                   l.tax_line_id, t.amount, c.name, l.amount_currency
              FROM account_move_line l
              JOIN account_move m ON m.id = l.move_id
              JOIN account_journal j ON j.id = m.journal_id
              JOIN account_account a ON a.id = l.account_id
              JOIN res_currency c ON c.id = l.currency_id
              LEFT JOIN res_partner p ON p.id = l.partner_id
              LEFT JOIN account_tax t ON t.id = l.tax_line_id
             WHERE l.display_type NOT IN
                   ('line_section', 'line_note', 'line_subsection') AND %(posted)s
             ORDER BY j.code, j.id, m.date, m.id, l.id
            """,
            journal=self._get_name("j"),
            code=self._get_code(company),
            partner=self._get_partner_key(),
            posted=posted,
        )

    def _make_transaction(self, lines, months):
        _code, _journal, _type, _id, name, day, ref, *_rest = lines[0]
        element = etree.Element("transaction")
        for key, value in (
            ("nr", text(name, 35)),
            ("desc", text(ref, 9999)),
            ("periodNumber", months[day.year, day.month]),
            ("trDt", day),
        ):
            if value:
                etree.SubElement(element, key).text = str(value)
        for line in lines:
            element.append(self._make_line(*line[4:]))
        return element

    def _make_line(
        self,
        move,
        day,
        _ref,
        invoice_date,
        move_type,
        line_id,
        account,
        label,
        balance,
        partner,
        has_partner,
        tax_id,
        rate,
        currency,
        foreign,
    ):
        is_invoice = move_type != "entry"
        element = etree.Element("trLine")
        for key, value in (
            ("nr", line_id),
            ("accID", text(account, 35)),
            ("docRef", text(move, 255)),
            ("effDate", invoice_date or day),
            ("desc", text(label, 9999)),
            ("amnt", amount(abs(balance))),
            ("amntTp", side(balance)),
            ("custSupID", has_partner and partner and text(partner, 35)),
            ("invRef", is_invoice and text(move, 255)),
        ):
            if value:
                etree.SubElement(element, key).text = str(value)
        if tax_id:
            vat = etree.SubElement(element, "vat")
            for key, value in (
                ("vatID", tax_id),
                ("vatPerc", Decimal(rate).quantize(Decimal("0.001"))),
                ("vatAmnt", amount(abs(balance))),
                ("vatAmntTp", side(balance)),
            ):
                etree.SubElement(vat, key).text = str(value)
        if currency != self.env.company.currency_id.name:
            other = etree.SubElement(element, "currency")
            etree.SubElement(other, "curCode").text = currency
            etree.SubElement(other, "curAmnt").text = amount(abs(foreign))
        return element
