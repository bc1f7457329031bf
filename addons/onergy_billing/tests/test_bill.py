from datetime import date

from lxml import html

from odoo.tests import tagged
from odoo.tools import format_date, formatLang

from .common import SettlementCommon


class BillCommon(SettlementCommon):
    """What a bill says, as text with single spaces."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._correct_2024()
        cls._load_case_a()
        cls.company.write({"phone": "+31 20 000 0001", "email": "ask@example.com"})
        cls.payer.lang = "en_US"
        cls.payer_env = cls.env(context={**cls.env.context, "lang": cls.payer.lang})

    def print_bill(self, move):
        """The document as it goes to the printer, as a tree."""
        body, _kind = self.env["ir.actions.report"]._render_qweb_html(
            "account.report_invoice", move.ids, {"report_type": "pdf"}
        )
        return html.fromstring(body)

    def text_of(self, node):
        return self.clean(node.text_content())

    def clean(self, text):
        return " ".join(text.replace("\ufeff", "").split())

    def find(self, document, name):
        """The texts of the rows of a table."""
        return [self.text_of(row) for row in document.xpath(f"//*[@name='{name}']//tr")]

    def number(self, value, digits):
        return formatLang(self.payer_env, value, digits=digits)

    def money(self, amount):
        currency = self.company.currency_id
        return self.clean(formatLang(self.payer_env, amount, currency_obj=currency))

    def day(self, day):
        return format_date(self.payer_env, day, date_format="d MMMM y")

    def month(self, day):
        return format_date(self.payer_env, day, date_format="MMMM y")


@tagged("post_install", "-at_install")
class TestBill(BillCommon):
    """Everything that the law wants on a bill, on it."""

    def test_one_look_explains_it(self):
        self.invoice_advances(150.0)
        self.home.ean = "879900000000000010"
        settlement = self.settle().settlement_ids
        settlement.write({"use_before": 25.04, "use_average": 20.0})
        bill = self.print_bill(settlement.move_id)
        answer = self.text_of(bill.xpath("//*[@name='answer']")[0])
        self.assertIn(f"You still pay {self.money(42.80)}", answer)
        self.assertIn(self.money(1842.80), answer)
        self.assertIn(self.money(-1800.0), answer)
        facts = " ".join(self.find(bill, "facts"))
        for fact in (
            settlement.move_id.name,
            self.payer.debtor_number,
            self.contract.name,
            self.home.ean,
        ):
            self.assertIn(fact, facts)
        self.check_lines(self.find(bill, "lines"))
        self.check_readings(self.find(bill, "readings"))
        self.assertEqual(
            [row.split(" ")[-2] for row in self.find(bill, "comparison")],
            [self.number(24.040, 3), self.number(25.04, 1), self.number(20.0, 1)],
        )
        self.assertEqual(
            self.find(bill, "advances"),
            [f"12 × {self.money(150)} {self.money(1800)}"],
        )
        self.assertEqual(
            self.find(bill, "vat")[1:],
            [
                " ".join([label, *map(self.money, amounts)])
                for label, *amounts in (
                    ("Heat and charges, 21 % VAT", 1522.98, 319.82, 1842.80),
                    ("Advances, 21 % VAT", -1487.64, -312.36, -1800.0),
                    ("Together", 35.34, 7.46, 42.80),
                )
            ],
        )
        text = self.text_of(bill)
        for words in (
            f"We advise {self.money(151.12)} a month",
            f"from {self.money(136.01)} to {self.money(302.24)}",
            "Your meter was exchanged",
            "Geschillencommissie Energie",
            "ConsuWijzer",
            "ask@example.com · +31 20 000 0001",
        ):
            self.assertIn(words, text)

    def check_lines(self, rows):
        """Per year and tariff: period, quantity with its unit, price, amount."""
        year, part = "per year", "days"
        expected = (
            ("Heat", f"{self.number(10.620, 3)} GJ", 46.69, "per GJ", 495.85),
            ("Standing charge", f"184/366 {part}", 582.82, year, 293.00),
            ("Metering charge", f"184/366 {part}", 31.68, year, 15.93),
            ("Rent of the delivery set", f"184/366 {part}", 145.38, year, 73.09),
            ("Heat", f"{self.number(13.420, 3)} GJ", 43.79, "per GJ", 587.66),
            ("Standing charge", f"181/365 {part}", 577.48, year, 286.37),
            ("Metering charge", f"181/365 {part}", 32.80, year, 16.27),
            ("Rent of the delivery set", f"181/365 {part}", 150.49, year, 74.63),
        )
        lines = [row for row in rows if "/36" in row or "GJ" in row]
        for row, (what, quantity, price, unit, amount) in zip(
            lines, expected, strict=True
        ):
            self.assertTrue(row.startswith(what), row)
            self.assertTrue(
                row.endswith(
                    f"{quantity} {self.money(price)} {unit} {self.money(amount)}"
                ),
                row,
            )
        self.assertTrue(rows[-1].endswith(self.money(1842.80)))

    def check_readings(self, rows):
        self.assertEqual(
            rows[1:],
            [
                f"{serial} {self.day(day)} {self.number(value, 3)} read remotely"
                for serial, day, value in (
                    ("OLD", date(2024, 7, 1), 412.350),
                    ("OLD", date(2025, 1, 1), 422.970),
                    ("OLD", date(2025, 3, 17), 431.480),
                    ("NEW", date(2025, 3, 17), 0.120),
                    ("NEW", date(2025, 7, 1), 5.030),
                )
            ],
        )

    def test_origin_of_each_reading(self):
        """Read by whom, or worked out: in words."""
        Reading = self.env["onergy.settlement.reading"]
        for basis, origin, words in (
            ("measured", "portal", "read by you"),
            ("measured", "manual", "read by us"),
            ("measured", "placement", "read by us"),
            ("measured", "file", "read remotely"),
            ("estimated", "estimate", "estimated"),
            ("calculated", False, "calculated"),
        ):
            reading = Reading.new({"basis": basis, "origin": origin})
            self.assertEqual(reading._get_basis_text(), words)

    def test_refund(self):
        self.invoice_advances(160.0)
        bill = self.print_bill(self.settle().settlement_ids.move_id)
        answer = self.text_of(bill.xpath("//*[@name='answer']")[0])
        self.assertIn(f"You get back {self.money(77.20)}", answer)
        self.assertIn("We pay this back", answer)
        self.assertNotIn("Please pay", answer)

    def test_correction_tells_what_was_and_what_is(self):
        settlement = self.settle().settlement_ids
        self._create_tariff(
            2024, "2025-06-30", heat=46.69, standing=500, metering=31.68, set=145.38
        )
        correction = self.settle(
            kind="correction", date_from="2024-01-01"
        ).settlement_ids
        bill = self.print_bill(correction.move_id)
        row, total = self.find(bill, "lines")[1:]
        # 500 x 184/366 = 251.37
        self.assertTrue(row.startswith("Standing charge"))
        self.assertTrue(
            row.endswith(f"= {self.money(251.37)} {self.money(-41.63)}"), row
        )
        self.assertIn(self.money(293.00), row)
        self.assertIn("184/366 days", row)
        self.assertEqual(total, f"Together {self.money(-41.63)}")
        text = self.text_of(bill)
        self.assertIn("prices of this period were changed after your bill", text)
        self.assertIn(settlement.move_id.name, text)
        self.assertFalse(bill.xpath("//*[@name='readings']"))

    def test_correction_with_readings_shows_them(self):
        settlement = self.settle().settlement_ids
        self.loader._set_reading(
            self.env["onergy.meter"].search([("serial", "=", "NEW")]),
            "energy",
            self.loader._day_start(date(2025, 7, 1)),
            4.030,
            "GJ",
            "manual",
        )
        correction = self.settle(
            kind="correction", date_from="2024-01-01", with_readings=True
        ).settlement_ids
        self.assertEqual(correction.line_ids.amount_before, 587.66)
        self.assertEqual(correction.line_ids._get_amount_now(), 543.87)
        # The uses of all bills add up.
        self.assertEqual((settlement.use, correction.use), (24.040, -1.0))
        bill = self.print_bill(correction.move_id)
        self.assertIn(self.number(4.030, 3), self.find(bill, "readings")[-1])
        self.assertIn("readings and the prices as we know", self.text_of(bill))

    def test_line_that_falls_away(self):
        """A price that changes within the year cuts lines: the whole one goes."""
        self.settle()
        self._create_tariff(
            2025,
            "2025-06-30",
            heat=43.00,
            standing=560,
            metering=32.80,
            set=150.49,
            valid_from="2025-04-01",
        )
        correction = self.settle(
            kind="correction", date_from="2024-01-01"
        ).settlement_ids
        gone = correction.line_ids.filtered(lambda ln: not ln.quantity)
        self.assertEqual(set(gone.mapped("component")), {"heat", "standing"})
        for line in gone:
            self.assertEqual(line._get_amount_now(), 0.0)
            self.assertEqual(line.amount_before, -line.amount)
        self.assertEqual(correction.use, 0.0)
        rows = self.find(self.print_bill(correction.move_id), "lines")
        for line in gone:
            before, now = self.money(line.amount_before), self.money(0)
            ending = f"{before} {now} {self.money(line.amount)}"
            self.assertTrue([row for row in rows if row.endswith(ending)], rows)

    def test_who_decides(self):
        for regime, words in (
            ("warmtewet", "Geschillencommissie"),
            ("servicekosten", "Huurcommissie"),
            ("vve", "subdistrict court"),
        ):
            self.complex.write({"billing_cycle": "year", "regime": regime})
            self.assertIn(words, self.complex._get_dispute_body())
        self.complex.dispute_body = "The wise woman"
        self.assertEqual(self.complex._get_dispute_body(), "The wise woman")


@tagged("post_install", "-at_install")
class TestAdvanceBill(BillCommon):
    def test_advance(self):
        advance = self.invoice_advances(150.0, months=1)
        bill = self.print_bill(advance)
        text = self.text_of(bill)
        for words in (
            f"You pay {self.money(150)}",
            f"Please pay by {self.day(date(2024, 7, 15))}",
            f"Mention {advance.payment_reference}",
            "Geschillencommissie",
        ):
            self.assertIn(words, text)
        month = self.month(date(2024, 7, 1))
        self.assertEqual(
            self.find(bill, "lines")[1:],
            [
                f"Advance for heat, {month} {self.money(123.97)} "
                f"{self.money(26.03)} (21 %) {self.money(150)}",
                f"Together {self.money(123.97)} {self.money(26.03)} {self.money(150)}",
            ],
        )

    def test_direct_debit_is_announced_with_its_mandate(self):
        """SEPA: the day, the account and the mandate, before it is collected."""
        self.contract.write(
            {
                "bank_account_id": self.env["res.partner.bank"]
                .create(
                    {"partner_id": self.payer.id, "acc_number": "NL91ABNA0417164300"}
                )
                .id,
                "payment_method": "direct_debit",
            }
        )
        mandate = self.contract.mandate_ids
        self.assertEqual(mandate.state, "active")
        mandate.sudo().valid_from = "2024-06-01"
        advance = self.invoice_advances(150.0, months=1)
        text = self.text_of(self.print_bill(advance))
        self.assertIn(
            "We collect this from your bank account on or after "
            f"{self.day(date(2024, 7, 15))}.",
            text,
        )
        self.assertIn(f"ends in 4300, the mandate has number {mandate.name}", text)
        self.assertNotIn("NL91ABNA0417164300", text)
        self.assertNotIn("Please pay", text)

    def test_credited(self):
        advance = self.invoice_advances(150.0, months=1)
        refund = advance._reverse_moves([{"invoice_date": date(2024, 8, 1)}])
        refund.action_post()
        text = self.text_of(self.print_bill(refund))
        self.assertIn("Advance that we give back", text)
        self.assertIn(f"You get back {self.money(150)}", text)

    def test_other_invoices_keep_odoos_document(self):
        move = self.invoice_advances(150.0, months=1).copy(
            {"onergy_move_kind": "other", "onergy_advance_month": False}
        )
        self.assertEqual(
            move._get_name_invoice_report(), "account.report_invoice_document"
        )
