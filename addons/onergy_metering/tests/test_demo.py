from odoo import fields
from odoo.tests import TransactionCase, tagged

COUNTED = [
    "onergy.meter",
    "onergy.meter.placement",
    "onergy.reading",
    "onergy.reading.import",
    "onergy.reading.exception",
    "onergy.consumption.day",
    "onergy.degree.day",
]


@tagged("post_install", "-at_install")
class TestDemo(TransactionCase):
    def test_demo_meters(self):
        demo = self.env["onergy.demo"]
        demo.load()
        counts = self._counts()
        self.assertEqual(counts["onergy.meter"], 121)
        self.assertEqual(counts["onergy.meter.placement"], 121)
        self.assertGreater(counts["onergy.reading"], 100000)
        exceptions = self.env["onergy.reading.exception"].search([])
        set_aside = exceptions.filtered(lambda e: e.severity == "terminate")
        self.assertEqual(
            sorted(set_aside.mapped("reason")),
            ["decrease", "status_error", "unit_mismatch", "unknown_meter"],
        )
        self.assertLessEqual(
            set((exceptions - set_aside).mapped("reason")),
            {"vee_gap", "vee_estimated"},
        )
        with self.subTest("loading again changes nothing"):
            demo.load()
            self.assertEqual(self._counts(), counts)
        with self.subTest("the year follows the degree days"):
            self._check_climate()
        with self.subTest("the exchange loses nothing"):
            self._check_exchange()
        with self.subTest("the resident sees yesterday's reading"):
            self._check_resident()

    def _counts(self):
        return {
            model: self.env[model].with_context(active_test=False).search_count([])
            for model in COUNTED
        }

    def _check_climate(self):
        self.env.cr.execute(
            """
            SELECT corr(d.weighted, use.quantity)
              FROM (SELECT day, sum(quantity) AS quantity
                      FROM onergy_consumption_day WHERE register = 'energy'
                     GROUP BY day) use
              JOIN onergy_degree_day d ON d.date = use.day
            """
        )
        self.assertGreater(self.env.cr.fetchone()[0], 0.95)
        # A terraced house uses some tens of GJ in a year.
        months = self.env["onergy.consumption.month"]
        [(total,)] = months._read_group(
            [("register", "=", "energy")], [], ["quantity:sum"]
        )
        self.assertTrue(15 < total / 120 / 2 < 40, total)

    def _check_exchange(self):
        meters = self.env["onergy.meter"].with_context(active_test=False)
        new = meters.search([("serial", "=like", "69%")])
        old = meters.search([("serial", "=", f"68{new.serial[2:]}")])
        end, start = old.placement_ids, new.placement_ids
        self.assertEqual((start.date_from - end.date_to).days, 1)
        self.assertTrue(end.has_end_value and start.has_start_value)
        days = self.env["onergy.consumption.day"].search(
            [("connection_id", "=", end.connection_id.id)]
        )
        self.assertEqual(len(days), len(set(days.mapped("day"))))
        self.assertEqual(
            len(days), (max(days.mapped("day")) - min(days.mapped("day"))).days + 1
        )

    def _check_resident(self):
        login = {line[0]: line[1] for line in self.env["onergy.demo"].logins()}
        user = self.env["res.users"].search([("login", "=", login["resident"])])
        contract = user.partner_id.onergy_contract_ids.sorted("id")[0]
        values = contract._get_heating_values()
        [meter] = values["meters"]
        yesterday = fields.Date.subtract(fields.Date.context_today(contract), days=1)
        self.assertFalse(meter["is_old"])
        self.assertIn(str(yesterday.day), meter["date"])
        self.assertTrue(values["charts"][0]["has_before"])
