import csv
import io
from base64 import b64encode
from datetime import date
from decimal import Decimal

from openpyxl import Workbook
from psycopg2 import IntegrityError

from odoo import Command
from odoo.exceptions import AccessError, ValidationError
from odoo.tests import new_test_user, tagged
from odoo.tools import file_open, mute_logger

from .common import BillingCommon


@tagged("post_install", "-at_install")
class TestTariff(BillingCommon):
    def create_standing(self, price, decided_on="2024-01-15", **values):
        return self.env["onergy.tariff"].create(
            {
                "name": f"Standing {price} {decided_on}",
                "valid_from": "2024-01-01",
                "decided_on": decided_on,
                "line_ids": [
                    Command.create(
                        {
                            "component": "standing",
                            "service_set": "heating_hot_water",
                            "price": price,
                        }
                    )
                ],
                **values,
            }
        )

    # -- caps ----------------------------------------------------------------------

    def test_a5_price_passes_before_the_correction_and_is_listed_after_it(self):
        caps = self.env["onergy.tariff.cap"].search([("decided_on", "=", "2024-06-25")])
        values = [cap.copy_data()[0] for cap in caps]
        caps.unlink()
        tariff = self.create_standing(600.0)
        self.assertFalse(tariff.line_ids.is_above_cap)
        self.env["onergy.tariff.cap"].create(values)
        self.assertTrue(tariff.line_ids.is_above_cap)
        self.assertEqual(tariff.line_ids.cap_amount, 582.82)
        listed = self.env["onergy.tariff.line"].search([("is_above_cap", "=", True)])
        self.assertIn(tariff.line_ids, listed)
        self.assertIn("Above the maximum", tariff.message_ids[0].body)

    def test_maxima_that_are_shipped(self):
        """As ACM published them, including VAT; what has no source is left out."""
        xmlids = self.env["ir.model.data"].search(
            [("module", "=", "onergy_billing"), ("model", "=", "onergy.tariff.cap")]
        )
        caps = self.env["onergy.tariff.cap"].browse(xmlids.mapped("res_id"))
        self.assertNotIn(False, caps.mapped("source"))
        found = {}
        for cap in caps:
            self.assertEqual(
                (str(cap.valid_from)[4:], str(cap.valid_to)[4:]), ("-01-01", "-12-31")
            )
            key = (cap.valid_from.year, cap.component, cap.service_set or "")
            found.setdefault(key, set()).add(cap.amount)
        both = "heating_hot_water"
        self.assertEqual(
            found,
            {
                (2023, "heat", ""): {47.38, 90.91},
                (2023, "standing", both): {549.58},
                (2023, "metering", ""): {30.75},
                (2023, "delivery_set", ""): {140.88},
                (2023, "cooling", ""): {273.48},
                (2023, "connection", ""): {5337.39},
                (2023, "disconnection", ""): {4127.31},
                (2024, "heat", ""): {46.69},
                (2024, "standing", both): {618.82, 582.82},
                (2024, "standing", "heating"): {309.41, 291.42},
                (2024, "standing", "hot_water"): {309.41, 291.42},
                (2024, "metering", ""): {31.68},
                (2024, "delivery_set", ""): {145.38},
                (2024, "cooling", ""): {281.69},
                (2024, "connection", ""): {5250.24},
                (2024, "disconnection", ""): {5277.68},
                (2025, "heat", ""): {43.79},
                (2025, "standing", both): {577.48},
                (2025, "metering", ""): {32.80},
                (2025, "delivery_set", ""): {150.49},
                (2025, "cooling", ""): {291.83},
                (2026, "heat", ""): {40.97},
            },
        )
        corrected = caps.filtered(
            lambda cap: cap.decided_on and cap.decided_on > cap.valid_from
        )
        self.assertEqual({str(cap.decided_on) for cap in corrected}, {"2024-06-25"})
        self.assertEqual(set(corrected.mapped("amount")), {582.82, 291.42})

    def test_price_above_the_maximum_is_refused_with_its_source(self):
        with self.assertRaisesRegex(ValidationError, "618.82.*ACM, maximum tariffs"):
            self.create_standing(618.83)
        self.create_standing(618.82)

    def test_after_the_correction_the_corrected_maximum_counts(self):
        with self.assertRaisesRegex(ValidationError, "582.82.*herstelbesluit"):
            self.create_standing(600.0, "2024-06-25")

    def test_raising_a_price_is_judged_too(self):
        tariff = self.create_standing(500.0)
        with self.assertRaises(ValidationError):
            tariff.line_ids.price = 700.0

    def test_no_maximum_known_no_refusal(self):
        self.env["onergy.tariff"].create(
            {
                "name": "2026",
                "valid_from": "2026-01-01",
                "decided_on": "2025-12-15",
                "line_ids": [Command.create({"component": "standing", "price": 700.0})],
            }
        )
        with self.assertRaisesRegex(ValidationError, "40.97"):
            self.env["onergy.tariff"].create(
                {
                    "name": "2026 heat",
                    "valid_from": "2026-01-01",
                    "decided_on": "2025-12-15",
                    "line_ids": [Command.create({"component": "heat", "price": 40.98})],
                }
            )

    def test_maximum_of_a_service_set(self):
        for service_set, allowed in (
            ("heating", 291.42),
            ("hot_water", 291.42),
            ("heating_hot_water", 582.82),
        ):
            values = {"component": "standing", "service_set": service_set}
            self.create_standing(
                1.0,
                f"2024-08-0{len(service_set) % 9 + 1}",
                line_ids=[Command.create({**values, "price": allowed})],
                name=f"{service_set} allowed",
            )
            with self.assertRaises(ValidationError):
                self.create_standing(
                    1.0,
                    "2024-08-20",
                    line_ids=[Command.create({**values, "price": allowed + 0.01})],
                    name=f"{service_set} refused",
                )

    def test_price_for_every_service_set_keeps_to_the_lowest_maximum(self):
        with self.assertRaisesRegex(ValidationError, "309.41"):
            self.create_standing(
                1.0,
                line_ids=[Command.create({"component": "standing", "price": 500.0})],
            )

    def test_landlords_are_not_under_the_heat_act(self):
        self.complex.regime = "servicekosten"
        tariff = self.create_standing(900.0, complex_ids=self.complex.ids)
        self.assertFalse(tariff.line_ids.is_above_cap)
        with self.assertRaises(ValidationError):
            tariff.complex_ids = False

    def test_tier_above_the_price_cap_of_2023(self):
        def tiers(first):
            return {
                "name": f"2023, {first}",
                "valid_from": "2023-01-01",
                "decided_on": "2022-12-20",
                "line_ids": [
                    Command.create(
                        {"component": "heat", "price": first, "tier_to": 37}
                    ),
                    Command.create(
                        {"component": "heat", "price": 90.91, "tier_from": 37}
                    ),
                ],
            }

        self.env["onergy.tariff"].create(tiers(47.38))
        with self.assertRaisesRegex(ValidationError, "47.38"):
            self.env["onergy.tariff"].create(tiers(47.39))

    # -- shape ---------------------------------------------------------------------

    def test_tiers_leave_no_gap(self):
        for tiers in ([(0, 31), (35, 0)], [(0, 31)], [(5, 0)], [(0, 31), (31, 60)]):
            with self.assertRaisesRegex(ValidationError, "do not cover all use"):
                self.env["onergy.tariff"].create(
                    {
                        "name": str(tiers),
                        "valid_from": "2025-01-01",
                        "line_ids": [
                            Command.create(
                                {
                                    "component": "heat",
                                    "price": 1,
                                    "tier_from": low,
                                    "tier_to": high,
                                }
                            )
                            for low, high in tiers
                        ],
                    }
                )

    def test_unit_follows_the_component(self):
        Line = self.env["onergy.tariff.line"]
        for component, unit in (("heat", "gj"), ("metering", "year"), ("fee", "once")):
            self.assertEqual(Line.new({"component": component}).unit, unit)
        with self.assertRaises(ValidationError):
            self.tariff_2025.line_ids[0].unit = "once"

    @mute_logger("odoo.sql_db")
    def test_no_two_prices_for_one_thing(self):
        with self.assertRaises(IntegrityError), self.env.cr.savepoint():
            self.tariff_2025.line_ids[1].copy()
            self.env.flush_all()

    # -- which price holds ---------------------------------------------------------

    def get_prices(self, day, component="standing", home=None, **kw):
        home = home or self.home
        Tariff = self.env["onergy.tariff"]
        tariffs = Tariff._get_tariffs(home.complex_id, **kw)
        timelines = Tariff._get_price_timelines(home, tariffs)
        return [price.amount for price in timelines[component].at(day, ())]

    def test_later_decision_holds(self):
        day = date(2024, 3, 1)
        self.assertEqual(self.get_prices(day), [Decimal("618.82")])
        self._correct_2024()
        self.assertEqual(self.get_prices(day), [Decimal("582.82")])
        self.assertEqual(
            self.get_prices(day, known_on=date(2024, 7, 1)), [Decimal("618.82")]
        )
        # The next year is not touched by it.
        self.assertEqual(self.get_prices(date(2025, 3, 1)), [Decimal("577.48")])

    def test_complex_with_a_tariff_of_its_own(self):
        self.create_standing(100.0, complex_ids=self.complex.ids)
        self.assertEqual(self.get_prices(date(2024, 3, 1)), [Decimal("100.00")])

    def test_price_for_what_is_supplied(self):
        self.tariff_2025.line_ids = [
            Command.create(
                {"component": "standing", "service_set": "heating", "price": 288.0}
            ),
            Command.create({"component": "standing", "price": 250.0}),
        ]
        day = date(2025, 3, 1)
        self.assertEqual(self.get_prices(day), [Decimal("577.48")])
        home = self._create_home("2", service_hot_water=False)
        self.assertEqual(self.get_prices(day, home=home), [Decimal("288.0000")])
        home.write({"service_heating": False, "service_hot_water": True})
        self.assertEqual(self.get_prices(day, home=home), [Decimal("250.0000")])

    def test_components_of_a_connection(self):
        home = self._create_home(
            "3", service_heating=False, service_hot_water=False, service_cooling=True
        )
        home.delivery_set_id = False
        self.assertEqual(home._get_billed_components(), ["metering", "cooling"])

    # -- VAT -----------------------------------------------------------------------

    def test_tax_with_vat_in_the_price_is_made_once(self):
        Rate = self.env["onergy.vat.rate"]
        tax = Rate._get_tax(self.company, Decimal(21))
        self.assertEqual((tax.amount, tax.price_include), (21, True))
        self.assertEqual(Rate._get_tax(self.company, Decimal(21)), tax)

    def test_vat_of_heat_in_2022(self):
        vat = self.env["onergy.vat.rate"]._get_timelines()["heat"]
        days = [
            date(2022, 6, 30),
            date(2022, 7, 1),
            date(2022, 12, 31),
            date(2023, 1, 1),
        ]
        self.assertEqual([vat.at(day) for day in days], [21, 9, 9, 21])

    # -- rights --------------------------------------------------------------------

    def test_rights(self):
        users = {
            role: new_test_user(
                self.env, f"bill_{role}", f"onergy_residents.group_{role}"
            )
            for role in ("customer_service", "metering", "accountant")
        }
        for user in users.values():
            user.company_ids = user.company_id = self.company
        tariff = self.tariff_2025
        tariff.with_user(users["accountant"]).line_ids.mapped("price")
        with self.assertRaises(AccessError):
            tariff.with_user(users["accountant"]).write({"name": "No"})
        with self.assertRaises(AccessError):
            tariff.with_user(users["metering"]).read(["name"])
        tariff.with_user(users["customer_service"]).write({"note": "Yes"})
        cap = self.env["onergy.tariff.cap"].search([], limit=1)
        with self.assertRaises(AccessError):
            cap.with_user(users["customer_service"]).write({"amount": 1000})

    def test_resident_reads_no_tariff_records(self):
        user = new_test_user(self.env, "bill_portal", "base.group_portal")
        with self.assertRaises(AccessError):
            self.tariff_2025.with_user(user).read(["name"])


@tagged("post_install", "-at_install")
class TestTariffLoad(BillingCommon):
    HEADER = ("Component", "Supplied", "From GJ", "To GJ", "Unit", "Price")

    def load(self, *rows, header=HEADER, filename="tariff.csv", **values):
        if filename.endswith(".csv"):
            stream = io.StringIO()
            csv.writer(stream, delimiter=";").writerows([header, *rows])
            content = stream.getvalue().encode()
        else:
            book = Workbook()
            for row in (header, *rows):
                book.active.append(row)
            stream = io.BytesIO()
            book.save(stream)
            content = stream.getvalue()
        # A clerk loads the year.
        wizard = (
            self.env["onergy.tariff.load"]
            .with_user(self.clerk)
            .create(
                {
                    "name": "Tariffs 2025 loaded",
                    "valid_from": "2025-01-01",
                    "decided_on": "2024-12-20",
                    "file": b64encode(content),
                    "filename": filename,
                    **values,
                }
            )
        )
        action = wizard.action_load()
        tariff = self.env["onergy.tariff"].search([("name", "=", wizard.name)])
        self.assertEqual(action["res_id"], (tariff or wizard).id)
        self.assertLessEqual(set(wizard.error_ids.mapped("filename")), {filename})
        return tariff, [(e.line, e.field, e.remedy) for e in wizard.error_ids]

    def test_load(self):
        rows = [
            ("Heat", "", "", "31", "per GJ", "43,79"),
            ("heat", "", "31", "", "gj", "43.7912"),
            ("Standing charge", "Heating and hot water", "", "", "per year", "577,48"),
            ("", "", "", "", "", ""),
        ]
        tariff, errors = self.load(*rows[:1], *rows[2:])
        self.assertFalse(tariff)
        self.assertEqual(errors[0][0], 1, errors)
        self.assertIn("tiers", errors[0][2])
        rows[1] = ("heat", "", "31", "", "gj", "43.7812")
        tariff, errors = self.load(*rows)
        self.assertFalse(errors)
        self.assertEqual(
            tariff.line_ids.sorted("id").mapped("price"), [43.79, 43.7812, 577.48]
        )

    def test_load_xlsx(self):
        tariff, errors = self.load(
            ("heat", None, None, None, "gj", 43.79),
            ("metering", None, None, None, None, 32.8),
            filename="tariff.xlsx",
        )
        self.assertFalse(errors)
        self.assertEqual(tariff.line_ids.sorted("id").mapped("price"), [43.79, 32.8])
        self.assertEqual(tariff.line_ids.mapped("unit"), ["gj", "year"])

    def test_every_mistake_is_told_with_line_and_column(self):
        tariff, errors = self.load(
            ("Warmth", "", "", "", "gj", "10"),
            ("heat", "", "", "", "gj", "a lot"),
            ("heat", "", "", "", "gj", ""),
            ("heat", "", "", "", "gj", "-1"),
            ("heat", "", "", "", "gj", "1,23456"),
        )
        self.assertFalse(tariff)
        self.assertEqual(
            [error[:2] for error in errors],
            [(2, "Component"), *((line, "Price") for line in (3, 4, 5, 6))],
        )
        self.assertIn("Standing charge", errors[0][2])

    def test_price_above_the_maximum_names_its_line(self):
        tariff, errors = self.load(
            ("metering", "", "", "", "", "32,80"), ("heat", "", "", "", "", "43,80")
        )
        self.assertFalse(tariff)
        self.assertEqual([error[:2] for error in errors], [(3, "Price")])
        self.assertRegex(errors[0][2], "43.79")

    def test_file_without_columns(self):
        tariff, errors = self.load(("heat", "43"), header=("What", "How much"))
        self.assertFalse(tariff)
        self.assertEqual(errors[0][0], 1)

    def test_template_can_be_read(self):
        self.env["res.lang"]._activate_lang("nl_NL")
        with file_open("onergy_billing/static/import/tariff.xlsx", "rb") as file:
            content = file.read()
        wizard = self.env["onergy.tariff.load"].create(
            {"name": "Template", "file": b64encode(content), "filename": "t.xlsx"}
        )
        values, errors = wizard._parse(wizard._read_rows())
        # Only the prices are still to be filled in.
        self.assertEqual({error[1] for error in errors}, {"Prijs"})
        self.assertEqual(
            [vals["component"] for _line, vals in values],
            ["heat", "standing", "metering", "delivery_set"],
        )
