from psycopg2.errors import ExclusionViolation

from odoo.tests import TransactionCase, tagged
from odoo.tools import mute_logger


@tagged("post_install", "-at_install")
class TestContract(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.complex = cls.env["onergy.complex"].create({"name": "Test", "code": "T"})
        cls.connection = cls.env["onergy.connection"].create(
            {
                "complex_id": cls.complex.id,
                "street": "Dorpsstraat",
                "house_number": "1",
                "zip": "1234 AB",
                "city": "Utrecht",
            }
        )
        cls.partner = cls.env["res.partner"].create({"name": "Payer"})

    def _contract(self, start, end=False, **values):
        return self.env["onergy.contract"].create(
            {
                "connection_id": self.connection.id,
                "partner_id": self.partner.id,
                "date_start": start,
                "date_end": end,
                **values,
            }
        )

    def test_overlap_is_refused_by_the_database(self):
        self._contract("2025-01-01", "2025-06-30")
        self._contract("2025-07-01")
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(ExclusionViolation),
        ):
            self._contract("2025-06-30", "2025-06-30")
