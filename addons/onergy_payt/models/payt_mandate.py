from odoo import api, fields, models

from ..client import text_id

STATES = [
    ("new", "Not registered yet"),
    ("registered", "Registered"),
    ("revoked", "Revoked"),
]


class PaytMandate(models.Model):
    """What Payt knows of a direct debit mandate, under the reference that was signed.

    ``onergy.mandate`` is the mandate itself; it says when one comes into force and when
    it ends, and Payt follows. A contract that has ended keeps its mandate, because its
    last bill is still collected.
    """

    _name = "payt.mandate"
    _description = "Direct debit mandate at Payt"
    _order = "id desc"
    _rec_name = "reference"

    connection_id = fields.Many2one(
        "payt.connection", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(
        related="connection_id.company_id", store=True, index=True
    )
    debtor_id = fields.Many2one(
        "payt.debtor", required=True, readonly=True, index=True, ondelete="cascade"
    )
    partner_id = fields.Many2one(related="debtor_id.partner_id", string="Payer")
    contract_id = fields.Many2one(
        "onergy.contract", readonly=True, index="btree_not_null", ondelete="cascade"
    )
    mandate_id = fields.Many2one(
        "onergy.mandate", readonly=True, index="btree_not_null"
    )
    bank_account_id = fields.Many2one(
        "res.partner.bank", "Bank account", readonly=True, ondelete="set null"
    )
    reference = fields.Char(readonly=True)
    payt_id = fields.Char("Payt ID", readonly=True, index="btree_not_null")
    is_wanted = fields.Boolean(
        "In use", readonly=True, help="Off: to be revoked at Payt, or revoked already."
    )
    state = fields.Selection(
        STATES,
        "At Payt",
        default="new",
        required=True,
        readonly=True,
    )
    given_at_payt = fields.Boolean(
        readonly=True, help="The payer gave this mandate on Payt's page."
    )

    _one_in_use = models.UniqueIndex(
        "(contract_id) WHERE is_wanted AND contract_id IS NOT NULL"
    )
    _reference_uniq = models.UniqueIndex(
        "(connection_id, reference) WHERE reference IS NOT NULL"
    )

    # ------------------------------------------------------------- from the contracts

    @api.model
    def _sync(self, contracts):
        """Bring Payt in line with the mandates of contracts; queue the changes."""
        # sudo: whoever changes a contract need not know Payt's records
        mandates = self.sudo()
        connections = self.env["payt.connection"]._by_company(contracts.company_id)
        connections = {
            company: connection
            for company, connection in connections.items()
            if connection.push_mandates
        }
        contracts = contracts.filtered(lambda c: c.company_id in connections).sudo()
        in_use = mandates.search(
            [("contract_id", "in", contracts.ids), ("is_wanted", "=", True)]
        )
        outdated = in_use.filtered(
            lambda mandate: (
                mandate.contract_id._payt_mandate() != mandate.mandate_id
                or mandate.partner_id != mandate.contract_id._payt_payer()
            )
        )
        outdated.is_wanted = False
        outdated.flush_recordset(["is_wanted"])
        done = (in_use - outdated).contract_id
        missing = contracts.filtered(
            lambda contract: contract not in done and contract._payt_mandate()
        )
        made = mandates.browse()
        for company, connection in connections.items():
            own = missing.filtered(lambda c, company=company: c.company_id == company)
            debtors = self.env["payt.debtor"]._for_partners(connection, own.partner_id)
            made |= mandates.create(
                [
                    {
                        "connection_id": connection.id,
                        "debtor_id": debtors[contract._payt_payer()].id,
                        "contract_id": contract.id,
                        "mandate_id": contract._payt_mandate().id,
                        "bank_account_id": contract._payt_mandate().bank_account_id.id,
                        "reference": mandates._new_reference(contract._payt_mandate()),
                        "is_wanted": True,
                    }
                    for contract in own
                ]
            )
        self.env["payt.operation"]._enqueue("mandate", outdated | made)

    @api.model
    def _new_reference(self, mandate):
        """Return the reference that was signed; Payt takes each one once only."""
        count = self.search_count([("mandate_id", "=", mandate.id)])
        return f"{mandate.name}-{count + 1}" if count else mandate.name

    def _prepare_mandate(self):
        self.ensure_one()
        account = self.bank_account_id
        return {
            "bank_account_name": self.mandate_id.holder_name or self.partner_id.name,
            "bank_account_number": account.sanitized_acc_number,
            "provider_code": self.connection_id.mandate_provider,
            "mandate_reference": self.reference,
            "debtor_code": self.debtor_id.debtor_number,
        }

    # -------------------------------------------------------------------- from Payt

    @api.model
    def _upsert(self, connection, rows):
        """Learn Payt's ids of our mandates, and of those that payers gave there.

        :return: number of mandates of debtors that are not ours
        """
        debtors = self.env["payt.pull"]._debtors_by_payt_id(
            connection, [row["debtor_id"] for row in rows]
        )
        own = {
            mandate.reference: mandate
            for mandate in self.search(
                [
                    ("connection_id", "=", connection.id),
                    ("reference", "in", [r.get("mandate_reference") for r in rows]),
                ]
            )
            if mandate.reference
        }
        known = {mandate.payt_id: mandate for mandate in self._find(connection, rows)}
        unmatched = 0
        for row in rows:
            payt_id = text_id(row["id"])
            mandate = known.get(payt_id) or own.get(row.get("mandate_reference"))
            debtor = debtors.get(text_id(row["debtor_id"]))
            if row.get("deactivated_at"):
                mandate and mandate._note_revoked()
            elif mandate:
                mandate.payt_id = payt_id
                if mandate.state == "new":
                    mandate.state = "registered"
            elif debtor:
                self._take_in(connection, debtor, row)
            else:
                unmatched += 1
        return unmatched

    @api.model
    def _take_in(self, connection, debtor, row):
        """A payer gave a mandate on Payt's page: his contract does not know it yet."""
        mandate = self.create(
            {
                "connection_id": connection.id,
                "debtor_id": debtor.id,
                "payt_id": text_id(row["id"]),
                "reference": row.get("mandate_reference"),
                "is_wanted": True,
                "state": "registered",
                "given_at_payt": True,
            }
        )
        connection._notify(
            self.env._("Direct debit mandate given at Payt"),
            self.env._(
                "This payer wants to pay by direct debit. Change the contract if that "
                "is right."
            ),
            debtor,
        )
        return mandate

    @api.model
    def _find(self, connection, rows):
        return self.search(
            [
                ("connection_id", "=", connection.id),
                ("payt_id", "in", [text_id(row["id"]) for row in rows]),
            ]
        )

    def _note_revoked(self):
        """Payt has ended these; when we still want one, a person has to act."""
        for mandate in self.filtered(lambda mandate: mandate.state != "revoked"):
            mandate.state = "revoked"
            if mandate.is_wanted and mandate.contract_id:
                mandate.connection_id._notify(
                    self.env._("Direct debit mandate revoked at Payt"),
                    self.env._(
                        "Contract %(contract)s pays by direct debit, but this mandate "
                        "is no longer valid. Ask the payer for a new one.",
                        contract=mandate.contract_id.name,
                    ),
                    mandate.debtor_id,
                )
