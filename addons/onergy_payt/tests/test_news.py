from odoo.tests import tagged

from ..payt_fields import INVOICE_FIELDS
from .common import PaytCommon


@tagged("post_install", "-at_install")
class TestNews(PaytCommon):
    """What a page of a list brings is written at once, and only where it is new."""

    def setUp(self):
        super().setUp()
        self.moves = [self.invoice(100.0) for _number in range(3)]
        self.sync()
        mirrors = map(self.mirror, self.moves)
        # sudo: nobody may write these records by hand
        self.mirrors = self.env["payt.invoice"].sudo().union(*mirrors)

    def page(self):
        pages = self.connection._get_client().pages("invoices", fields=INVOICE_FIELDS)
        return next(pages)

    def apply(self, rows):
        return self.env["payt.pull"]._apply_invoices(self.connection, rows)

    def grow_old(self):
        """Make the records look as if nobody had written them for years."""
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE payt_invoice SET write_date = '2001-01-01' WHERE id IN %s",
            (tuple(self.mirrors.ids),),
        )
        self.env.invalidate_all()

    def written(self):
        return self.mirrors.filtered(lambda mirror: mirror.write_date.year > 2001)

    def test_a_page_known_already_writes_nothing(self):
        rows = self.page()
        self.grow_old()
        self.assertEqual(self.apply(rows), 0)
        self.assertFalse(self.written())

    def test_only_what_changed_is_written(self):
        rows = self.page()
        self.grow_old()
        rows[1] = {**rows[1], "open_amount": "12.30", "updated_at": "2999-01-01"}
        self.apply(rows)
        changed = self.written()
        self.assertEqual(changed.payt_id, str(rows[1]["id"]))
        self.assertEqual(changed.open_amount, 12.3)
        self.assertEqual(changed.write_uid, self.env.user)

    def test_the_newest_row_counts_in_whatever_order(self):
        row = self.page()[0]
        older = {**row, "open_amount": "60.00", "updated_at": "2998-01-01"}
        newer = {**row, "open_amount": "40.00", "updated_at": "2999-01-01"}
        mirror = self.mirrors.filtered(lambda m: m.payt_id == str(row["id"]))
        for rows in ([older, newer], [newer, older]):
            mirror.write({"open_amount": 100.0, "payt_updated": row["updated_at"]})
            self.apply(rows)
            self.assertEqual(mirror.open_amount, 40.0)
            self.assertEqual(mirror.payt_updated, "2999-01-01")

    def test_what_was_known_may_become_empty(self):
        self.mirrors.write({"has_case": True, "case_payt_id": "5"})
        rows = [{**row, "updated_at": "2999-01-01"} for row in self.page()]
        self.apply(rows)
        self.assertEqual(self.mirrors.mapped("has_case"), [False] * 3)
        self.assertEqual(self.mirrors.mapped("case_payt_id"), [False] * 3)

    def test_a_page_is_one_statement(self):
        news = {
            mirror: {"open_amount": number + 0.1, "warning": False}
            for number, mirror in enumerate(self.mirrors)
        }
        self.env.flush_all()
        with self.assertQueryCount(1):
            changed = self.env["payt.pull"]._write_news(news)
        self.assertEqual(changed, self.mirrors)
        self.assertEqual(self.mirrors.mapped("open_amount"), [0.1, 1.1, 2.1])
