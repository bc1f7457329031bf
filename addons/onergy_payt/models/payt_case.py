from odoo import api, fields, models

from ..client import parse_money, parse_utc, text_id, web_address


class PaytCase(models.Model):
    """A collection case at Payt. Its costs are no part of the invoices in Odoo."""

    _name = "payt.case"
    _description = "Collection case at Payt"
    _order = "start_date desc, id desc"
    _rec_name = "number"

    connection_id = fields.Many2one(
        "payt.connection", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(
        related="connection_id.company_id", store=True, index=True
    )
    currency_id = fields.Many2one(related="company_id.currency_id")
    active = fields.Boolean(default=True)
    payt_id = fields.Char("Payt ID", required=True, readonly=True)
    number = fields.Char(readonly=True)
    debtor_id = fields.Many2one(
        "payt.debtor", required=True, index=True, ondelete="cascade", readonly=True
    )
    partner_id = fields.Many2one(
        related="debtor_id.partner_id", string="Payer", store=True, index=True
    )
    invoice_ids = fields.One2many("payt.invoice", "case_id", readonly=True)
    total_amount = fields.Monetary("Total", readonly=True)
    open_amount = fields.Monetary("Open", readonly=True)
    interest = fields.Monetary(readonly=True)
    collection_costs = fields.Monetary(readonly=True)
    start_date = fields.Datetime("Started on", readonly=True)
    public_url = fields.Char("Payer's page", readonly=True)
    deeplink_url = fields.Char("Open in Payt", readonly=True)
    payt_updated = fields.Char(readonly=True)

    _payt_uniq = models.UniqueIndex("(connection_id, payt_id)")

    @api.model
    def _find(self, connection, rows):
        return self.with_context(active_test=False).search(
            [
                ("connection_id", "=", connection.id),
                ("payt_id", "in", [text_id(row["id"]) for row in rows]),
            ]
        )

    @api.model
    def _upsert(self, connection, rows):
        debtors = self.env["payt.pull"]._debtors_by_payt_id(
            connection, [row["debtor_id"] for row in rows]
        )
        found = {case.payt_id: case for case in self._find(connection, rows)}
        unmatched = 0
        for row in rows:
            payt_id = text_id(row["id"])
            debtor = debtors.get(text_id(row["debtor_id"]))
            if not debtor:
                unmatched += 1
                continue
            case = found.get(payt_id) or self.create(
                {
                    "connection_id": connection.id,
                    "payt_id": payt_id,
                    "debtor_id": debtor.id,
                }
            )
            if not self.env["payt.pull"]._is_stale(case, row):
                case.write(self._values(row))
            case._link_invoices()
        return unmatched

    @api.model
    def _values(self, row):
        return {
            "number": row["credit_case_number"],
            "total_amount": float(parse_money(row["total_amount"])),
            "open_amount": float(parse_money(row["open_amount"])),
            "interest": float(parse_money(row["interest_costs"])),
            "collection_costs": float(parse_money(row["debt_collection_costs"])),
            "start_date": parse_utc(row["started_at"]),
            "public_url": web_address(row.get("public_url")),
            "deeplink_url": web_address(row.get("deeplink_url")),
            "payt_updated": row["updated_at"],
            "active": True,
        }

    def _link_invoices(self):
        self.ensure_one()
        self.env["payt.invoice"].search(
            [
                ("connection_id", "=", self.connection_id.id),
                ("case_payt_id", "=", self.payt_id),
                ("case_id", "!=", self.id),
            ]
        ).case_id = self
