from datetime import date

from odoo.tests import TransactionCase, tagged
from odoo.tools import SQL

from odoo.addons.base_iban.models.res_partner_bank import validate_iban

from ..models.onergy_demo import make_ean, make_iban

COUNTED = [
    "onergy.complex",
    "onergy.connection",
    "onergy.contract",
    "onergy.advance",
    "onergy.request",
    "account.move",
    "account.partial.reconcile",
    "res.partner",
    "res.users",
]


@tagged("post_install", "-at_install")
class TestDemo(TransactionCase):
    def test_numbers_have_right_check_digits(self):
        for number in (1, 417164300, 9999999999):
            validate_iban(make_iban(number))
        # A wrong check digit is refused by the database.
        eans = [make_ean(number) for number in (1, 2, 37610425)]
        complex_ = self.env["onergy.complex"].create({"name": "Test", "code": "T"})
        self.env["onergy.connection"].create(
            [
                {
                    "complex_id": complex_.id,
                    "street": "Dorpsstraat",
                    "house_number": str(number),
                    "zip": "1234 AB",
                    "city": "Utrecht",
                    "ean": ean,
                }
                for number, ean in enumerate(eans)
            ]
        )

    def test_demo_supplier(self):
        demo = self.env["onergy.demo"]
        self.assertFalse(self.env["onergy.complex"].search_count([]))
        demo.load()
        counts = self._counts()
        self.assertEqual(counts["onergy.complex"], 3)
        self.assertEqual(counts["onergy.connection"], 120)
        self.assertEqual(counts["onergy.contract"], 140)

        with self.subTest("loading again changes nothing"):
            demo.load()
            self.assertEqual(self._counts(), counts)

        with self.subTest("every day of the past year has one payer"):
            self.env.cr.execute(
                """
                SELECT connection.id
                  FROM onergy_connection connection
                 CROSS JOIN generate_series(
                       current_date - 365, current_date, '1 day') AS day
                  LEFT JOIN onergy_contract contract
                    ON contract.connection_id = connection.id
                   AND day::date BETWEEN contract.date_start
                       AND COALESCE(contract.date_end, 'infinity')
                 GROUP BY connection.id, day
                HAVING count(contract.id) != 1
                """
            )
            self.assertFalse(self.env.cr.fetchall())

        with self.subTest("what was invoiced is what the ledger says"):
            self._check_ledger()

        with self.subTest("the people that the tour needs"):
            self._check_people()

    def _counts(self):
        return {model: self.env[model].search_count([]) for model in COUNTED}

    def _check_ledger(self):
        contracts = self.env["onergy.contract"].search([])
        invoices = self.env["account.move"].search(
            [("onergy_move_kind", "=", "advance")]
        )
        self.assertEqual(set(invoices.mapped("state")), {"posted"})
        self.assertEqual(len(invoices), 12 * 120)
        for invoice in invoices:
            advance = invoice.onergy_contract_id._get_advance(invoice.invoice_date)
            self.assertEqual(invoice.amount_total, advance.amount)
        receivable = invoices.line_ids.filtered(
            lambda line: line.account_type == "asset_receivable"
        )
        other = invoices.line_ids - receivable
        invoiced = sum(invoices.mapped("amount_total"))
        self.assertAlmostEqual(sum(receivable.mapped("debit")), invoiced, 2)
        self.assertAlmostEqual(sum(other.mapped("credit")), invoiced, 2)
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                SELECT sum(balance)
                  FROM account_move_line
                 WHERE partner_id IN %s
                   AND account_id IN %s
                   AND parent_state = 'posted'
                """,
                tuple(contracts.partner_id.ids),
                tuple(receivable.account_id.ids),
            )
        )
        [balance] = self.env.cr.fetchone()
        self.assertAlmostEqual(
            float(balance), sum(invoices.mapped("amount_residual")), 2
        )
        states = set(invoices.mapped("payment_state"))
        self.assertEqual(states, {"paid", "partial", "not_paid"})
        overdue = invoices.filtered(
            lambda i: i.amount_residual and i.invoice_date_due < date.today()
        )
        self.assertTrue(overdue)
        self.assertLess(len(overdue), len(invoices) / 20)

    def _check_people(self):
        users = self.env["res.users"]
        logins = {
            role: users.search([("login", "=", login)])
            for role, login, _password in self.env["onergy.demo"].logins()
        }
        self.assertEqual(
            set(logins),
            {"clerk", "accountant", "resident", "past resident", "manager", "metering"},
        )
        for role, group in (
            ("clerk", "onergy_residents.group_customer_service"),
            ("accountant", "onergy_residents.group_accountant"),
            ("resident", "base.group_portal"),
        ):
            self.assertTrue(logins[role].has_group(group))
        homes = logins["resident"].partner_id.onergy_contract_ids
        self.assertEqual(homes.mapped("state"), ["running", "running"])
        past = logins["past resident"].partner_id.onergy_contract_ids
        self.assertEqual(set(past.mapped("state")), {"ended"})
        vacancies = self.env["onergy.contract"].search([("role", "=", "vacancy")])
        self.assertEqual(len(vacancies), 1)
        self.assertEqual(vacancies.state, "running")
        requests = self.env["onergy.request"].search([])
        self.assertEqual(
            set(requests.mapped("state")), {"new", "open", "answered", "closed"}
        )
        for _role, login, password in self.env["onergy.demo"].logins():
            users.authenticate(
                {"type": "password", "login": login, "password": password},
                {"interactive": False},
            )
