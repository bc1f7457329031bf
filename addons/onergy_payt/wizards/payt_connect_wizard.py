from odoo import api, fields, models
from odoo.exceptions import UserError


class PaytConnectWizard(models.TransientModel):
    """Set up a connection: credentials, a test, and the choices that matter.

    Managers may fill in secrets here; nobody but an administrator can read them again.
    """

    _name = "payt.connect.wizard"
    _description = "Connect with Payt"

    connection_id = fields.Many2one("payt.connection")
    company_id = fields.Many2one(
        "res.company", required=True, default=lambda self: self.env.company
    )
    environment = fields.Selection(
        [("demo", "Demo"), ("production", "Production"), ("custom", "Other address")],
        required=True,
        default="demo",
    )
    api_base_url = fields.Char("API address")
    auth_mode = fields.Selection(
        [
            ("static", "API token"),
            ("client_credentials", "Client credentials"),
            ("authorization_code", "Consent of a Payt user"),
        ],
        "Log in with",
        required=True,
        default="static",
    )
    api_token = fields.Char("Token")
    client_id = fields.Char("Client ID")
    client_secret = fields.Char()
    webhook_secret = fields.Char()
    administration_id = fields.Char()
    administration_choice = fields.Text(
        "Administrations that we may see", readonly=True
    )
    start_date = fields.Date(
        help="Invoices dated before this day stay out of Payt.",
        default=fields.Date.context_today,
    )
    send_mode = fields.Selection(
        [
            ("odoo", "We send invoices; Payt only follows up"),
            ("payt", "Payt sends the invoices to our customers"),
        ],
        "Who sends the invoice",
        required=True,
        default="odoo",
    )
    journal_id = fields.Many2one(related="connection_id.journal_id")
    make_journal = fields.Boolean("Make a clearing journal", default=True)
    webhook_url = fields.Char("Webhook address", readonly=True)
    is_tested = fields.Boolean(readonly=True)

    @api.model
    def default_get(self, fields):
        values = super().default_get(fields)
        connection = self.env["payt.connection"].search(
            [("company_id", "=", self.env.company.id)], limit=1
        )
        if connection:
            values.update(
                connection_id=connection.id,
                environment=connection.environment,
                api_base_url=connection.api_base_url,
                auth_mode=connection.auth_mode,
                administration_id=connection.administration_id,
                start_date=connection.start_date or values.get("start_date"),
                send_mode=connection.send_mode,
                make_journal=not connection.journal_id,
            )
        return values

    def _save(self):
        """Keep what was filled in; empty secrets leave the stored ones alone."""
        self.ensure_one()
        values = {
            "company_id": self.company_id.id,
            "environment": self.environment,
            "auth_mode": self.auth_mode,
            "administration_id": self.administration_id,
            "start_date": self.start_date,
            "send_mode": self.send_mode,
        }
        if self.environment == "custom":
            if not self.api_base_url:
                raise UserError(self.env._("Fill in the address of the API."))
            values["api_base_url"] = values["app_base_url"] = self.api_base_url
        for secret in ("api_token", "client_id", "client_secret"):
            if self[secret]:
                values[secret] = self[secret].strip()
        # sudo: managers may write secrets, not read them
        connection = self.connection_id.sudo()
        if self.webhook_secret:
            values["webhook_secret_previous"] = connection.webhook_secret
            values["webhook_secret"] = self.webhook_secret.strip()
        if connection:
            connection.write(values)
        else:
            connection = connection.create(values)
            self.connection_id = connection
        self.webhook_url = connection.webhook_url
        # What was typed need not stay in a table that managers can read.
        self.write(
            {
                "api_token": False,
                "client_id": False,
                "client_secret": False,
                "webhook_secret": False,
            }
        )
        return connection

    def action_test(self):
        """Save, ask Payt who we are, and show which administrations there are."""
        connection = self._save()
        rows = connection.action_test()
        self.administration_choice = "\n".join(
            f"{row['id']}: {row['name']}" for row in rows
        )
        if len(rows) == 1 and not self.administration_id:
            self.administration_id = str(rows[0]["id"])
            connection.administration_id = self.administration_id
        self.is_tested = True
        return self._reopen()

    def action_authorize(self):
        return self._save().action_authorize()

    def action_finish(self):
        connection = self._save()
        if self.make_journal:
            connection.action_create_clearing_journal()
        return {
            "type": "ir.actions.act_window",
            "res_model": "payt.connection",
            "res_id": connection.id,
            "view_mode": "form",
        }

    def _reopen(self):
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Set up Payt"),
            "res_model": self._name,
            "res_id": self.id,
            "view_mode": "form",
            "target": "new",
        }
