from dateutil.relativedelta import relativedelta
from freezegun import freeze_time

from odoo import Command, fields
from odoo.modules.migration import load_script
from odoo.tests import new_test_user
from odoo.tools import file_path

from odoo.addons.account.tests.common import AccountTestInvoicingCommon


def run_migration(cr, version, name):
    """Run a script of ``migrations`` as an upgrade of this addon does."""
    path = file_path(f"onergy_billing/migrations/{version}/{name}.py")
    load_script(path, f"onergy_billing_{name}").migrate(cr, version)


def get_entry(move):
    """What matters of an invoice and the lines of its entry, to compare two."""
    lines = [
        (
            line.display_type,
            line.account_id.code,
            line.partner_id.id,
            line.balance,
            line.amount_currency,
            line.debit,
            line.credit,
            line.amount_residual,
            line.tax_ids.ids,
            line.tax_line_id.id,
            line.tax_repartition_line_id.id,
            line.tax_group_id.id,
            line.tax_tag_ids.ids,
            line.tax_base_amount,
            line.price_unit,
            line.price_subtotal,
            line.price_total,
            line.quantity,
            line.date_maturity,
            line.currency_id.id,
            line.product_id.id,
            line.product_uom_id.id,
        )
        for line in move.line_ids
    ]
    totals = {
        key: value
        for key, value in move.tax_totals.items()
        if key.startswith(("base_amount", "tax_amount", "total_amount"))
    }
    amounts = (move.amount_total, move.amount_tax, move.amount_residual)
    return sorted(lines, key=str), amounts, move.move_type, totals


class BillingCommon(AccountTestInvoicingCommon):
    """A Dutch supplier with the home, meters and prices of the worked example.

    Supply from 1 July 2024 to 30 June 2025, heating and hot water, a rented delivery
    set and a meter that was exchanged on 17 March 2025.
    """

    @classmethod
    @AccountTestInvoicingCommon.setup_country("nl")
    def setUpClass(cls):
        super().setUpClass()
        cls.company = cls.company_data["company"]
        cls.env.user.group_ids += cls.env.ref("onergy_residents.group_manager")
        cls.env.user.lang = "en_US"
        cls.env.user.tz = "Europe/Amsterdam"
        cls.loader = cls.env["onergy.reading.loader"]
        cls.delivery_set = cls.env.ref("onergy_billing.delivery_set_individual")
        cls.complex = cls.env["onergy.complex"].create(
            {"name": "Test", "code": "T", "weather_station": "999"}
        )
        cls.home = cls._create_home("1")
        cls.tariff_2024 = cls._create_tariff(
            2024, "2023-12-15", heat=46.69, standing=618.82, metering=31.68, set=145.38
        )
        cls.tariff_2025 = cls._create_tariff(
            2025, "2024-12-15", heat=43.79, standing=577.48, metering=32.80, set=150.49
        )
        # Who prepares a run does not approve it: the tests approve.
        cls.clerk = new_test_user(
            cls.env,
            "bill_clerk",
            "onergy_residents.group_customer_service",
            lang="en_US",
            company_id=cls.company.id,
            company_ids=[Command.set(cls.company.ids)],
        )
        cls.payer = cls._create_payer("First resident")
        cls.contract = cls._create_contract(cls.home, cls.payer, "2024-07-01")

    @classmethod
    def _create_home(cls, number, **values):
        return cls.env["onergy.connection"].create(
            {
                "complex_id": cls.complex.id,
                "street": "Dorpsstraat",
                "house_number": number,
                "zip": "1234 AB",
                "city": "Utrecht",
                "delivery_set_id": cls.delivery_set.id,
                **values,
            }
        )

    @classmethod
    def _create_payer(cls, name, **values):
        return cls.env["res.partner"].create(
            {
                "name": name,
                "email": f"{name.lower().replace(' ', '.')}@example.com",
                "street": "Dorpsstraat 1",
                "zip": "1234 AB",
                "city": "Utrecht",
                "country_id": cls.env.ref("base.nl").id,
                **values,
            }
        )

    @classmethod
    def _create_contract(cls, home, partner, start, end=False, **values):
        return cls.env["onergy.contract"].create(
            {
                "connection_id": home.id,
                "partner_id": partner.id,
                "date_start": start,
                "date_end": end,
                **values,
            }
        )

    @classmethod
    def _create_tariff(cls, year, decided_on, heat, standing, metering, set, **values):
        prices = [
            ("heat", "gj", heat),
            ("standing", "year", standing),
            ("metering", "year", metering),
            ("delivery_set", "year", set),
        ]
        return cls.env["onergy.tariff"].create(
            {
                "name": f"Tariffs {year}, {decided_on}",
                "valid_from": f"{year}-01-01",
                "decided_on": decided_on,
                "line_ids": [
                    Command.create(
                        {
                            "component": component,
                            "unit": unit,
                            "price": price,
                            "service_set": "heating_hot_water"
                            if component == "standing"
                            else False,
                        }
                    )
                    for component, unit, price in prices
                ],
                **values,
            }
        )

    @classmethod
    def _correct_2024(cls):
        """The tariff that follows from the correction of June 2024."""
        return cls._create_tariff(
            2024, "2024-07-10", heat=46.69, standing=582.82, metering=31.68, set=145.38
        )

    @classmethod
    def _create_meter(cls, serial, home, date_from, date_to=False, **values):
        meter = cls.env["onergy.meter"].create({"serial": serial, **values})
        cls.env["onergy.meter.placement"].create(
            {
                "meter_id": meter.id,
                "connection_id": home.id,
                "date_from": date_from,
                "date_to": date_to,
            }
        )
        return meter

    @classmethod
    def _load_readings(cls, *rows):
        """(serial, day, value): readings at 00:00 of a day."""
        counts = cls.loader._load_rows(
            [
                cls.loader._make_row(
                    serial,
                    cls.loader._day_start(fields.Date.to_date(day)),
                    value,
                    "GJ",
                    line=line,
                )
                for line, (serial, day, value) in enumerate(rows, start=1)
            ],
            cls.company,
            "file",
        )
        if counts["bad"]:
            raise AssertionError(f"{counts['bad']} readings were refused")

    @classmethod
    def _load_case_a(cls):
        cls._create_meter("OLD", cls.home, "2024-07-01", "2025-03-16")
        cls._create_meter("NEW", cls.home, "2025-03-17")
        cls._load_readings(
            ("OLD", "2024-07-01", "412.350"),
            ("OLD", "2025-01-01", "422.970"),
            ("OLD", "2025-03-17", "431.480"),
            ("NEW", "2025-03-17", "0.120"),
            ("NEW", "2025-07-01", "5.030"),
        )


class SettlementCommon(BillingCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.complex.billing_cycle = "anniversary"
        cls.manager = new_test_user(
            cls.env,
            "bill_manager",
            "onergy_residents.group_manager",
            lang="en_US",
            company_id=cls.company.id,
            company_ids=[Command.set(cls.company.ids)],
        )

    def invoice_advances(self, amount, contract=None, months=12, start="2024-07-01"):
        """Post the advances of some months, as an advance run does."""
        contract = contract or self.contract
        contract._set_advance(amount, contract.date_start, "staff")
        first = fields.Date.to_date(start)
        for number in range(months):
            month = first + relativedelta(months=number)
            run = self.env["onergy.advance.run"].create(
                {"month": month, "invoice_date": month}
            )
            run.with_user(self.clerk).action_preview()
            with freeze_time(month):
                run.action_approve()
                self.run_to_end(run)
        return self.env["account.move"].search(
            [
                ("onergy_contract_id", "=", contract.id),
                ("onergy_move_kind", "=", "advance"),
            ]
        )

    def run_to_end(self, run):
        for _batch in range(20):
            if not run._process_batch():
                return
        self.fail("The run does not end")

    def create_run(self, **values):
        return (
            self.env["onergy.settlement.run"]
            .with_user(self.clerk)
            .create(
                {"invoice_date": "2025-07-10", "date_until": "2025-07-05", **values}
            )
        )

    def settle(self, post=True, **values):
        with freeze_time("2025-07-10"):
            run = self.create_run(**values)
            run.action_calculate()
            if post:
                run.with_user(self.manager).action_approve()
                self.run_to_end(run.sudo())
        return run.sudo()
