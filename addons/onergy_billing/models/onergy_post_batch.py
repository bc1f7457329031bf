import io
from base64 import b64encode

from pypdf import PdfReader, PdfWriter

from odoo import api, fields, models
from odoo.tools import format_date

#: Bills that are printed at a time.
BATCH = 20


class OnergyPostBatch(models.Model):
    """Bills that go by post, in one file for the printer.

    Each bill is printed once and kept on its invoice as Odoo does; the batch only puts
    them behind one another, in the order of postcodes. A bill is marked and logged as
    sent when the whole file is there.
    """

    _name = "onergy.post.batch"
    _description = "Bills for the post"
    _inherit = ["mail.thread", "onergy.background.mixin"]
    _check_company_auto = True
    _order = "id desc"
    _background_cron = "onergy_billing.ir_cron_post_batch"

    company_id = fields.Many2one(
        "res.company", required=True, default=lambda self: self.env.company
    )
    move_ids = fields.Many2many(
        "account.move", string="Bills", check_company=True, readonly=True
    )
    move_count = fields.Integer("Number of bills", compute="_compute_move_count")
    page_count = fields.Integer("Sheets", readonly=True, copy=False)
    is_duplex = fields.Boolean(
        "On both sides",
        default=True,
        help="A bill never begins on the back of the one before: an empty page is put "
        "in where needed.",
    )
    file = fields.Binary("PDF", readonly=True, attachment=True, copy=False)
    filename = fields.Char(compute="_compute_filename")

    @api.depends("create_date", "move_ids")
    def _compute_display_name(self):
        for record in self:
            record.display_name = self.env._(
                "%(count)s bills of %(day)s",
                count=record.move_count,
                day=format_date(self.env, record.create_date),
            )

    @api.depends("move_ids")
    def _compute_move_count(self):
        for record in self:
            record.move_count = len(record.move_ids)

    @api.depends("create_date")
    def _compute_filename(self):
        for record in self:
            record.filename = f"post-{record.id}.pdf"

    @api.model
    def _get_waiting_moves(self, moves):
        """Those of the bills that lie in a batch that is not ready yet."""
        waiting = self.search(
            [
                ("state", "in", ("draft", "queued", "running")),
                ("move_ids", "in", moves.ids),
            ]
        )
        return waiting.move_ids & moves

    def _prepare_queue(self):
        return {**super()._prepare_queue(), "file": False, "page_count": 0}

    def _build(self):
        record = self.with_company(self.company_id)
        moves = record.move_ids.sorted(
            lambda m: (m.partner_id.zip or "", m.partner_id.street or "", m.id)
        )
        writer, sheets = PdfWriter(), 0
        for start in range(0, len(moves), BATCH):
            batch = moves[start : start + BATCH]
            record._print(batch)
            for move in batch:
                sheets += record._append(writer, move)
            done = start + len(batch)
            record._tell(
                100 * done // len(moves),
                self.env._("%(done)s of %(total)s bills", done=done, total=len(moves)),
            )
        with io.BytesIO() as stream:
            writer.write(stream)
            content = stream.getvalue()
        record._mark(moves)
        return {"file": b64encode(content), "page_count": sheets}

    def _print(self, moves):
        """Make the PDFs of the bills that have none yet, in Odoo's own way."""
        to_print = moves.filtered(lambda move: not move.invoice_pdf_report_id)
        if to_print:
            self.env["account.move.send"]._generate_and_send_invoices(
                to_print, sending_methods={"manual"}
            )

    def _append(self, writer, move):
        """Put a bill behind the others; returns the number of its sheets."""
        reader = PdfReader(io.BytesIO(move.invoice_pdf_report_id.raw))
        for page in reader.pages:
            writer.add_page(page)
        pages = len(reader.pages)
        if not self.is_duplex:
            return pages
        if pages % 2:
            last = reader.pages[-1].mediabox
            writer.add_blank_page(last.width, last.height)
        return -(-pages // 2)

    def _mark(self, moves):
        """Once the file is there its bills count as sent."""
        moves.is_move_sent = True
        for move in moves:
            lang = move.partner_id.lang or self.env.lang
            move._message_log(
                body=move.with_context(lang=self.user_id.lang or lang).env._(
                    "Printed for the post."
                )
            )

    def action_open_moves(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.display_name,
            "res_model": "account.move",
            "view_mode": "list,form",
            "domain": [("id", "in", self.move_ids.ids)],
        }
