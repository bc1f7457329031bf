from dateutil.relativedelta import relativedelta

from odoo import api, models

# What the simulator of the project (tests/payt_server) starts with.
SIMULATOR = {
    "environment": "custom",
    "api_base_url": "http://127.0.0.1:8220",
    "app_base_url": "http://127.0.0.1:8220",
    "administration_id": "7001",
    "api_token": "simulator-token",
    "webhook_secret": "simulator-webhook-secret",
    "webhook_key": "demo",
}
MONTHS = 1
# Small batches: each PDF takes a second, and a person waits for the first bills.
BATCH = 20


class OnergyDemo(models.AbstractModel):
    """A connection with the simulator for the demo supplier.

    It is not live: nothing leaves until the simulator runs (``./dev demo`` starts it)
    or somebody presses "Go live". Until then the queue shows what would be sent.
    """

    _inherit = "onergy.demo"

    def _load_parts(self, today):
        result = super()._load_parts(today)
        connections = self.env["payt.connection"].search_count([], limit=1)
        if self.logins() and not connections:
            self._load_payt(today)
        return result

    def _load_payt(self, today):
        connection = self.env["payt.connection"].create(
            {
                **SIMULATOR,
                "name": "Payt (simulator)",
                "start_date": today.replace(day=1) - relativedelta(months=MONTHS),
                "batch_size": BATCH,
                "user_id": self._get_manager().id,
            }
        )
        # What is made for staff bears names that staff reads.
        staff = connection.with_context(lang=connection.user_id.lang)
        staff.action_create_clearing_journal()
        # Bills of who logs in go first: nobody waits for three hundred PDFs.
        self._get_bills_of_logins(connection)._payt_queue()
        connection.action_send_existing()
        return connection

    def _get_manager(self):
        """Return who gets the activities: somebody a person can log in as."""
        manager = self.env.ref("onergy_residents.group_manager")
        logins = [line[1] for line in self.logins()]
        found = self.env["res.users"].search(
            [("login", "in", logins), ("all_group_ids", "in", manager.ids)], limit=1
        )
        return found or self.env.user

    def _get_bills_of_logins(self, connection):
        residents = self.env["res.users"].search(
            [("login", "in", [line[1] for line in self.logins()])]
        )
        return self.env["account.move"].search(
            [
                ("company_id", "=", connection.company_id.id),
                ("commercial_partner_id", "in", residents.partner_id.ids),
                ("state", "=", "posted"),
            ]
        )

    @api.model
    @api.private
    def connect_payt_simulator(self, address):
        """Put the demo's connection on a running simulator and go live.

        :param address: of the simulator, e.g. ``http://127.0.0.1:8220``
        """
        connection = self.env["payt.connection"].search(
            [("webhook_key", "=", SIMULATOR["webhook_key"])], limit=1
        )
        if not connection:
            return
        # Another address stops a live connection and takes its secrets away: the
        # simulator's are given anew, and the address is proved by going live.
        connection.write(
            {
                "api_base_url": address,
                "app_base_url": address,
                "api_token": SIMULATOR["api_token"],
            }
        )
        if not connection.is_live:
            connection.action_go_live()
