from odoo import models

#: What a death replaces on the payer, kept to be put back when it is undone.
ESTATE_FIELDS = ("name", "email", "phone", "street", "street2", "zip", "city")


class OnergyMove(models.Model):
    """After a death the estate takes the place of the payer."""

    _inherit = "onergy.move"

    def _get_death_consequences(self):
        lines = [
            self.env._(
                "The payer becomes “%(estate)s”. Mail and post go to %(contact)s; "
                "nothing is sent to the deceased any more, and his login is closed.",
                estate=self._get_estate_name(),
                contact=self.contact_name or self.env._("the heirs"),
            ),
            self.env._("Bills are paid by bank transfer: no more direct debit."),
        ]
        if not self.date_end:
            lines.append(
                self.env._(
                    "The contract goes on in the name of the estate, until the heirs "
                    "report its end."
                )
            )
        return lines

    def _get_estate_name(self):
        self.ensure_one()
        name = (self.contract_id.partner_id or self.partner_id).name
        return self.with_context(lang=self._get_lang()).env._("Estate of %s", name)

    def _apply_death(self, undo):
        """Write to the heirs in the name of the estate from now on."""
        payer = self.contract_id.partner_id or self.partner_id
        old = {name: payer[name] for name in ESTATE_FIELDS}
        undo["payer"] = {"id": payer.id, **old}
        contracts = payer.onergy_contract_ids.filtered(lambda c: c.state != "ended")
        undo["payment_methods"] = {c.id: c.payment_method for c in contracts}
        values = {
            "name": self._get_estate_name(),
            "email": self.contact_email,
            "phone": self.contact_phone,
        }
        if self.new_street:
            values.update(
                street=self.new_street,
                street2=self.env._("Attn. %s", self.contact_name),
                zip=self.new_zip,
                city=self.new_city,
            )
        payer.write(values)
        contracts.payment_method = "bank_transfer"
        contracts.filtered(
            lambda c: c.invoice_delivery == "email" and not self.contact_email
        ).invoice_delivery = "post"
        # sudo: a clerk may not write users; the login of somebody who died is closed
        users = payer.sudo().user_ids.filtered("share")
        undo["users"] = users.ids
        users.active = False
        payer._message_log(
            body=self.env._(
                "Death reported (%(move)s). Before: %(name)s, %(email)s, %(phone)s.",
                move=self.name,
                name=old["name"],
                email=old["email"] or self.env._("no e-mail"),
                phone=old["phone"] or self.env._("no phone"),
            )
        )
        payer._onergy_contact_changed(old)

    def _revert_death(self, undo):
        old = dict(undo["payer"])
        payer = self.env["res.partner"].browse(old.pop("id"))
        now = {name: payer[name] for name in ESTATE_FIELDS}
        payer.write(old)
        for contract_id, method in undo.get("payment_methods", {}).items():
            self.env["onergy.contract"].browse(int(contract_id)).payment_method = method
        # sudo: a clerk may not write users; the login that was closed opens again
        self.env["res.users"].sudo().browse(undo.get("users", [])).active = True
        payer._onergy_contact_changed(now)
