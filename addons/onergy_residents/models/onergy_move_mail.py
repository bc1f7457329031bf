from datetime import timedelta

from odoo import models
from odoo.tools import email_normalize, format_date


class OnergyMove(models.Model):
    """What a resident, or his heirs, read about a move: page, mail and letter."""

    _inherit = "onergy.move"

    def _get_lang(self):
        self.ensure_one()
        return self.partner_id.lang or self.env.lang or self.company_id.partner_id.lang

    def _get_mail_to(self):
        """Return who is written to: after a death the heirs, never the deceased."""
        self.ensure_one()
        if self.kind == "death":
            return email_normalize(self.contact_email) or ""
        return self.partner_id.email_formatted if self.partner_id.email else ""

    def _get_mail_name(self):
        self.ensure_one()
        return (self.contact_name if self.kind == "death" else "") or (
            self.partner_id.name if self.kind != "death" else ""
        )

    def _send_mail(self, template):
        """Mail those whom we have an address of, soon but not at once."""
        template = self.env.ref(f"onergy_residents.{template}")
        for move in self.filtered(lambda m: m._get_mail_to()):
            # sudo: residents may not read mail templates
            template.sudo().send_mail(move.id)
            # sudo: triggering a cron is for administrators
            self.env.ref("mail.ir_cron_mail_scheduler_action").sudo()._trigger()

    def _plan_letter(self):
        """Whoever has no e-mail address hears by post that it was arranged."""
        for move in self.filtered(lambda m: m.partner_id and not m._get_mail_to()):
            move.activity_schedule(
                "mail.mail_activity_data_todo",
                summary=self.env._("Print the letter: this payer has no e-mail"),
                user_id=(move.user_id or self.env.user).id,
            )

    def action_print_letter(self):
        """Print what was noted or arranged, for the window of an envelope."""
        self.activity_feedback(["mail.mail_activity_data_todo"])
        return self.env.ref("onergy_residents.action_report_move_letter").report_action(
            self, config=False
        )

    def _format_day(self, day):
        """Return a day in words, in the language of the resident."""
        return format_date(
            self.env, day, lang_code=self._get_lang(), date_format="d MMMM y"
        )

    def _get_new_address(self):
        """Return the new address on one line, empty when it is not known."""
        self.ensure_one()
        place = " ".join(filter(None, [self.new_zip, self.new_city]))
        return ", ".join(
            filter(None, [self.new_street, place, self.new_country_id.name])
        )

    def _get_report_lines(self):
        """Return (label, text) of what was reported, as the resident reads it.

        Used by the page that is checked before sending and by the mail that confirms
        it. Other addons add what they ask for.
        """
        self.ensure_one()
        lines = [(self.env._("Home"), self.connection_id.name)]
        if self.kind == "death":
            lines += [
                (
                    self.env._("Day of death"),
                    self.date_death and self._format_day(self.date_death),
                ),
                (self.env._("Contact"), self.contact_name),
                (
                    self.env._("E-mail and phone of the contact"),
                    ", ".join(filter(None, [self.contact_email, self.contact_phone])),
                ),
            ]
        lines += [
            (
                self.env._("Last day of the contract"),
                self._format_day(self.date_end)
                if self.date_end
                else self.env._("Not known yet"),
            ),
            (
                self.env._("Address for our post")
                if self.kind == "death"
                else self.env._("New address"),
                self._get_new_address(),
            ),
        ]
        if self.date_end:
            lines.append((self.env._("Who comes next"), self._get_next_text()))
        return [
            *lines,
            *([(self.env._("Remark"), self.note)] if self.note else []),
        ]

    def _get_final_text(self):
        """Hook: what the payer is told about his last bill, empty without billing."""
        self.ensure_one()
        return ""

    def _is_next_told_by_payer(self):
        """Tell whether who comes next was reported by whoever leaves.

        Else a newcomer, a landlord or a clerk did, and it is not his to read.
        """
        self.ensure_one()
        return self.channel == "portal" and self.kind in ("move_out", "sale")

    def _get_next_text(self):
        self.ensure_one()
        if self.next_kind != "resident":
            return {
                "owner": self.env._("The home will be empty"),
                "unknown": self.env._("Not known yet"),
            }.get(self.next_kind, "")
        text = self.env._("A new resident")
        if self._is_next_told_by_payer():
            move = self.sudo()  # sudo: he told us himself who comes next
            told = [move.next_name, move.next_email, move.next_phone]
            text = ", ".join(filter(None, told)) or text
        if self.next_date and self.next_date != self.date_end + timedelta(days=1):
            return self.env._(
                "%(who)s, from %(day)s",
                who=text,
                day=self._format_day(self.next_date),
            )
        return text
