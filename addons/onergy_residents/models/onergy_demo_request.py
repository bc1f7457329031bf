import json
from datetime import datetime, time, timedelta

from odoo import fields, models
from odoo.tools import email_normalize, file_open, plaintext2html


class OnergyDemo(models.AbstractModel):
    """What residents asked, and what customer service answered."""

    _inherit = "onergy.demo"

    def _load_requests(self, contracts, clerk, today):
        with file_open("onergy_residents/demo/requests.json") as file:
            specs = json.load(file)
        rng = self._random("requests")
        running = contracts.filtered(
            lambda c: c.state == "running" and c.role != "vacancy"
        )
        askers = rng.sample(list(running.filtered("partner_id.email")), len(specs))
        stages = {
            stage.state: stage for stage in self.env["onergy.request.stage"].search([])
        }
        now = fields.Datetime.now()
        messages = []
        for spec, asker in zip(specs, askers, strict=True):
            contract = contracts[0] if spec.get("resident") else asker
            moment = datetime.combine(
                today - timedelta(days=spec["days_ago"]),
                time(rng.randint(8, 16), rng.randrange(60)),
            )
            request = self._create_request(
                spec, contract, stages, clerk, min(moment, now)
            )
            if spec.get("answer"):
                messages.append(self._prepare_answer(spec, request, clerk, moment, rng))
        self.env["mail.message"].create(messages)

    def _create_request(self, spec, contract, stages, clerk, moment):
        is_public = spec["channel"] == "public"
        request = self.env["onergy.request"].create(
            {
                "subject": spec["subject"],
                "description": plaintext2html(spec["question"]),
                "category": spec["category"],
                "channel": spec["channel"],
                "priority": spec.get("priority", "0"),
                "partner_id": False if is_public else contract.partner_id.id,
                "contract_id": False if is_public else contract.id,
                "contact_name": "Bezoeker van de website" if is_public else False,
                "email_from": "bezoeker@example.com"
                if is_public
                else email_normalize(contract.partner_id.email),
                "user_id": False if spec["state"] == "new" else clerk.id,
                "date_deadline": moment.date() + timedelta(days=7),
                "stage_id": stages[spec["state"]].id,
            }
        )
        self.env.cr.execute(
            "UPDATE onergy_request SET create_date = %s WHERE id = %s",
            (moment, request.id),
        )
        request.invalidate_recordset(["create_date"])
        return request

    def _prepare_answer(self, spec, request, clerk, moment, rng):
        """Return the message of an answer, written without mailing anybody."""
        answered = datetime.combine(
            moment.date() + timedelta(days=rng.randint(1, 3)),
            time(rng.randint(8, 15), rng.randrange(60)),
        )
        request.date_answered = answered
        if spec["state"] == "closed":
            request.date_closed = answered + timedelta(days=3)
        return {
            "model": request._name,
            "res_id": request.id,
            "record_name": request.display_name,
            "message_type": "comment",
            "subtype_id": self.env.ref("mail.mt_comment").id,
            "author_id": clerk.partner_id.id,
            "email_from": clerk.email_formatted,
            "date": answered,
            "body": plaintext2html(spec["answer"]),
        }
