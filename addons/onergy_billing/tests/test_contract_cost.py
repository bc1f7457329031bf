from datetime import date
from decimal import Decimal

from odoo import Command
from odoo.tests import HttpCase, new_test_user, tagged

from .common import BillingCommon


@tagged("post_install", "-at_install")
class TestContractCost(BillingCommon):
    """What the page on heating and the monthly overview tell in euros."""

    def test_prices_change_with_the_tariff(self):
        prices = self.contract._get_heat_prices(date(2024, 12, 1), date(2025, 1, 31))
        self.assertEqual(
            prices[self.contract.id],
            [
                (date(2024, 12, 1), date(2024, 12, 31), ((0, Decimal("46.69")),)),
                (date(2025, 1, 1), date(2025, 1, 31), ((0, Decimal("43.79")),)),
            ],
        )

    def test_a_year_costs_what_the_bill_says(self):
        """The heat and the fixed costs of the worked example, to the cent."""
        self._correct_2024()
        self._load_case_a()
        first, last = date(2024, 7, 1), date(2025, 6, 30)
        use = self.contract._get_use_by_day(self.contract.meter_ids, first, last)
        quantities = {day: quantity for day, (quantity, _is) in use.items()}
        prices = self.contract._get_heat_prices(first, last)[self.contract.id]
        costs = self.contract._price_days(quantities, prices)
        for year, amount in ((2024, "495.85"), (2025, "587.66")):
            total = sum(cost for day, cost in costs.items() if day.year == year)
            self.assertEqual(round(total, 2), Decimal(amount))
        fixed = self.contract._get_fixed_costs(first, last)
        self.assertEqual(
            fixed[self.contract.id],
            sum(
                map(
                    Decimal,
                    ("293.00", "15.93", "73.09", "286.37", "16.27", "74.63"),
                )
            ),
        )

    def test_tiers_count_the_use_of_the_year(self):
        self.env["onergy.tariff"].create(
            {
                "name": "Tiers",
                "valid_from": "2025-01-01",
                "decided_on": "2024-12-20",
                "line_ids": [
                    Command.create(
                        {
                            "component": "heat",
                            "unit": "gj",
                            "price": price,
                            "tier_from": tier_from,
                            "tier_to": tier_to,
                        }
                    )
                    for price, tier_from, tier_to in ((43.79, 0, 2), (30, 2, 0))
                ],
            }
        )
        prices = self.contract._get_heat_prices(date(2025, 1, 1), date(2025, 2, 1))
        costs = self.contract._price_days(
            {date(2025, 1, 1): Decimal("1.5"), date(2025, 1, 2): Decimal("1.5")},
            prices[self.contract.id],
        )
        self.assertEqual(
            costs,
            {
                date(2025, 1, 1): Decimal("65.685"),
                date(2025, 1, 2): Decimal("43.79") / 2 + 30,
            },
        )

    def test_days_without_a_price(self):
        self.assertEqual(
            self.contract._get_heat_prices(date(2022, 1, 1), date(2022, 2, 1)), {}
        )
        self.assertEqual(
            self.contract._get_fixed_costs(date(2022, 1, 1), date(2022, 2, 1)), {}
        )
        self.tariff_2024.line_ids.filtered(
            lambda ln: ln.component == "standing"
        ).unlink()
        # One price is missing: no total that leaves it out.
        self.assertEqual(
            self.contract._get_fixed_costs(date(2024, 8, 1), date(2024, 8, 31)), {}
        )

    def test_page_in_euros(self):
        self._correct_2024()
        self._load_case_a()
        self.contract.date_end = "2025-06-30"
        values = self.contract._get_heating_values("year", "EUR")
        self.assertEqual(values["units"], ("GJ", "kWh", "EUR"))
        self.assertEqual(
            [row["value"] for row in values["charts"][0]["rows"]], [495.8478, 587.6618]
        )

    def test_queries_do_not_depend_on_residents(self):
        homes = [self._create_home(str(number)) for number in range(2, 7)]
        contracts = self.contract
        for home in homes:
            contracts |= self._create_contract(home, self.payer, "2024-07-01")

        def count(records):
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            records._get_heat_prices(date(2025, 1, 1), date(2025, 1, 31))
            records._get_fixed_costs(date(2025, 1, 1), date(2025, 1, 31))
            return self.env.cr.sql_log_count - before

        count(contracts)
        self.assertEqual(count(contracts[:1]), count(contracts))


@tagged("post_install", "-at_install")
class TestHeatingPageInEuros(BillingCommon, HttpCase):
    def test_page_and_its_queries(self):
        self._correct_2024()
        self._load_case_a()
        user = new_test_user(
            self.env,
            "resident",
            "base.group_portal",
            company_id=self.company.id,
            company_ids=[(6, 0, self.company.ids)],
        )
        self.contract.partner_id = user.partner_id
        self.complex.write({"daily_basis": "contract", "daily_basis_note": "Terms"})
        self.authenticate("resident", "resident")
        url = "/my/heating?view=month&unit=EUR&period=2025-01-01"
        page = self.url_open(url).text
        self.assertIn("€", page)
        self.assertIn("unit=EUR", page)
        self.url_open(url)
        before = self.env.cr.sql_log_count
        self.assertEqual(self.url_open(url).status_code, 200)
        self.assertLessEqual(self.env.cr.sql_log_count - before, 25)
