import re

from odoo import api, fields, models
from odoo.tools import html2plaintext

from .onergy_connection import normalise_postcode

MAX_NOTE = 1000


class OnergyRequest(models.Model):
    """Who writes that he moves, or that somebody has died, and what came of it."""

    _inherit = "onergy.request"

    date_death = fields.Date("Day of death")
    home_zip = fields.Char(
        "Postcode of the home", help="As a visitor without a login wrote it."
    )
    home_number = fields.Char("House number of the home")
    move_ids = fields.One2many("onergy.move", "request_id", "Moves")
    move_count = fields.Integer("Number of moves", compute="_compute_move_count")

    @api.depends("move_ids")
    def _compute_move_count(self):
        counts = dict(
            self.env["onergy.move"]._read_group(
                [("request_id", "in", self.ids)], ["request_id"], ["__count"]
            )
        )
        for record in self:
            record.move_count = counts.get(record, 0)

    def _get_home(self):
        """Return the one connection that this request can be about, if any."""
        self.ensure_one()
        if self.connection_id or not self.home_zip:
            return self.connection_id
        homes = self.env["onergy.connection"].search(
            [
                ("zip", "=", normalise_postcode({"zip": self.home_zip})["zip"]),
                ("company_id", "=", self.company_id.id),
            ]
        )
        wanted = _flatten(self.home_number)
        found = homes.filtered(
            lambda home: (
                _flatten(f"{home.house_number}{home.house_addition or ''}") == wanted
            )
        )
        return found if len(found) == 1 else found.browse()

    def _get_move_contract(self):
        """Return the running contract that would end, if there can be but one."""
        self.ensure_one()
        home = self._get_home()
        if self.contract_id or home:
            return self.contract_id or home.current_contract_id
        running = self.partner_id.onergy_contract_ids.filtered(
            lambda contract: contract.state == "running"
        )
        return running if len(running) == 1 else running.browse()

    def action_make_move(self):
        """Open a move in which what this request says is filled in already."""
        self.ensure_one()
        values = self._prepare_move_values()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Move"),
            "res_model": "onergy.move",
            "view_mode": "form",
            "context": {f"default_{name}": value for name, value in values.items()},
        }

    def _prepare_move_values(self):
        contract = self._get_move_contract()
        values = {
            "request_id": self.id,
            "channel": "portal" if self.channel == "portal" else "phone",
            "connection_id": (contract.connection_id or self._get_home()).id,
            "contract_id": contract.id,
            "partner_id": (contract.partner_id or self.partner_id).id,
            "note": html2plaintext(self.description or "")[:MAX_NOTE],
            # Who asks and pays for no home yet is about to come.
            "kind": "move_out" if contract else "move_in",
        }
        if self.category != "death":
            return values
        return {
            **values,
            "kind": "death",
            "date_death": fields.Date.to_string(self.date_death) or False,
            "contact_name": self.contact_name or self.partner_id.name,
            "contact_email": self.email_from,
            "contact_phone": self.phone,
        }

    def action_open_moves(self):
        self.ensure_one()
        action = self.env["ir.actions.actions"]._for_xml_id(
            "onergy_residents.action_onergy_move"
        )
        action = {**action, "domain": [("request_id", "=", self.id)], "context": {}}
        if len(self.move_ids) == 1:
            action.update(views=[(False, "form")], res_id=self.move_ids.id)
        return action

    def _answer_by_move(self, move):
        """The mail that a move was carried out is the answer to these."""
        for record in self.filtered(lambda r: r.state != "closed"):
            record.action_close()
            record._message_log(
                body=self.env._("Answered by the mail of move %s.", move.name)
            )


def _flatten(text):
    """Return a house number with its addition as 12a, however it was written."""
    return re.sub(r"[^0-9a-z]", "", (text or "").lower())
