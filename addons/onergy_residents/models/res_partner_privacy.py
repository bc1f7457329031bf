from dateutil.relativedelta import relativedelta

from odoo import fields, models
from odoo.fields import Command


class ResPartner(models.Model):
    _name = "res.partner"
    _inherit = ["res.partner", "onergy.logged.mixin"]

    _logged_fields = ("email", "phone", "street")

    onergy_anonymised = fields.Boolean(
        "Made anonymous", readonly=True, copy=False, groups="base.group_user"
    )

    onergy_viewer = fields.Boolean(
        "Made to look at a home",
        readonly=True,
        copy=False,
        groups="base.group_user",
        help="An account holder gave this person access; we know him of nothing else.",
    )

    def _get_logged_partner(self):
        return self

    # ------------------------------------------------------------------ what is kept

    def _onergy_has_left(self):
        """Tell whether no contract of this payer runs or is to start."""
        self.ensure_one()
        # sudo: counted over all companies
        return not self.sudo().onergy_contract_ids.filtered(
            lambda contract: contract.state != "ended"
        )

    def _onergy_get_kept(self):
        """Hook: return what has to be kept, as list of (what, until when).

        The date is false for what is kept while the contract runs.
        """
        self.ensure_one()
        # sudo: the rules hold for all that there is, whoever asks
        partner = self.sudo()
        if not partner._onergy_has_left():
            return [
                (
                    self.env._("Your name, address, e-mail address and contract"),
                    False,
                ),
                (self.env._("Your bills and payments"), False),
            ]
        return [
            (
                self.env._("Your name, address, contract, bills and payments"),
                partner._onergy_get_books_until(),
            )
        ]

    def _onergy_get_books_until(self):
        """Return the day until which the books are kept: tax law, seven years.

        AWR article 52(4), counted from the end of the year of the last bill.
        """
        last_days = {}
        for contract in self.onergy_contract_ids.filtered("date_end"):
            last_days.setdefault(contract.company_id, []).append(contract.date_end)
        for company, last in self.env["account.move"]._read_group(
            [
                ("partner_id", "child_of", self.commercial_partner_id.id),
                ("state", "=", "posted"),
            ],
            groupby=["company_id"],
            aggregates=["date:max"],
        ):
            last_days.setdefault(company, []).append(last)
        # Each company has books of its own.
        return max(
            max(days).replace(month=12, day=31)
            + relativedelta(years=company.onergy_keep_billing_years)
            for company, days in last_days.items()
        )

    def _onergy_get_erasable(self):
        """Hook: return in words what can be deleted now."""
        self.ensure_one()
        lines = [
            self.env._("Your questions to us that have been answered"),
            self.env._("Your consents, which end now"),
        ]
        if self._onergy_has_left():
            lines += [
                self.env._("Your login for the website"),
                self.env._("Your e-mail address and telephone number"),
                self.env._("Our notes about you"),
            ]
        else:
            lines.append(self.env._("Your telephone number"))
        return lines

    def _onergy_erase(self):
        """Hook: delete what :meth:`_onergy_get_erasable` names; called as superuser."""
        self.ensure_one()
        consents = self.env["onergy.consent"].search([("partner_id", "=", self.id)])
        consents._withdraw("portal")
        requests = (
            self.env["onergy.request"]
            .with_context(active_test=False)
            .search([("partner_id", "=", self.id), ("state", "=", "closed")])
        )
        requests.attachment_ids.unlink()
        requests.unlink()
        self.with_context(tracking_disable=True).phone = False
        if self._onergy_has_left():
            # First the address, or Odoo writes to it that the login has changed.
            self.with_context(tracking_disable=True).email = False
            self._onergy_erase_login()
            self.message_ids.unlink()

    def _onergy_erase_login(self):
        users = self.with_context(active_test=False).user_ids.filtered("share")
        changes = self.env["onergy.email.change"].search([("user_id", "in", users.ids)])
        changes.unlink()
        for user in users:
            user.write(
                {
                    "active": False,
                    "login": f"deleted-{user.id}",
                    # Odoo signs with the name.
                    "signature": False,
                    "group_ids": [Command.unlink(self.env.ref("base.group_portal").id)],
                }
            )

    def _onergy_anonymise(self):
        """Forget who these past residents were; the figures stay. As superuser."""
        # Odoo counts archived users as well where archived records are asked for.
        for partner in self.with_context(tracking_disable=True, active_test=True):
            partner._onergy_erase()
            partner.write(
                {
                    "name": self.env._("Past resident"),
                    "street": False,
                    "street2": False,
                    "zip": False,
                    "city": False,
                    "email": False,
                    "phone": False,
                    "vat": False,
                    "comment": False,
                    "image_1920": False,
                    "active": False,
                    "onergy_anonymised": True,
                }
            )
            partner._onergy_forget_accounts()
            partner._onergy_forget_others()
            partner.message_ids.unlink()

    def _onergy_forget_accounts(self):
        contracts = self.with_context(active_test=False).onergy_contract_ids
        contracts.mandate_ids.with_context(onergy_purge=True).unlink()
        contracts.with_context(onergy_mandate_sync=False).write(
            {"bank_account_id": False, "note": False}
        )
        contracts.message_ids.unlink()
        self.env["onergy.consent"].search([("partner_id", "in", self.ids)]).unlink()
        self._onergy_forget_bank_accounts()
        self.env["onergy.access.code"].with_context(active_test=False).search(
            [("partner_id", "in", self.ids)]
        ).unlink()

    def _onergy_forget_others(self):
        """Forget what these residents told us, and what others told us of them."""
        moves = self.env["onergy.move"]
        moves.search([("partner_id", "in", self.ids)])._forget()
        moves.search([("next_partner_id", "in", self.ids)])._forget_next()
        self.env["onergy.move.sheet"].search([("partner_id", "in", self.ids)]).unlink()
        requests = self.env["onergy.request"].with_context(active_test=False)
        requests = requests.search([("partner_id", "in", self.ids)])
        requests.attachment_ids.unlink()
        requests.unlink()
        self.env["onergy.erasure"].search([("partner_id", "in", self.ids)])._forget()
        grants = self.env["onergy.access.grant"]
        grants.search([("partner_id", "in", self.ids)]).unlink()
        grants.search([("contract_id.partner_id", "in", self.ids)])._forget()

    def _onergy_looks_along(self):
        """Return whether he was ever given access to somebody else's home."""
        self.ensure_one()
        # sudo: not everybody who asks may read who has access
        partner = self.sudo()
        grants = partner.env["onergy.access.grant"]
        return partner.onergy_viewer or bool(
            grants.search_count([("partner_id", "=", partner.id)], limit=1)
        )

    def _onergy_forget_viewers(self):
        """Forget those of these who were made to look at a home and look no more."""
        viewers = self.filtered(lambda p: p.onergy_viewer and not p.onergy_anonymised)
        grants = self.env["onergy.access.grant"]._read_group(
            [("partner_id", "in", viewers.ids)], groupby=["partner_id"]
        )
        requests = self.env["onergy.request"]._read_group(
            [("partner_id", "in", viewers.ids), ("state", "!=", "closed")],
            groupby=["partner_id"],
        )
        for [partner] in grants + requests:
            viewers -= partner
        viewers.filtered(
            lambda p: not p.is_resident and all(p.user_ids.mapped("share"))
        )._onergy_anonymise()

    def _onergy_forget_bank_accounts(self):
        """Overwrite what is known of bank accounts: Odoo archives and never deletes."""
        accounts = self.with_context(active_test=False).bank_ids
        for account in accounts:
            account.write(
                {
                    # A holder has each number once, so each gets one of its own.
                    "acc_number": f"X{account.id}",
                    "acc_holder_name": False,
                    "bank_id": False,
                    "clearing_number": False,
                    "note": False,
                    "allow_out_payment": False,
                    "active": False,
                }
            )
        # Odoo notes each change with the number there was.
        accounts.message_ids.unlink()
        self.message_ids.unlink()
