from datetime import timedelta

from markupsafe import Markup
from psycopg2.errors import ExclusionViolation

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_date

ALERT = Markup('<div class="alert alert-%s mb-2"><ul class="mb-0">%s</ul></div>')


class OnergyMoveExecution(models.Model):
    """What carrying out a move will do, does, and undoes."""

    _inherit = "onergy.move"

    # ------------------------------------------------------------------ plan
    def _get_next_start(self):
        """Return the first day of the next resident's contract."""
        self.ensure_one()
        return self.next_date or (self.date_end and self.date_end + timedelta(days=1))

    def _get_following_contract(self):
        """Return the contract that was entered for after the last day, if any."""
        self.ensure_one()
        return self.connection_id.contract_ids.filtered(
            lambda c: c.date_start > self.date_end and c != self.contract_id
        ).sorted("date_start")[:1]

    def _get_vacancy(self):
        """Return (first day, last day or False) that the owner pays for, or None."""
        self.ensure_one()
        if not self.date_end or self.next_kind == "later":
            return None
        if not self.contract_id and self.kind != "move_in":
            return None
        first = self.date_end + timedelta(days=1)
        if self.next_kind == "resident":
            until = self._get_next_start()
        else:
            until = self._get_following_contract().date_start
        if until and until <= first:
            return None
        if not self.contract_id:
            # Nobody paid before the first contract; the list of gaps shows that.
            return None
        return first, until - timedelta(days=1) if until else False

    def _get_day(self, day):
        return format_date(self.env, day)

    def _get_consequences(self):
        """Return texts, for staff, of what carrying out will do.

        Other addons add theirs.
        """
        self.ensure_one()
        lines = []
        if self.kind == "death":
            lines += self._get_death_consequences()
        if not self.date_end:
            return lines
        if self.contract_id:
            lines.append(
                self.env._(
                    "Contract %(contract)s of %(payer)s ends on %(day)s. On the portal "
                    "no later day is shown to this payer.",
                    contract=self.contract_id.name,
                    payer=self.contract_id.partner_id.name,
                    day=self._get_day(self.date_end),
                )
            )
        lines += self._get_next_consequences()
        if self._get_new_address() and self.kind != "death":
            lines.append(
                self.env._(
                    "From %(day)s on post goes to %(address)s.",
                    day=self._get_day(self.date_end + timedelta(days=1)),
                    address=self._get_new_address(),
                )
            )
        return lines

    def _get_next_consequences(self):
        lines = []
        vacancy = self._get_vacancy()
        if vacancy:
            owner = self.connection_id._get_vacancy_payer()
            until = (
                self.env._("until %s", self._get_day(vacancy[1]))
                if vacancy[1]
                else self.env._("until there is a next resident")
            )
            lines.append(
                self.env._(
                    "%(owner)s pays as the owner from %(day)s %(until)s.",
                    owner=owner.name or self.env._("Nobody"),
                    day=self._get_day(vacancy[0]),
                    until=until,
                )
            )
        if self.next_kind == "resident":
            lines.append(
                self.env._(
                    "A contract of %(payer)s starts on %(day)s.",
                    payer=self.next_partner_id.name or self.next_name or "?",
                    day=self._get_day(self._get_next_start()),
                )
            )
        elif self.next_kind == "unknown":
            lines.append(self.env._("You get a reminder to find out who comes next."))
        elif self.next_kind == "later" and not self._get_following_contract():
            lines.append(
                self.env._(
                    "Nobody pays from %s on. The list of days without a payer shows "
                    "this until you enter a contract.",
                    self._get_day(self.date_end + timedelta(days=1)),
                )
            )
        return lines

    def _get_warnings(self):
        """Return texts, for staff, of what is worth a look before carrying out."""
        self.ensure_one()
        warnings = []
        contract = self.contract_id
        if self.kind in ("move_in", "landlord") and contract.role in (
            "tenant",
            "owner_occupier",
        ):
            if not contract.date_end or contract.date_end > self.date_end:
                warnings.append(
                    self.env._(
                        "%s has not reported a move. Make sure of it before you end "
                        "this contract.",
                        contract.partner_id.name,
                    )
                )
        if contract.date_end and self.date_end and contract.date_end != self.date_end:
            warnings.append(
                self.env._(
                    "Until now the contract ended on %s.",
                    self._get_day(contract.date_end),
                )
            )
        return warnings

    def _get_problems(self):
        """Return texts, for staff, of what stands in the way of carrying out.

        Other addons add theirs.
        """
        self.ensure_one()
        problems = []
        if self.kind == "death":
            if not self.contact_name:
                problems.append(self.env._("Fill in who speaks for the heirs."))
            if not self.contact_email and not self.new_street:
                problems.append(
                    self.env._(
                        "Fill in an e-mail or postal address of the heirs, or nobody "
                        "gets the bills."
                    )
                )
            if not self.date_end:
                return problems
        if not self.date_end:
            return [*problems, self.env._("Fill in the last day.")]
        contract = self.contract_id
        if not contract and self.kind != "move_in" and self.next_kind != "resident":
            problems.append(self.env._("Choose the contract that ends."))
        if contract and self.date_end < contract.date_start:
            problems.append(
                self.env._(
                    "The contract started on %s, after this last day.",
                    self._get_day(contract.date_start),
                )
            )
        return problems + self._get_next_problems()

    def _get_next_problems(self):
        problems = []
        following = self._get_following_contract()
        if self.next_kind == "resident":
            start = self._get_next_start()
            if not self.next_partner_id and not self.next_name:
                problems.append(self.env._("Fill in who the next resident is."))
            if start <= self.date_end:
                problems.append(
                    self.env._("The next resident starts before the last day is over.")
                )
            if following and following.date_start <= start:
                problems.append(
                    self.env._(
                        "%(contract)s starts on %(day)s already: change that contract "
                        "instead.",
                        contract=following.display_name,
                        day=self._get_day(following.date_start),
                    )
                )
        if self._get_vacancy() and not self.connection_id._get_vacancy_payer():
            problems.append(
                self.env._(
                    "No owner is known who pays while nobody lives there. Enter one at "
                    "the connection or at its complex."
                )
            )
        return problems

    @api.depends(
        "state",
        "kind",
        "contract_id.date_end",
        "contract_id.date_start",
        "connection_id.owner_id",
        "date_end",
        "next_kind",
        "next_date",
        "next_name",
        "next_partner_id",
        "new_street",
        "new_zip",
        "new_city",
        "contact_name",
        "contact_email",
    )
    def _compute_preview(self):
        for move in self:
            if not move.connection_id or move.state in ("done", "cancelled"):
                move.preview, move.has_problems = False, False
                continue
            problems = move._get_problems()
            parts = [("danger", problems)]
            if not problems:
                parts.append(("info", move._get_consequences()))
            parts.append(("warning", move._get_warnings()))
            move.has_problems = bool(problems)
            move.preview = Markup().join(
                Markup(
                    '<div class="alert alert-%s mb-2"><ul class="mb-0">%s</ul></div>'
                )
                % (
                    tone,
                    Markup().join(Markup("<li>%s</li>") % text for text in texts),
                )
                for tone, texts in parts
                if texts
            )

    # ------------------------------------------------------------------ carry out
    def action_carry_out(self):
        """Do what the preview says, all of it or nothing.

        :raise UserError: something stands in the way, or it was done already
        """
        for move in self:
            move._carry_out()
        return True

    def _carry_out(self):
        self.ensure_one()
        # Two clerks at once: the second one waits here and then sees it is done.
        self.lock_for_update()
        self.invalidate_recordset(["state"])
        self._check_not_done()
        if problems := self._get_problems():
            raise UserError(
                self.env._(
                    "%(move)s cannot be carried out yet:\n%(problems)s",
                    move=self.display_name,
                    problems="\n".join(problems),
                )
            )
        undo = {}
        if self.kind == "death":
            self._apply_death(undo)
        if self.date_end:
            self._apply_contracts(undo)
        # sudo: what was there before is kept where nobody changes it
        self.sudo().undo_values = undo
        self.write({"state": "done", "date_done": fields.Datetime.now()})
        self._after_carry_out()
        self._send_mail("mail_template_move_done")
        self._plan_letter()

    def _after_carry_out(self):
        """Hook: the contracts are in place. Other addons plan what follows."""
        self._apply_new_address()
        if self._get_mail_to():
            self.request_id._answer_by_move(self)
        if self.next_kind == "unknown" and self.date_end and self.user_id:
            self.activity_schedule(
                "onergy_residents.mail_activity_type_successor",
                date_deadline=max(self.date_end, fields.Date.context_today(self)),
                user_id=self.user_id.id,
            )

    def _apply_contracts(self, undo):
        self.ensure_one()
        vacancy = self._get_vacancy()
        following = self._get_following_contract()
        contract = self.contract_id
        if contract:
            undo["date_end"] = fields.Date.to_string(contract.date_end) or False
            contract.date_end = self.date_end
            # The database judges each row as it comes: the end before the start.
            contract.flush_recordset(["date_end"])
            # Whoever left this vacancy behind has his successor now.
            self.search([("vacancy_contract_id", "=", contract.id)]).activity_feedback(
                ["onergy_residents.mail_activity_type_successor"]
            )
        if self.next_kind == "resident":
            self._start_next_contract(undo, following)
        if vacancy:
            owner = self.connection_id._get_vacancy_payer()
            self.vacancy_contract_id = self.env["onergy.contract"].create(
                self.connection_id._prepare_vacancy_contract(owner, *vacancy)
            )
        if self.kind == "sale" and self.next_contract_id:
            self._hand_over_ownership(undo)

    def _start_next_contract(self, undo, following):
        payer = self.next_partner_id
        if not payer:
            payer = self.env["res.partner"].create(self._prepare_next_partner())
            undo["new_partner"] = payer.id
            self.next_partner_id = payer
        self.next_contract_id = self.env["onergy.contract"].create(
            {
                "connection_id": self.connection_id.id,
                "partner_id": payer.id,
                "role": self.next_role or "tenant",
                "date_start": self._get_next_start(),
                "date_end": following and following.date_start - timedelta(days=1),
                "invoice_delivery": "email" if payer.email else "post",
            }
        )

    def _prepare_next_partner(self):
        home = self.connection_id
        return {
            "name": self.next_name,
            "email": self.next_email,
            "phone": self.next_phone,
            "street": home._get_street_line(),
            "zip": home.zip,
            "city": home.city,
            "country_id": home.country_id.id,
            "company_id": self.company_id.id,
            "lang": self._get_lang(),
        }

    def _hand_over_ownership(self, undo):
        """After a sale the buyer pays when the dwelling stands empty."""
        home = self.connection_id
        seller = self.contract_id.partner_id.commercial_partner_id
        if home.owner_id.commercial_partner_id == seller:
            undo["owner"] = home.owner_id.id
            home.owner_id = self.next_contract_id.partner_id

    # ------------------------------------------------------------------ address
    def _apply_new_address(self):
        """Send post to the new address once the last day is over."""
        today = fields.Date.context_today(self)
        for move in self:
            payer = move.contract_id.partner_id
            if (
                move.state != "done"
                or move.address_applied
                or move.kind == "death"
                or not payer
                or not move.new_street
                or not move.date_end
                or move.date_end >= today
            ):
                continue
            names = ("street", "street2", "zip", "city", "country_id")
            old = {name: payer[name] for name in names}
            # sudo: what was there before is kept where nobody changes it
            secret = move.sudo()
            secret.undo_values = {
                **(secret.undo_values or {}),
                "address": {**old, "country_id": old["country_id"].id},
            }
            payer.write(
                {
                    "street": move.new_street,
                    "street2": False,
                    "zip": move.new_zip,
                    "city": move.new_city,
                    "country_id": (move.new_country_id or payer.country_id).id,
                }
            )
            move.address_applied = True
            payer._onergy_contact_changed(old)

    @api.model
    def _cron_after_last_day(self):
        """Each morning: what has to wait until the last day of a move is over.

        Other addons add theirs.
        """
        self.search(
            [
                ("state", "=", "done"),
                ("address_applied", "=", False),
                ("new_street", "!=", False),
                ("kind", "!=", "death"),
                ("date_end", "<", fields.Date.context_today(self)),
            ]
        )._apply_new_address()

    # ------------------------------------------------------------------ undo
    def _get_undo_problems(self):
        """Return texts of why this move cannot be undone. Other addons add theirs."""
        self.ensure_one()
        billed = (self.next_contract_id | self.vacancy_contract_id)._get_billed()
        return [
            self.env._("%s has invoices already.", contract.display_name)
            for contract in billed
        ]

    def action_undo(self):
        """Put everything back as it was before this move was carried out.

        :raise UserError: something was billed on it, or contracts came after it
        """
        for move in self:
            move._undo()
        return True

    def _undo(self):
        self.ensure_one()
        self.lock_for_update()
        self.invalidate_recordset(["state"])
        if self.state != "done":
            raise UserError(self.env._("This move was not carried out."))
        if problems := self._get_undo_problems():
            raise UserError(
                self.env._("This move cannot be undone:\n%s", "\n".join(problems))
            )
        self._before_undo()
        # sudo: only this method reads what carrying out has kept
        undo = self.sudo().undo_values or {}
        self._revert_contracts(undo)
        if "payer" in undo:
            self._revert_death(undo)
        if "address" in undo:
            payer = self.contract_id.partner_id
            now = {name: payer[name] for name in undo["address"]}
            payer.write(undo["address"])
            payer._onergy_contact_changed(now)
        # sudo: as above
        self.sudo().undo_values = False
        self.activity_unlink(["onergy_residents.mail_activity_type_successor"])
        self.write({"state": "checked", "date_done": False, "address_applied": False})

    def _before_undo(self):
        """Hook: other addons take back what they planned."""
        self.ensure_one()

    def _revert_contracts(self, undo):
        made = self.next_contract_id | self.vacancy_contract_id
        if made:
            names = ", ".join(made.mapped("name"))
            # sudo: clerks do not delete; this takes back what the move itself made
            made.sudo().unlink()
            self._message_log(
                body=self.env._("Contracts that were taken back: %s", names)
            )
        if "date_end" in undo:
            try:
                with self.env.cr.savepoint():
                    self.contract_id.date_end = undo["date_end"]
                    self.contract_id.flush_recordset(["date_end"])
            except ExclusionViolation as error:
                raise UserError(
                    self.env._(
                        "Other contracts were entered after this move. Take them away "
                        "first."
                    )
                ) from error
        if "owner" in undo:
            self.connection_id.owner_id = undo["owner"]
        if "new_partner" in undo:
            partner = self.env["res.partner"].browse(undo["new_partner"])
            self.next_partner_id = False
            if not partner.onergy_contract_ids:
                partner.active = False
