from datetime import date, timedelta

from lxml import html

from odoo.tests import HttpCase, freeze_time, tagged

from .common import MeteringCase

MONTH = date(2026, 2, 1)


@tagged("post_install", "-at_install")
@freeze_time("2026-03-10 12:00:00")
class TestPeerUse(MeteringCase, HttpCase):
    """Twelve flats of 60 m² in one complex; the n-th uses n GJ in February 2026."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["res.lang"]._activate_lang("nl_NL")
        cls.Peer = cls.env["onergy.peer.use"]
        cls.resident = cls._create_user("peer_resident", "base.group_portal")
        cls.contracts = cls.env["onergy.contract"]
        for number in range(1, 13):
            cls.contracts |= cls._create_home(cls.complex, 100 + number, number)
        cls.homes = cls.contracts.connection_id
        cls.contracts[0].partner_id = cls.resident.partner_id

    @classmethod
    def _create_home(cls, complex_, number, use, partner=None, **values):
        home = cls.env["onergy.connection"].create(
            {
                "complex_id": complex_.id,
                "street": "Teststraat",
                "house_number": str(number),
                "zip": "1234 AB",
                "city": "Teststad",
                "floor_area": 60,
                **values,
            }
        )
        cls._create_meter(f"8100{number:04d}", home)
        contract = cls.env["onergy.contract"].create(
            {
                "connection_id": home.id,
                "partner_id": (
                    partner or cls.env["res.partner"].create({"name": f"R{number}"})
                ).id,
                "date_start": "2024-01-01",
            }
        )
        cls._load(
            (f"8100{number:04d}", MONTH, 0), (f"8100{number:04d}", "2026-03-01", use)
        )
        return contract

    def _compute(self):
        self.Peer._compute_month(self.company, MONTH)
        return self.Peer.search([("month", "=", MONTH)])

    def _get_peers(self, contract=None):
        contract = contract or self.contracts[0]
        return contract.with_context(lang="nl_NL")._get_heating_values("month")["peers"]

    def test_average_of_a_complex(self):
        group = self._compute().filtered("has_average")
        self.assertEqual((group.complex_id, group.homes), (self.complex, 12))
        self.assertEqual(group.average, 6.5)
        peers = self._get_peers()
        self.assertIn("6,50 GJ", peers["text"])
        self.assertIn("85% minder", peers["text"])

    def test_the_page_shows_it_beside_the_months(self):
        self._compute()
        self.authenticate("peer_resident", "peer_resident-secret")
        page = html.fromstring(self.url_open("/my/heating?view=month&unit=kWh").text)
        row = page.xpath("//th[text()='februari']/..")[0].text_content()
        self.assertIn("1.806 kWh", row)
        self.assertIn(
            "Woningen zoals die van u", page.xpath("//table")[0].text_content()
        )

    def test_fewer_than_ten_tell_nothing(self):
        self.contracts[9:].write({"role": "vacancy"})
        groups = self._compute()
        self.assertEqual((groups.homes, groups.has_average), (9, False))
        self.assertFalse(groups.average)
        peers = self._get_peers()
        self.assertFalse(peers["text"])
        self.assertIn("ten minste tien", peers["why_not"])

    def test_ten_homes_of_nine_payers_tell_nothing(self):
        """Who pays for several homes knows the use of each of them."""
        self.contracts[9:].write({"partner_id": self.contracts[0].partner_id.id})
        groups = self._compute()
        self.assertEqual((groups.homes, groups.payers), (12, 9))
        self.assertFalse(groups.has_average)

    def test_one_home_that_uses_most_of_it(self):
        self._create_home(self.complex, 113, 200)
        groups = self._compute()
        self.assertEqual(groups.homes, 13)
        self.assertFalse(groups.has_average)

    def test_homes_that_are_not_alike(self):
        self.homes[0].floor_area = 80
        self.homes[1].dwelling_type = "corner"
        self.homes[2].floor_area = 0
        groups = self._compute()
        self.assertFalse(groups.filtered("has_average"))
        self.assertEqual(sorted(groups.mapped("homes")), [1, 1, 9])
        self.assertIn("oppervlakte", self._get_peers(self.contracts[2])["why_not"])

    def test_incomplete_months_do_not_count(self):
        self.contracts[0].date_start = MONTH + timedelta(days=1)
        self._load(("81000102", "2026-03-02", 20))
        self.env["onergy.meter.placement"].search(
            [("connection_id", "=", self.homes[1].id)]
        ).date_from = "2026-02-10"
        self.assertEqual(self._compute().homes, 10)

    def test_small_complexes_are_pooled_and_groups_are_disjoint(self):
        """No home is in two groups: none can be told from their difference."""
        small, other = self.env["onergy.complex"].create(
            [
                {
                    "name": name,
                    "code": name,
                    "daily_basis": "contract",
                    "daily_basis_note": "Terms",
                }
                for name in ("S1", "S2")
            ]
        )
        for number in range(5):
            self._create_home(small, 200 + number, 2)
            last = self._create_home(other, 300 + number, 4)
        groups = self._compute()
        own = groups.filtered("complex_id")
        pooled = groups - own
        self.assertEqual((own.homes, own.average), (12, 6.5))
        self.assertEqual((pooled.homes, pooled.average), (10, 3.0))
        self.assertIn("3,00 GJ", self._get_peers(last)["text"])
        self.assertIn("6,50 GJ", self._get_peers()["text"])

    def test_told_once_and_never_anew(self):
        self._compute()
        self._create_home(self.complex, 400, 130)
        self.assertEqual(self._compute().filtered("has_average").average, 6.5)

    @freeze_time("2026-03-03 12:00:00")
    def test_waits_for_late_readings(self):
        with self.enter_registry_test_mode():
            self.env.ref("onergy_metering.ir_cron_peer_use").method_direct_trigger()
        self.assertFalse(self.Peer.search([("month", "=", MONTH)]))

    def test_cron(self):
        with self.enter_registry_test_mode():
            self.env.ref("onergy_metering.ir_cron_peer_use").method_direct_trigger()
        self.assertTrue(self.Peer.search([("month", "=", MONTH)]).has_average)

    def test_residents_cannot_read_the_groups(self):
        self.assertFalse(self.Peer.with_user(self.resident).has_access("read"))
        for group in ("customer_service", "metering", "accountant"):
            user = self._create_user(f"peer_{group}", f"onergy_residents.group_{group}")
            self.assertTrue(self.Peer.with_user(user).has_access("read"))
            self.assertFalse(self.Peer.with_user(user).has_access("write"))
