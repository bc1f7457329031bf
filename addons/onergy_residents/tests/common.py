from contextlib import contextmanager

from odoo.tests import new_test_user


class OnergyCommon:
    """Two homes in one complex, residents, and a user of each role.

    Mix in with ``TransactionCase`` or ``HttpCase``.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company = cls.env.company
        cls.complex = cls.env["onergy.complex"].create({"name": "Test", "code": "T"})
        cls.connection, cls.connection_2 = cls.env["onergy.connection"].create(
            [
                {
                    "complex_id": cls.complex.id,
                    "street": "Dorpsstraat",
                    "house_number": number,
                    "zip": "1234 AB",
                    "city": "Utrecht",
                }
                for number in ("1", "2")
            ]
        )
        cls.resident, cls.resident_2 = cls.env["res.partner"].create(
            [
                {"name": "First resident", "email": "first@example.com"},
                {"name": "Second resident", "email": "second@example.com"},
            ]
        )
        cls.contract = cls._create_contract(cls.connection, cls.resident)
        cls.contract_2 = cls._create_contract(cls.connection_2, cls.resident_2)
        cls.staff = {
            role: new_test_user(
                cls.env,
                login=f"staff_{role}",
                groups=f"onergy_residents.group_{role}",
                email=f"{role}@example.com",
            )
            for role in ("customer_service", "metering", "accountant", "manager")
        }

    @classmethod
    def _create_contract(cls, connection, partner, start="2025-01-01", end=False, **kw):
        return cls.env["onergy.contract"].create(
            {
                "connection_id": connection.id,
                "partner_id": partner.id,
                "date_start": start,
                "date_end": end,
                **kw,
            }
        )

    @contextmanager
    def assertRefused(self, error, pattern):
        """Like ``assertRaisesRegex``, and what the block wrote is rolled back."""
        with self.assertRaises(error) as caught:
            yield
        self.assertRegex(str(caught.exception), pattern)
