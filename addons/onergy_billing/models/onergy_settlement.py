from collections import defaultdict
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Domain
from odoo.tools import format_date

from .const import PARTS
from .onergy_billing_run import CHATTER
from .onergy_settlement_calculator import Period

#: Days before the deadline from which it is near.
NEAR_DAYS = 14


class OnergySettlement(models.Model):
    """What a contract owes for a period, frozen with all that it was made of.

    A correction is a settlement of its own that holds the difference only and refers
    to the original one.
    """

    _name = "onergy.settlement"
    _description = "Settlement"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _check_company_auto = True
    _order = "date_to desc, contract_id, id desc"
    _rec_names_search = ["contract_id", "partner_id"]

    run_id = fields.Many2one(
        "onergy.settlement.run", index=True, ondelete="restrict", check_company=True
    )
    contract_id = fields.Many2one(
        "onergy.contract",
        required=True,
        readonly=True,
        index=True,
        ondelete="restrict",
        check_company=True,
    )
    connection_id = fields.Many2one(
        related="contract_id.connection_id", store=True, index=True
    )
    complex_id = fields.Many2one(
        related="contract_id.complex_id", store=True, index=True
    )
    company_id = fields.Many2one(
        related="contract_id.company_id", store=True, index=True
    )
    currency_id = fields.Many2one(related="company_id.currency_id")
    partner_id = fields.Many2one(
        "res.partner", "Payer", required=True, readonly=True, index=True
    )
    date_from = fields.Date("From", required=True, readonly=True)
    date_to = fields.Date("Until", required=True, readonly=True)
    is_final = fields.Boolean(
        "Final bill", readonly=True, help="The contract ended with this period."
    )
    part = fields.Selection(
        PARTS,
        "What is billed",
        required=True,
        readonly=True,
        default="all",
        help="The rent of the delivery set may be the owner's by contract.",
    )
    state = fields.Selection(
        [
            ("blocked", "Cannot be billed"),
            ("ready", "Ready"),
            ("posted", "Posted"),
            ("cancelled", "Cancelled"),
        ],
        required=True,
        readonly=True,
        index=True,
        default="blocked",
        tracking=True,
    )
    errors = fields.Text("What is missing", readonly=True)
    warnings = fields.Text("Worth a look", readonly=True)
    original_id = fields.Many2one(
        "onergy.settlement",
        "Corrects",
        readonly=True,
        index="btree_not_null",
        ondelete="restrict",
    )
    correction_ids = fields.One2many(
        "onergy.settlement", "original_id", "Corrections", readonly=True
    )
    takes_back_id = fields.Many2one(
        "onergy.settlement",
        "Takes back",
        readonly=True,
        index="btree_not_null",
        copy=False,
        ondelete="restrict",
        help="The bill that was credited as a whole.",
    )
    is_anew = fields.Boolean(
        "Billed anew",
        readonly=True,
        copy=False,
        help="Takes the place of a bill that was credited as a whole.",
    )
    line_ids = fields.One2many(
        "onergy.settlement.line", "settlement_id", "Lines", readonly=True
    )
    reading_ids = fields.One2many(
        "onergy.settlement.reading", "settlement_id", "Readings", readonly=True
    )
    advance_ids = fields.One2many(
        "onergy.settlement.advance", "settlement_id", "Advances", readonly=True
    )
    outage_payment_ids = fields.One2many(
        "onergy.outage.payment", "settlement_id", "Outages", readonly=True
    )
    cost_share_id = fields.Many2one(
        "onergy.cost.share", readonly=True, index="btree_not_null", ondelete="restrict"
    )
    cost_statement_id = fields.Many2one(
        related="cost_share_id.statement_id", string="Cost statement"
    )
    snapshot = fields.Json(readonly=True, export_string_translation=False)
    amount_supply = fields.Monetary("Supply incl. VAT", readonly=True)
    amount_advances = fields.Monetary("Advances invoiced", readonly=True)
    amount_compensation = fields.Monetary("Compensation", readonly=True)
    amount_total = fields.Monetary("To pay", readonly=True)
    amount_net = fields.Monetary("To pay without VAT", readonly=True)
    amount_vat = fields.Monetary("VAT", readonly=True)
    vat_supply = fields.Monetary("VAT on the supply", readonly=True)
    vat_advances = fields.Monetary("VAT on the advances", readonly=True)
    use = fields.Float("Use (GJ)", digits=(16, 3), readonly=True)
    use_before = fields.Float(
        "Use a year before (GJ)",
        digits=(16, 3),
        readonly=True,
        help="Of the same days a year before, as if the weather had been the same.",
    )
    use_average = fields.Float(
        "Average use (GJ)",
        digits=(16, 3),
        readonly=True,
        help="Of similar homes, in groups of ten payers or more.",
    )
    use_change = fields.Float("Change (%)", digits=(8, 1), readonly=True)
    calculated_share = fields.Float(
        "Not measured (%)", digits=(5, 1), readonly=True, aggregator="avg"
    )
    advance_advice = fields.Monetary("Advised advance", readonly=True)
    move_id = fields.Many2one(
        "account.move",
        "Invoice",
        readonly=True,
        index="btree_not_null",
        copy=False,
        ondelete="restrict",
    )
    deadline = fields.Date(
        "Bill before", compute="_compute_deadline", store=True, index=True
    )
    deadline_state = fields.Selection(
        [("done", "Done"), ("ok", "In time"), ("near", "Near"), ("late", "Late")],
        "Deadline",
        compute="_compute_deadline_state",
        search="_search_deadline_state",
    )

    # int4range with && stands for "the same contract" without an extension.
    _no_overlap = models.Constraint(
        "EXCLUDE USING gist ("
        "int4range(contract_id, contract_id, '[]') WITH &&, "
        "daterange(date_from, date_to, '[]') WITH &&) "
        "WHERE (original_id IS NULL AND state <> 'cancelled' AND part <> 'owner')",
        "These days of this contract were settled already.",
    )
    _no_owner_overlap = models.Constraint(
        "EXCLUDE USING gist ("
        "int4range(contract_id, contract_id, '[]') WITH &&, "
        "daterange(date_from, date_to, '[]') WITH &&) "
        "WHERE (original_id IS NULL AND state <> 'cancelled' AND part = 'owner')",
        "The owner's share of these days of this contract was settled already.",
    )
    _one_open_correction = models.UniqueIndex(
        "(original_id) WHERE state IN ('ready', 'blocked')",
        "A correction of this settlement is waiting to be posted.",
    )

    def write(self, vals):
        """Only the chatter is written by hand: the rest was worked out and approved."""
        if not self.env.su and any(not name.startswith(CHATTER) for name in vals):
            raise AccessError(
                self.env._("What was worked out is changed by the buttons only.")
            )
        return super().write(vals)

    # -- computes ------------------------------------------------------------------

    @api.depends("contract_id.name", "date_from", "date_to")
    @api.depends_context("lang")
    def _compute_display_name(self):
        for record in self:
            first = format_date(record.env, record.date_from)
            last = format_date(record.env, record.date_to)
            record.display_name = f"{record.contract_id.name} {first} – {last}"

    @api.depends("date_to", "complex_id")
    def _compute_deadline(self):
        for record in self:
            record.deadline = record.date_to and record.complex_id._get_bill_deadline(
                record.date_to
            )

    @api.depends("deadline", "state")
    def _compute_deadline_state(self):
        today = fields.Date.context_today(self)
        for record in self:
            if record.state in ("posted", "cancelled") or record.original_id:
                record.deadline_state = "done"
            elif record.deadline < today:
                record.deadline_state = "late"
            elif record.deadline < today + timedelta(days=NEAR_DAYS):
                record.deadline_state = "near"
            else:
                record.deadline_state = "ok"

    def _search_deadline_state(self, operator, value):
        if operator != "in":
            return NotImplemented
        today = fields.Date.context_today(self)
        near = today + timedelta(days=NEAR_DAYS)
        waiting = Domain("state", "in", ("blocked", "ready")) & Domain(
            "original_id", "=", False
        )
        domains = {
            "done": ~waiting,
            "late": waiting & Domain("deadline", "<", today),
            "near": waiting
            & Domain("deadline", ">=", today)
            & Domain("deadline", "<", near),
            "ok": waiting & Domain("deadline", ">=", near),
        }
        return Domain.OR(domains[state] for state in value if state in domains)

    # -- payers of one period ------------------------------------------------------

    @api.model
    def _split_periods(self, periods):
        """The periods that are worked out: one for each payer.

        :param periods: (contract, first day, last day)
        :return: list of :class:`~.onergy_settlement_calculator.Period`
        """
        settled = self._get_settled_owner_days(periods)
        return [
            Period(contract, start, end, part=part)
            for contract, start, end in sorted(
                periods, key=lambda row: (row[0].id, row[1])
            )
            for part in contract._get_parts()
            if part != "owner"
            or not any(
                first <= end and last >= start for first, last in settled[contract.id]
            )
        ]

    @api.model
    def _get_settled_owner_days(self, periods):
        """{contract id: (first day, last day) of each bill of the owner}

        The owner's bill may be posted while that of the resident is made again.
        """
        settled = defaultdict(list)
        for contract, first, last in self._read_group(
            [
                ("contract_id", "in", [contract.id for contract, *_days in periods]),
                ("original_id", "=", False),
                ("part", "=", "owner"),
                ("state", "=", "posted"),
            ],
            ["contract_id", "date_from:day", "date_to:day"],
        ):
            settled[contract.id].append((first, last))
        return settled

    def _get_companions(self):
        """Waiting settlements of the same days to another payer, in the same run."""
        split = self.filtered(lambda s: s.part != "all" and not s.original_id)
        keys = {(s.run_id, s.contract_id, s.date_from, s.date_to) for s in split}
        found = self.search(
            [
                ("run_id", "in", split.run_id.ids),
                ("contract_id", "in", split.contract_id.ids),
                ("original_id", "=", False),
                ("state", "in", ("blocked", "ready")),
            ]
        )
        return found.filtered(
            lambda s: (s.run_id, s.contract_id, s.date_from, s.date_to) in keys
        )

    # -- actions -------------------------------------------------------------------

    def action_recalculate(self):
        """Throw away what was worked out and do it again.

        Who does so prepared the run: somebody else approves what came of it.
        """
        self.check_access("write")
        if set(self.mapped("state")) & {"posted", "cancelled"}:
            raise UserError(
                self.env._(
                    "A posted settlement stays as it is. Make a correction instead."
                )
            )
        for run, settlements in self.grouped("run_id").items():
            run._check_not_approved()
            originals = settlements.original_id
            settlements |= settlements._get_companions()
            periods = {
                (s.contract_id, s.date_from, s.date_to)
                for s in settlements
                if not s.original_id
            }
            run._write_step({"prepared_by_id": self.env.uid})
            settlements.sudo().unlink()  # sudo: clerks replace, they do not delete
            # sudo: what is worked out is written by nobody's hand
            worked_out = self.sudo().browse()
            worked_out._create_for_periods(run, self._split_periods(periods))
            originals.sudo()._create_corrections(run, run._uses_readings_of_now())
        return {"type": "ir.actions.client", "tag": "soft_reload"}

    def action_cancel(self):
        """Leave these out of the run; their period becomes due again."""
        settlements = self | self._get_companions()
        if "posted" in settlements.mapped("state"):
            raise UserError(
                self.env._(
                    "A posted settlement stays as it is. Make a correction instead."
                )
            )
        settlements.check_access("write")
        settlements = settlements.sudo()  # sudo: nobody writes these by hand
        settlements.outage_payment_ids.unlink()
        settlements.write({"state": "cancelled"})

    def action_open_move(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "account.move",
            "res_id": self.move_id.id,
            "view_mode": "form",
        }

    @api.ondelete(at_uninstall=False)
    def _unlink_except_posted(self):
        if "posted" in self.mapped("state"):
            raise UserError(self.env._("A posted settlement cannot be deleted."))
