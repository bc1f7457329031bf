from datetime import timedelta

from odoo import fields, models


class OnergyMoveSheetLine(models.Model):
    """One home in a landlord's spreadsheet, with our verdict."""

    _name = "onergy.move.sheet.line"
    _description = "Line of a landlord's spreadsheet"
    _order = "sheet_id, line"

    sheet_id = fields.Many2one(
        "onergy.move.sheet", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="sheet_id.company_id")
    line = fields.Integer(required=True)
    address = fields.Char()
    connection_id = fields.Many2one("onergy.connection")
    action = fields.Selection([("start", "Start"), ("stop", "Stop")])
    date = fields.Date()
    next_name = fields.Char()
    next_email = fields.Char("E-mail")
    next_phone = fields.Char("Phone")
    note = fields.Char("Remark")
    state = fields.Selection(
        [("ok", "Right"), ("same", "Known already"), ("error", "Not right")],
        required=True,
    )
    field_name = fields.Char("Column")
    remedy = fields.Char("What to do")
    move_id = fields.Many2one("onergy.move", index="btree_not_null")

    def _refuse(self, field_index, remedy):
        heads = self.sheet_id._get_heads()
        self.write(
            {"state": "error", "field_name": heads[field_index], "remedy": remedy}
        )

    def _judge(self):
        """Tell of each line whether it changes anything, and whether it can."""
        for line in self:
            if line.action == "start":
                line._judge_start()
            else:
                line._judge_stop()

    def _get_landlord(self):
        return self.sheet_id.partner_id.commercial_partner_id

    def _is_own(self, contract):
        return contract.partner_id.commercial_partner_id == self._get_landlord()

    def _get_contract(self, day):
        """Return who pays for the home on a day."""
        return self.connection_id.contract_ids.filtered(
            lambda c: c.date_start <= day and (not c.date_end or c.date_end >= day)
        )

    def _get_open_move(self, contract):
        return self.env["onergy.move"].search(
            [
                ("contract_id", "=", contract.id),
                ("connection_id", "=", self.connection_id.id),
                ("state", "in", ("reported", "checked")),
                ("kind", "!=", "death"),
            ],
            limit=1,
        )

    def _judge_start(self):
        """From a day on the landlord pays."""
        if self._is_own(self._get_contract(self.date)):
            self.state = "same"
            return
        if not self.connection_id._is_owned_by(self._get_landlord()):
            self._refuse(
                3,
                self.env._("Only the owner of a home can start. Contact us about it."),
            )
            return
        last_day = self.date - timedelta(days=1)
        move = self._get_open_move(self._get_contract(last_day))
        if not move:
            return
        if move.date_end != last_day:
            self._refuse(
                4,
                self.env._(
                    "Another last day was reported for this home. Contact us about it."
                ),
            )
        elif move.next_kind == "owner" or self._is_next(move):
            self.state = "same"
        else:
            # The resident has reported it; who comes next is what the landlord adds.
            self.move_id = move

    def _is_next(self, move):
        return move.next_partner_id.commercial_partner_id == self._get_landlord()

    def _judge_stop(self):
        """Until and including a day the landlord pays."""
        contract = self._get_contract(self.date)
        if not contract or not self._is_own(contract):
            self._refuse(
                4,
                self.env._(
                    "You do not pay for this home on that day, so there is nothing to "
                    "stop."
                ),
            )
            return
        if contract.date_end == self.date:
            self.state = "same"
            return
        move = self._get_open_move(contract)
        if move and move.date_end == self.date:
            self.state = "same"
        elif move:
            self._refuse(
                4,
                self.env._(
                    "A move with another last day was already reported. Withdraw it "
                    "on the page Moving first."
                ),
            )
        elif not self.next_name and self._pays_vacancy():
            self._refuse(
                5,
                self.env._(
                    "Fill in who pays from the next day on. Without a next resident "
                    "you keep paying as the owner."
                ),
            )

    def _pays_vacancy(self):
        home = self.connection_id
        return not home._get_vacancy_payer() or home._is_owned_by(self._get_landlord())

    def _make_moves(self):
        """Report the moves; what the resident reported is completed."""
        for line in self:
            if line.move_id:
                line.move_id.write(line._prepare_next_landlord())
                line.move_id._message_log(
                    body=self.env._("Completed by the landlord's spreadsheet.")
                )
            else:
                line.move_id = self.env["onergy.move"].create(line._prepare_move())

    def _prepare_next_landlord(self):
        return {
            "next_kind": "resident",
            "next_partner_id": self._get_landlord().id,
            "next_role": "vacancy",
        }

    def _prepare_move(self):
        self.ensure_one()
        vals = {
            "kind": "landlord",
            "channel": "sheet",
            "partner_id": self.sheet_id.partner_id.id,
            "connection_id": self.connection_id.id,
            "note": self.note,
        }
        if self.action == "start":
            last_day = self.date - timedelta(days=1)
            return {
                **vals,
                **self._prepare_next_landlord(),
                "contract_id": self._get_contract(last_day).id,
                "date_end": last_day,
                "next_date": self.date,
            }
        return {
            **vals,
            "contract_id": self._get_contract(self.date).id,
            "date_end": self.date,
            "next_kind": "resident" if self.next_name else "owner",
            "next_name": self.next_name,
            "next_email": self.next_email,
            "next_phone": self.next_phone,
            "next_role": "tenant",
        }
