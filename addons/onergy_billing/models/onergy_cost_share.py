from odoo import api, fields, models
from odoo.tools import format_date

from .onergy_settlement_line import BASES


class OnergyCostShare(models.Model):
    """What one contract is reckoned by in the costs of a complex, frozen."""

    _name = "onergy.cost.share"
    _description = "Share in the costs of a complex"
    _order = "statement_id, contract_id"
    _rec_name = "contract_id"
    _log_access = False

    statement_id = fields.Many2one(
        "onergy.cost.statement",
        required=True,
        readonly=True,
        index=True,
        ondelete="cascade",
    )
    company_id = fields.Many2one(
        related="statement_id.company_id", store=True, index=True
    )
    currency_id = fields.Many2one(related="company_id.currency_id")
    contract_id = fields.Many2one(
        "onergy.contract",
        required=True,
        readonly=True,
        index=True,
        ondelete="restrict",
    )
    connection_id = fields.Many2one(related="contract_id.connection_id")
    partner_id = fields.Many2one(related="contract_id.partner_id")
    role = fields.Selection(related="contract_id.role")
    date_from = fields.Date("From", required=True, readonly=True)
    date_to = fields.Date("Until", required=True, readonly=True)
    days = fields.Integer(readonly=True)
    weight = fields.Float(
        "Reckoned for the fixed part",
        digits=(16, 1),
        readonly=True,
        help="Days, times m² where floors count.",
    )
    use_heat = fields.Float("Heat (GJ)", digits=(16, 3), readonly=True)
    use_cooling = fields.Float("Cooling (GJ)", digits=(16, 3), readonly=True)
    basis = fields.Selection(BASES, required=True, readonly=True)
    amount_ids = fields.One2many("onergy.cost.amount", "share_id", readonly=True)
    fixed_amount = fields.Monetary("Fixed part", readonly=True)
    metered_amount = fields.Monetary("Metered part", readonly=True)
    amount = fields.Monetary("Together", readonly=True)
    snapshot = fields.Json(readonly=True, export_string_translation=False)

    _contract_uniq = models.UniqueIndex(
        "(statement_id, contract_id)", "A contract has one share in the same costs."
    )

    @api.depends("contract_id.name", "date_from", "date_to")
    @api.depends_context("lang")
    def _compute_display_name(self):
        for record in self:
            first = format_date(record.env, record.date_from)
            last = format_date(record.env, record.date_to)
            record.display_name = f"{record.contract_id.name} {first} – {last}"
