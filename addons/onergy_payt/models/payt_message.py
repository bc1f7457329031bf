from odoo import api, fields, models
from odoo.tools import plaintext2html

from ..client import parse_utc, text_id


class PaytMessage(models.Model):
    """One message between a debtor and us, in either direction, or a note of Payt's."""

    _name = "payt.message"
    _description = "Message at Payt"
    _order = "date desc, id desc"
    _rec_name = "subject"

    connection_id = fields.Many2one(
        "payt.connection", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(
        related="connection_id.company_id", store=True, index=True
    )
    payt_id = fields.Char("Payt ID", readonly=True)
    kind = fields.Selection(
        [("in", "From the payer"), ("out", "From us"), ("note", "Internal note")],
        required=True,
        readonly=True,
        index=True,
    )
    subject = fields.Char(readonly=True)
    body = fields.Text(readonly=True)
    date = fields.Datetime(readonly=True, default=fields.Datetime.now)
    debtor_id = fields.Many2one(
        "payt.debtor", readonly=True, index="btree_not_null", ondelete="cascade"
    )
    partner_id = fields.Many2one(
        related="debtor_id.partner_id", string="Payer", store=True, index=True
    )
    invoice_id = fields.Many2one(
        "payt.invoice",
        "Invoice at Payt",
        readonly=True,
        index="btree_not_null",
        ondelete="cascade",
    )
    move_id = fields.Many2one(
        related="invoice_id.move_id", string="Invoice", store=True, index=True
    )
    is_unread = fields.Boolean("To read", readonly=True, index=True)
    is_sent = fields.Boolean("Arrived at Payt", readonly=True)
    attachment_ids = fields.Many2many(
        "ir.attachment",
        string="Attachments",
        readonly=True,
        help="Sent along to the payer. What payers attach stays at Payt: its API does "
        "not hand it out.",
    )
    mail_message_id = fields.Many2one("mail.message", readonly=True)

    _payt_uniq = models.UniqueIndex(
        "(connection_id, payt_id) WHERE payt_id IS NOT NULL"
    )

    # --------------------------------------------------------------------- reading

    @api.model
    def _upsert(self, connection, rows):
        """Keep messages that we did not have yet and show them to staff.

        :return: number of messages about debtors that are not ours
        """
        pull = self.env["payt.pull"]
        known = {
            message.payt_id: message
            for message in self.search(
                [
                    ("connection_id", "=", connection.id),
                    ("payt_id", "in", [text_id(row["id"]) for row in rows]),
                ]
            )
        }
        read = [known.get(text_id(row["id"])) for row in rows if row.get("read_at")]
        self.union(*filter(None, read)).filtered("is_unread").is_unread = False
        rows = [row for row in rows if text_id(row["id"]) not in known]
        if not rows:
            return 0
        debtors = pull._debtors_by_payt_id(
            connection, [row.get("debtor_id") for row in rows]
        )
        invoices = pull._invoices_by_payt_id(
            connection, [row.get("invoice_id") for row in rows]
        )
        unmatched = 0
        for row in rows:
            invoice = invoices.get(text_id(row.get("invoice_id")))
            debtor = debtors.get(text_id(row.get("debtor_id"))) or (
                invoice and invoice.debtor_id
            )
            if not debtor:
                unmatched += 1
            else:
                self._take_in(connection, row, debtor, invoice)
        return unmatched

    @api.model
    def _take_in(self, connection, row, debtor, invoice):
        """Keep one message: our own come back as well, and must not appear twice."""
        if row["sender_type"] == "creditor":
            own = self._find_own(row, debtor, invoice)
            if own:
                own._note_sent(row)
                return
        kind = {"debtor": "in", "creditor": "out"}.get(row["sender_type"], "note")
        message = self.create(
            {
                "connection_id": connection.id,
                "payt_id": text_id(row["id"]),
                "kind": kind,
                "subject": row.get("subject") or self.env._("Message"),
                "body": row.get("content") or "",
                "date": parse_utc(
                    row.get("received_at") or row.get("sent_at") or row["updated_at"]
                ),
                "debtor_id": debtor.id,
                "invoice_id": invoice.id if invoice else False,
                "is_unread": kind == "in" and not row.get("read_at"),
                "is_sent": True,
            }
        )
        message._post_in_chatter()

    @api.model
    def _find_own(self, row, debtor, invoice):
        """Return the message of ours that this row is the echo of."""
        waiting = self.search(
            [
                ("debtor_id", "=", debtor.id),
                ("invoice_id", "=", invoice.id if invoice else False),
                ("kind", "=", "out"),
                ("payt_id", "=", False),
            ],
            order="id",
        )
        return waiting.filtered(lambda message: message._is_same(row))[:1]

    def _is_same(self, row):
        """Whether a row of Payt is this message (nobody else claims that row)."""
        self.ensure_one()

        def words(text):
            return " ".join((text or "").split())

        return (
            row["sender_type"] == "creditor"
            and words(row.get("subject")) == words(self.subject)
            and words(row.get("content")) == words(self.body)
            and parse_utc(row["updated_at"])
            >= fields.Datetime.subtract(
                self.create_date.replace(microsecond=0), minutes=5
            )
            and not self.search_count(
                [
                    ("connection_id", "=", self.connection_id.id),
                    ("payt_id", "=", text_id(row["id"])),
                    ("id", "!=", self.id),
                ],
                limit=1,
            )
        )

    def _note_sent(self, row):
        """Payt has it: remember under which id."""
        self.ensure_one()
        payt_id = text_id(row["id"]) if row else False
        self.write({"payt_id": payt_id, "is_sent": True})

    def _post_in_chatter(self):
        """Show the message where staff works, as a note: nobody is mailed."""
        self.ensure_one()
        record = self.move_id or self.partner_id
        author = self.partner_id if self.kind == "in" else self.env.user.partner_id
        posted = record.message_post(
            body=plaintext2html(self.body or ""),
            subject=self.env._("Payt: %(subject)s", subject=self.subject),
            author_id=author.id,
            message_type="comment",
            subtype_xmlid="mail.mt_note",
            attachment_ids=self.attachment_ids.copy().ids,
        )
        self.mail_message_id = posted
        if self.is_unread:
            self.connection_id._notify(
                self.env._("Message from a payer"), self.subject or "", record
            )

    # --------------------------------------------------------------------- writing

    @api.model
    def _send(self, debtor, subject, body, invoice=None, attachments=None):
        """Queue a message to a debtor and show it in the chatter."""
        # sudo: the caller has been checked; residents write to us in this way as well
        message = self.sudo().create(
            {
                "connection_id": debtor.connection_id.id,
                "kind": "out",
                "subject": subject,
                "body": body,
                "debtor_id": debtor.id,
                "invoice_id": invoice.id if invoice else False,
            }
        )
        if attachments:
            # sudo: uploaded in the wizard by the same person
            attachments.sudo().write({"res_model": self._name, "res_id": message.id})
            message.attachment_ids = attachments
        self.env["payt.operation"]._enqueue("message", message)
        message._post_in_chatter()
        return message

    @api.model
    def _receive(self, debtor, subject, body, invoice=None):
        """Keep a message that a resident wrote on our own portal and tell staff.

        Payt's API sends messages to debtors only, so this one stays with us; the answer
        goes through Payt like any other.
        """
        message = self.create(
            {
                "connection_id": debtor.connection_id.id,
                "kind": "in",
                "subject": subject,
                "body": body,
                "debtor_id": debtor.id,
                "invoice_id": invoice.id if invoice else False,
                "is_unread": True,
            }
        )
        message._post_in_chatter()
        return message

    # --------------------------------------------------------------------- actions

    def action_mark_read(self):
        self.env["payt.operation"]._check_may_act(self)
        # sudo: staff reads these records, the buttons write them
        unread = self.sudo().filtered("is_unread")
        unread.is_unread = False
        # What a resident wrote on our own portal is not at Payt.
        self.env["payt.operation"]._enqueue("read", unread.filtered("payt_id"))

    def action_answer(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Answer"),
            "res_model": "payt.answer.wizard",
            "view_mode": "form",
            "target": "new",
            "context": {"default_message_id": self.id},
        }
