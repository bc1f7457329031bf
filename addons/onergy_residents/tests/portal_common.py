from odoo import fields
from odoo.http import Request
from odoo.tests import HttpCase, new_test_user


class PortalCase(HttpCase):
    """Two residents of neighbouring homes, a past tenant, and each kind of staff.

    ``past`` lived in ``resident``'s home until the day before he moved in.
    """

    STAFF = ("customer_service", "metering", "accountant", "manager")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env.user.tz = "Europe/Amsterdam"
        cls.env.company.email = "supplier@example.com"
        cls.site = cls.env["onergy.complex"].create({"name": "Test", "code": "TEST"})
        cls.home = cls._create_connection("1")
        cls.other_home = cls._create_connection("2")
        cls.resident = cls._create_resident("resident", "Resident One")
        cls.other = cls._create_resident("other", "Resident Two")
        cls.past = cls._create_resident("past", "Resident Past")
        cls.contract = cls._create_contract(cls.home, cls.resident, "2025-02-01")
        cls.other_contract = cls._create_contract(
            cls.other_home, cls.other, "2024-01-01"
        )
        cls.past_contract = cls._create_contract(
            cls.home, cls.past, "2023-01-01", "2025-01-31"
        )
        cls.staff = {
            name: new_test_user(
                cls.env,
                f"staff_{name}",
                f"onergy_residents.group_{name}",
                tz="Europe/Amsterdam",
            )
            for name in cls.STAFF
        }

    @classmethod
    def _create_connection(cls, house_number, **values):
        return cls.env["onergy.connection"].create(
            {
                "complex_id": cls.site.id,
                "street": "Dorpsstraat",
                "house_number": house_number,
                "zip": "1234 AB",
                "city": "Utrecht",
                **values,
            }
        )

    @classmethod
    def _create_resident(cls, login, name, **values):
        """Return the portal user; login and password are the same word."""
        return new_test_user(
            cls.env,
            login,
            "base.group_portal",
            name=name,
            email=f"{login}@example.com",
            tz="Europe/Amsterdam",
            **values,
        )

    @classmethod
    def _create_contract(cls, connection, user, start, end=False, **values):
        return cls.env["onergy.contract"].create(
            {
                "connection_id": connection.id,
                "partner_id": user.partner_id.id,
                "date_start": start,
                "date_end": end and fields.Date.to_date(end),
                **values,
            }
        )

    def open_as(self, login, url, status=200):
        """Open a page as somebody (None: nobody), return its text."""
        self.authenticate(login, login)
        response = self.url_open(url)
        self.assertEqual(response.status_code, status, url)
        return response.text

    def csrf_token(self):
        """Return the token a form of the current session would hold."""
        return Request.csrf_token(self)

    def post_as(self, login, url, values, status=200):
        """Send a form as somebody (None: nobody), return the page it leads to."""
        self.authenticate(login, login)
        response = self.url_open(url, {"csrf_token": self.csrf_token(), **values})
        self.assertEqual(response.status_code, status, url)
        return response
