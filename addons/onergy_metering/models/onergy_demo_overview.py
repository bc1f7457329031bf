from dateutil.relativedelta import relativedelta

from odoo import Command, fields, models

#: Months whose averages and overviews the demo has.
PEER_MONTHS = 12
OVERVIEW_MONTHS = 2
#: Per complex, in order: kg CO₂ per GJ, and sources with their share.
MIXES = [
    (24.6, [("geothermal", 70.0), ("residual", 18.0), ("gas", 12.0)]),
    (31.2, [("waste", 82.5), ("gas", 17.5)]),
    (18.9, [("aquathermal", 60.0), ("heat_pump", 34.0), ("gas", 6.0)]),
]


class OnergyDemo(models.AbstractModel):
    """Energy mixes, similar homes, monthly overviews and alerts of the demo."""

    _inherit = "onergy.demo"

    def _load_parts(self, today):
        result = super()._load_parts(today)
        if self.logins() and not self.env["onergy.energy.mix"].search_count([]):
            self._load_overviews(today)
        return result

    def _load_overviews(self, today):
        self._load_mixes(today)
        company = self.env.company
        first = today.replace(day=1)
        for number in range(PEER_MONTHS, 0, -1):
            month = first - relativedelta(months=number)
            self.env["onergy.peer.use"]._compute_month(company, month)
        company.onergy_overview_from = first - relativedelta(months=OVERVIEW_MONTHS)
        Overview = self.env["onergy.month.overview"]
        for number in range(OVERVIEW_MONTHS, 0, -1):
            month = first - relativedelta(months=number)
            while Overview._make_batch(company, month):
                pass
        # The demo sends no mail; these months are long over.
        Overview.search([("state", "=", "ready")]).write(
            {"state": "sent", "date_sent": fields.Datetime.now()}
        )
        self._load_alerts()

    def _load_mixes(self, today):
        complexes = self.env["onergy.complex"].search([], order="id")
        self.env["onergy.energy.mix"].create(
            [
                {
                    "complex_id": complex_.id,
                    "date_from": today.replace(month=1, day=1) - relativedelta(years=1),
                    "emission": emission,
                    "line_ids": [
                        Command.create({"source": source, "share": share})
                        for source, share in sources
                    ],
                }
                for complex_, (emission, sources) in zip(complexes, MIXES, strict=False)
            ]
        )

    def _load_alerts(self):
        """The demo's resident has a limit that he is above."""
        logins = {role: login for role, login, _password in self.logins()}
        user = self.env["res.users"].search([("login", "=", logins["resident"])])
        contract = user.partner_id.onergy_contract_ids.filtered(
            lambda c: c.state == "running"
        )[:1]
        self.env["onergy.alert.setting"]._set_for(
            contract, {"limit": (True, 0.5), "silent": (True, 3.0)}
        )
        Alert = self.env["onergy.alert"]
        Alert._open_and_close()
        Alert.search([("mail_state", "=", "pending")]).mail_state = "none"
