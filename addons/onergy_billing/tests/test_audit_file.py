"""The audit file, held against the official schema and rules of XAF 4.0."""

import importlib.resources
import io
import unittest
from base64 import b64decode
from datetime import date
from unittest.mock import patch

from freezegun import freeze_time
from lxml import etree

from odoo.tests import tagged

from ..models import onergy_audit_file
from ..models.onergy_audit_file import NAMESPACE
from .test_workbook import WorkbookCommon

try:
    # Reads and judges audit files; it brings the schema of the tax office along.
    import pyxaf
except ImportError:
    pyxaf = None

NS = {"x": NAMESPACE}


@tagged("post_install", "-at_install")
class TestAuditFile(WorkbookCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company.write(
            {
                "vat": "NL123456782B90",
                "company_registry": "12345678",
                "street": "Stationsplein 1",
                "zip": "1234 AB",
                "city": "Utrecht",
                "country_id": cls.env.ref("base.nl").id,
            }
        )

    def make_file(self, first="2025-01-01", last="2025-12-31"):
        record = self.env["onergy.workbook"].create(
            {"kind": "xaf", "date_from": first, "date_to": last, "as_of": last}
        )
        record.action_make()
        self.run_cron()
        record.invalidate_recordset()
        self.assertEqual((record.state, record.problem), ("done", False))
        self.assertTrue(record.filename.endswith(".xaf"))
        return b64decode(record.file)

    def make_books(self):
        """Advances over two years, a bill, a payment, a credit note, control bytes."""
        self.payer.name = "A & B <i>\x07" + "x" * 60
        advances = self.invoice_advances(150.0).sorted("invoice_date")
        self.settle()
        self.pay(advances[0], "2024-08-20")
        self.pay(advances[8], "2025-03-20")
        advances[9]._reverse_moves(
            [{"invoice_date": "2025-05-01", "date": "2025-05-01"}], cancel=True
        )

    def get_sum(self, tree, path):
        """(debit, credit) in cents of the lines at a path."""
        sums = {"D": 0, "C": 0}
        for line in tree.iterfind(path, NS):
            value = line.findtext("x:amnt", namespaces=NS)
            side = line.findtext("x:amntTp", namespaces=NS)
            sums[side] += round(float(value) * 100)
        return sums["D"], sums["C"]

    @unittest.skipUnless(pyxaf, "pyxaf is not installed: pip install pyxaf")
    def test_schema_and_rules(self):
        self.make_books()
        content = self.make_file()
        schema = importlib.resources.files("pyxaf.schemas").joinpath(
            "XmlAuditfileFinancieel4.0.xsd"
        )
        etree.XMLSchema(etree.fromstring(schema.read_bytes())).assertValid(
            etree.fromstring(content)
        )
        self.assertEqual(pyxaf.detect(io.BytesIO(content)).version, "4.0")
        report = pyxaf.validate(io.BytesIO(content))
        self.assertFalse([str(finding) for finding in report.findings])

    def test_totals_are_those_of_the_ledger(self):
        self.make_books()
        tree = etree.fromstring(self.make_file())
        lines = self.env["account.move.line"].search(
            [
                ("company_id", "=", self.company.id),
                ("parent_state", "=", "posted"),
                ("date", ">=", "2025-01-01"),
                ("date", "<=", "2025-12-31"),
            ]
        )
        self.assertEqual(len(tree.findall(".//x:trLine", NS)), len(lines))
        positive = sum(ln.balance for ln in lines if ln.balance > 0)
        self.assertEqual(
            self.get_sum(tree, ".//x:trLine"), (round(positive * 100),) * 2
        )
        transactions = tree.find(".//x:transactions", NS)
        self.assertEqual(
            transactions.findtext("x:totalDebit", namespaces=NS), f"{positive:.2f}"
        )
        self.assertEqual(
            transactions.findtext("x:linesCount", namespaces=NS), str(len(lines))
        )
        per_account = {}
        for line in tree.iterfind(".//x:trLine", NS):
            code, value, side = (
                line.findtext(f"x:{name}", namespaces=NS)
                for name in ("accID", "amnt", "amntTp")
            )
            sign = 1 if side == "D" else -1
            per_account[code] = per_account.get(code, 0) + sign * float(value)
        for account, own in lines.grouped("account_id").items():
            self.assertAlmostEqual(
                per_account[account.code], sum(own.mapped("balance")), 2
            )

    def test_opening_balance(self):
        """Results of the year before are equity; the two sides are equal."""
        self.make_books()
        tree = etree.fromstring(self.make_file())
        debit, credit = self.get_sum(tree, ".//x:obLine")
        self.assertEqual(debit, credit)
        self.assertGreater(debit, 0)
        opening = {
            line.findtext("x:accID", namespaces=NS)
            for line in tree.iterfind(".//x:obLine", NS)
        }
        accounts = {
            account.findtext("x:accID", namespaces=NS): account.findtext(
                "x:accTp", namespaces=NS
            )
            for account in tree.iterfind(".//x:ledgerAccount", NS)
        }
        self.assertEqual({accounts[code] for code in opening}, {"B"})

    def test_debtor(self):
        self.make_books()
        tree = etree.fromstring(self.make_file())
        debtors = {
            node.findtext("x:custSupID", namespaces=NS): node
            for node in tree.iterfind(".//x:customerSupplier", NS)
        }
        debtor = debtors[self.payer.debtor_number]
        self.assertEqual(
            debtor.findtext("x:custSupName", namespaces=NS),
            ("A & B <i>" + "x" * 60)[:50],
        )
        lines = self.env["account.move.line"].search(
            [
                ("partner_id", "=", self.payer.id),
                ("parent_state", "=", "posted"),
                ("account_id.account_type", "=", "asset_receivable"),
            ]
        )
        before = lines.filtered(lambda ln: ln.date < date(2025, 1, 1))
        for name, items in (("opBalDesc", before), ("clBalDesc", lines)):
            self.assertEqual(
                debtor.findtext(f"x:{name}", namespaces=NS),
                f"{abs(sum(items.mapped('balance'))):.2f}",
            )

    def test_months_of_a_broken_year(self):
        AuditFile = self.env["onergy.audit.file"]
        self.assertEqual(
            AuditFile._get_months(date(2024, 7, 15), date(2024, 9, 10)),
            [
                (date(2024, 7, 15), date(2024, 7, 31)),
                (date(2024, 8, 1), date(2024, 8, 31)),
                (date(2024, 9, 1), date(2024, 9, 10)),
            ],
        )

    def test_an_empty_period(self):
        tree = etree.fromstring(self.make_file("2023-01-01", "2023-12-31"))
        self.assertEqual(tree.findtext(".//x:fiscalYear", namespaces=NS), "2023")
        self.assertFalse(tree.findall(".//x:trLine", NS))

    def test_progress(self):
        self.make_books()
        told = []
        with (
            freeze_time("2026-01-10"),
            patch.object(onergy_audit_file, "TELL_ROWS", 5),
            patch.object(
                type(self.env["onergy.workbook"]),
                "_tell",
                lambda _record, percent, text: told.append((percent, text)),
            ),
        ):
            self.make_file()
        percents = [percent for percent, _text in told]
        self.assertGreater(len(percents), 3)
        self.assertEqual(percents, sorted(percents))

    def test_what_the_company_lacks(self):
        self.company.vat = False
        record = self.env["onergy.workbook"].create(
            {
                "kind": "xaf",
                "date_from": "2024-01-01",
                "date_to": "2024-12-31",
                "as_of": "2024-12-31",
            }
        )
        record.action_make()
        self.run_cron()
        record.invalidate_recordset()
        self.assertEqual(record.state, "failed")
        self.assertIn("VAT number", record.problem)
