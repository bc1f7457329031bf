from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import format_date

from .onergy_request import WAITING_STATES

MAX_PUBLIC_PER_HOUR = 5


class OnergyRequest(models.Model):
    """How a request comes in by mail or public form, and how its answers go out."""

    _inherit = "onergy.request"

    @api.model
    def message_new(self, msg_dict, custom_values=None):
        """Make a request of a mail that arrives at the inbox."""
        author = self.env["res.partner"].browse(msg_dict.get("author_id") or [])
        running = author.onergy_contract_ids.filtered(lambda c: c.state == "running")
        values = {
            "subject": msg_dict.get("subject") or self.env._("(no subject)"),
            "channel": "email",
            "partner_id": author.id,
            "contract_id": running.id if len(running) == 1 else False,
            # Without it the subject would become the number.
            "name": "/",
            **(custom_values or {}),
        }
        record = super().message_new(msg_dict, custom_values=values)
        record._send_acknowledgement()
        return record

    def _message_post_after_hook(self, message, msg_values):
        result = super()._message_post_after_hook(message, msg_values)
        is_conversation = message.message_type in ("comment", "email")
        is_public = message.subtype_id == self.env.ref("mail.mt_comment")
        if is_conversation and is_public and not message.is_internal:
            # sudo: a resident who answers has no right to write the request
            self.sudo()._after_conversation_message(message)
            # sudo: the token lets a resident without login read what he was sent
            message.attachment_ids.sudo().generate_access_token()
        return result

    def _after_conversation_message(self, message):
        """Move the request on: our answer waits for the resident, his reply for us."""
        self.ensure_one()
        author = message.author_id
        # partner_share is false for colleagues only
        is_answer = author and not author.partner_share and author != self.partner_id
        if is_answer and self.state in WAITING_STATES:
            self.write(
                {
                    "stage_id": self._get_stage("answered").id,
                    "date_answered": self.date_answered or fields.Datetime.now(),
                }
            )
        elif not is_answer and self.state not in WAITING_STATES:
            self.action_reopen()

    def _notify_get_reply_to_batch(self, defaults=None, author_ids=None):
        """Answer to the inbox of requests, so that a reply always comes back in."""
        result = super()._notify_get_reply_to_batch(
            defaults=defaults, author_ids=author_ids
        )
        for record in self:
            # sudo: an alias is readable for administrators only
            alias = record.company_id.sudo().onergy_request_alias_id
            if alias.alias_domain_id and alias.alias_full_name:
                author_id = (author_ids or {}).get(record.id)
                result[record.id] = self._notify_get_reply_to_formatted_email(
                    alias.alias_full_name,
                    author_id=author_id or record.company_id.partner_id.id,
                )
        return result

    def _send_acknowledgement(self):
        """Mail the requester that his request arrived, soon but not at once."""
        template = self.env.ref("onergy_residents.mail_template_request_received")
        for record in self.filtered("email_from"):
            # sudo: a visitor or resident may not read mail templates
            template.sudo().send_mail(record.id)
            # sudo: triggering a cron is for administrators
            self.env.ref("mail.ir_cron_mail_scheduler_action").sudo()._trigger()

    def _get_deadline_text(self):
        """Return the deadline as the requester reads it."""
        self.ensure_one()
        return format_date(
            self.env, self.date_deadline, lang_code=self._get_lang(), date_format="long"
        )

    # ------------------------------------------------------------------ public form
    @api.model
    def _get_source_key(self, remote_addr):
        """Return the key by which messages of one internet address are counted."""
        return self.env["onergy.access.attempt"]._keys("", remote_addr)["address_key"]

    @api.model
    def _is_source_blocked(self, source_key):
        """Tell whether this address sent as much in an hour as it may."""
        since = fields.Datetime.now() - timedelta(hours=1)
        sent = self.search_count(
            [("source_key", "=", source_key), ("create_date", ">", since)],
            limit=MAX_PUBLIC_PER_HOUR,
        )
        return sent >= MAX_PUBLIC_PER_HOUR

    @api.autovacuum
    def _gc_source_keys(self):
        before = fields.Datetime.now() - timedelta(days=1)
        self.search(
            [("source_key", "!=", False), ("create_date", "<", before)]
        ).source_key = False
