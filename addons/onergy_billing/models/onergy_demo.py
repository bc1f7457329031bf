from datetime import date, timedelta

from dateutil.relativedelta import relativedelta

from odoo import Command, models

#: Prices incl. VAT by year: below the maxima, as far as those are known.
PRICES = {
    -1: {"heat": 41.50, "standing": 549.00, "metering": 32.80, "delivery_set": 150.49},
    0: {"heat": 39.90, "standing": 612.00, "metering": 33.60, "delivery_set": 154.20},
}
COOLING = 284.00
#: What a year cost the complexes that are billed by actual costs: name, amount per
#: dwelling incl. VAT, VAT (%), fixed part (%), and the meter that shares the rest.
COSTS = {
    "BH": [
        ("Inkoop warmte", 1080.00, 21.0, 35.0, "heat"),
        ("Onderhoud installatie", 121.50, 21.0, 100.0, "heat"),
        ("Meters en afrekening", 39.75, 21.0, 100.0, "heat"),
    ],
    "WL": [
        ("Stroom warmtepompen, warmte", 980.00, 21.0, 30.0, "heat"),
        ("Stroom warmtepompen, koude", 190.00, 21.0, 30.0, "cooling"),
        ("Onderhoud bronnen en pompen", 330.00, 21.0, 100.0, "heat"),
        ("Verzekering installatie", 48.50, 0.0, 100.0, "heat"),
    ],
}
#: Where the supplier is, and the account that residents pay to.
ADDRESS = {"street": "Ketelhuisweg 1", "zip": "1234 AA", "city": "Lindedam"}
ACCOUNT = "NL02ABNA0123456789"
#: The home whose meter was exchanged (see the demo of onergy_metering).
EXCHANGED = 4
INVOICED_MONTHS = 12


class OnergyDemo(models.AbstractModel):
    """Tariffs and bills for the demo supplier.

    Each complex was taken over with the first advance that is known here. The heat
    network and the landlord's building have their bills, among them that of somebody
    who moved out of a home with an exchanged meter, and of an owner who pays the rent
    of a delivery set; those of the owners' association wait for approval.
    """

    _inherit = "onergy.demo"

    def _load_parts(self, today):
        result = super()._load_parts(today)
        tariffs = self.env["onergy.tariff"].search_count([], limit=1)
        has_readings = self.env["onergy.reading"].search_count([], limit=1)
        if self.logins() and has_readings and not tariffs:
            self._load_billing(today)
        return result

    def _load_billing(self, today):
        month = today.replace(day=1)
        start = month - relativedelta(months=INVOICED_MONTHS - 1)
        sites = self.env["onergy.complex"].search([], order="id")
        self.env.company.onergy_billing_start = start
        sites.billing_month = str(month.month)
        homes = self.env["onergy.connection"].search([], order="id")
        homes.filtered(
            lambda home: home.complex_id == sites[0]
        ).delivery_set_id = self.env.ref("onergy_billing.delivery_set_individual")
        self._load_supplier()
        self._load_tariffs(today)
        self._load_move_out(homes[EXCHANGED], month)
        self._load_set_rent(sites[0])
        self._load_cost_statements(sites)
        self._load_settlements(sites, today)
        self._load_advance_run(month)

    def _load_supplier(self):
        """What a bill tells of who sends it."""
        supplier = self.env.company.partner_id
        if not supplier.street:
            supplier.write(ADDRESS)
        if not supplier.bank_ids:
            self.env["res.partner.bank"].create(
                {"partner_id": supplier.id, "acc_number": ACCOUNT}
            )

    def _load_tariffs(self, today):
        for offset, prices in PRICES.items():
            year = today.year + offset
            lines = {**prices, "cooling": COOLING}
            self.env["onergy.tariff"].create(
                {
                    "name": f"Tarieven {year}",
                    "valid_from": date(year, 1, 1),
                    "decided_on": date(year - 1, 12, 18),
                    "line_ids": [
                        Command.create(
                            {
                                "component": component,
                                "unit": "gj" if component == "heat" else "year",
                                "price": price,
                                # The maximum of a standing charge is that of a set.
                                "service_set": "heating_hot_water"
                                if component == "standing"
                                else False,
                            }
                        )
                        for component, price in lines.items()
                    ],
                }
            )

    def _load_move_out(self, home, month):
        """Let the payer of a home move out, and another in the day after."""
        leaver = self.env["onergy.contract"].search(
            [("connection_id", "=", home.id), ("date_end", "=", False)]
        )
        last_day = month - timedelta(days=13)
        leaver.date_end = last_day
        partner = leaver.partner_id.copy(
            {
                "name": "N. Bewoner",
                "email": "n.bewoner@example.com",
                "debtor_number": False,
            }
        )
        contract = leaver.copy(
            {
                "partner_id": partner.id,
                "date_start": last_day + timedelta(days=1),
                "date_end": False,
                "bank_account_id": False,
                "payment_method": "bank_transfer",
            }
        )
        amount = leaver.advance_ids.sorted("date_from")[-1:].amount
        contract._set_advance(amount, contract.date_start, "staff")

    def _load_set_rent(self, site):
        """One dwelling is let by somebody who pays the rent of its delivery set."""
        contract = self.env["onergy.contract"].search(
            [
                ("complex_id", "=", site.id),
                ("role", "=", "tenant"),
                ("date_end", "=", False),
            ],
            order="id",
            limit=1,
        )
        home = contract.connection_id
        home.owner_id = self.env["res.partner"].create(
            {
                "name": "Verhuurder Linde B.V.",
                "is_company": True,
                "email": "verhuurder@example.com",
                "street": home.street,
                "zip": home.zip,
                "city": home.city,
                "country_id": home.country_id.id,
                "lang": self._demo_lang(),
            }
        )
        contract.set_rent_payer = "owner"

    def _load_cost_statements(self, sites):
        users = self._get_users()
        for site in sites.filtered(lambda s: s.code in COSTS):
            statement = (
                self.env["onergy.cost.statement"]
                .with_user(users["clerk"])
                .create(
                    {
                        "complex_id": site.id,
                        "line_ids": [
                            Command.create(
                                {
                                    "name": name,
                                    "amount": round(amount * site.connection_count, 2),
                                    "vat_rate": vat_rate,
                                    "fixed_percent": percent,
                                    "component": component,
                                }
                            )
                            for name, amount, vat_rate, percent, component in COSTS[
                                site.code
                            ]
                        ],
                    }
                )
            )
            statement.action_share_out()
            statement.with_user(users["manager"]).action_confirm()

    def _get_users(self):
        return {
            role: self.env["res.users"].search([("login", "=", login)])
            for role, login, _password in self.logins()
        }

    def _load_settlements(self, sites, today):
        users = self._get_users()
        posted, waiting = (
            self.env["onergy.settlement.run"]
            .with_user(users["clerk"])
            .create(
                {
                    "complex_ids": [Command.set(group.ids)],
                    "date_until": today - timedelta(days=1),
                    "invoice_date": today - timedelta(days=2),
                    "update_advances": True,
                }
            )
            for group in (sites[:-1], sites[-1])
        )
        for run in posted, waiting:
            run.action_calculate()
            # sudo: what is left of the calculation is the job's
            while run.state == "calculating" and run.sudo()._process_batch():
                continue
        if posted.settlement_ids.filtered(lambda s: s.state == "ready"):
            posted.with_user(users["manager"]).action_approve()
            # sudo: the job posts
            while posted.sudo()._process_batch():
                continue

    def _load_advance_run(self, month):
        clerk = self.env["res.users"].search(
            [("login", "=", next(x[1] for x in self.logins() if x[0] == "clerk"))]
        )
        self.env["onergy.advance.run"].with_user(clerk).create(
            {"month": month + relativedelta(months=1)}
        ).action_preview()
