from odoo.exceptions import AccessError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import MeteringCase

READABLE = [
    "onergy.meter",
    "onergy.meter.placement",
    "onergy.meter.register",
    "onergy.meter.unit",
    "onergy.reading",
    "onergy.consumption.day",
    "onergy.consumption.month",
    "onergy.degree.day",
]
OPERATIONAL = [
    "onergy.reading.import",
    "onergy.reading.exception",
    "onergy.reading.profile",
    "onergy.reading.revision",
]


@tagged("post_install", "-at_install")
class TestAccess(MeteringCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._load_daily("71000001", "2026-01-01", [1, 2, 3])
        cls._load(("71009999", "2026-01-01", 1))
        groups = "onergy_residents.group_"
        cls.roles = {
            role: cls._create_user(f"metering_{role}", f"{groups}{role}")
            for role in ("metering", "customer_service", "accountant", "manager")
        }
        cls.portal_user = cls._create_user("metering_portal", "base.group_portal")
        cls.public_user = cls.env.ref("base.public_user")

    def _can(self, user, name, operation):
        return self.env[name].with_user(user).has_access(operation)

    def test_residents_and_visitors_reach_no_model(self):
        for user in (self.portal_user, self.public_user):
            for name in READABLE + OPERATIONAL:
                with self.subTest(f"{user.login} {name}"):
                    self.assertFalse(self._can(user, name, "read"))
                    with (
                        mute_logger("odoo.addons.base.models.ir_model"),
                        self.assertRaises(AccessError),
                    ):
                        self.env[name].with_user(user).search([])

    def test_staff_reads(self):
        for role, user in self.roles.items():
            for name in READABLE:
                self.assertTrue(self._can(user, name, "read"), f"{role} {name}")
        for name in OPERATIONAL[:3]:
            self.assertTrue(self._can(self.roles["accountant"], name, "read"), name)
            self.assertFalse(self._can(self.roles["customer_service"], name, "read"))

    def test_only_metering_writes(self):
        for name in ("onergy.meter", "onergy.meter.placement", "onergy.degree.day"):
            self.assertTrue(self._can(self.roles["metering"], name, "write"), name)
            self.assertTrue(self._can(self.roles["manager"], name, "write"), name)
        for role in ("customer_service", "accountant"):
            for name in READABLE + OPERATIONAL:
                for operation in ("write", "create", "unlink"):
                    self.assertFalse(
                        self._can(self.roles[role], name, operation),
                        f"{role} {operation} {name}",
                    )

    def test_nobody_writes_readings(self):
        for role, user in self.roles.items():
            for name in ("onergy.reading", "onergy.consumption.day"):
                for operation in ("write", "create", "unlink"):
                    self.assertFalse(self._can(user, name, operation), role)

    def test_clerk_does_his_work_without_more_rights(self):
        clerk = self.roles["metering"]
        env = self.env(user=clerk)
        record = env["onergy.reading.import"]._import_stream(
            self._stream("serial,date,value,unit\n71000001,2026-01-04,4,GJ\n"),
            "day.csv",
            "upload",
        )
        self.assertEqual(record.rows_new, 1)
        exception = env["onergy.reading.exception"].search([("state", "=", "open")])
        wizard = env["onergy.reading.resolve"].create(
            {"exception_ids": exception.ids, "decision": "ignore", "note": "Not ours"}
        )
        wizard.action_apply()
        self.assertEqual(exception.resolved_uid, clerk)
        entry = env["onergy.reading.entry"].create(
            {
                "meter_id": self.meter.id,
                "moment": "2026-01-04 23:00:00",
                "value": 2,
                "note": "Display",
            }
        )
        entry.action_save()

    def _stream(self, text):
        import io

        return io.BytesIO(text.encode())

    def test_customer_service_cannot_resolve(self):
        exception = self.env["onergy.reading.exception"].search(
            [("state", "=", "open")], limit=1
        )
        with self.assertRaises(AccessError):
            exception.with_user(self.roles["customer_service"]).action_retry()

    def test_companies_do_not_see_each_other(self):
        other = self.env["res.company"].create({"name": "Other supplier"})
        user = self._create_user("metering_other", "onergy_residents.group_manager")
        user.write({"company_ids": [(6, 0, other.ids)], "company_id": other.id})
        env = self.env(user=user)
        for name in (*READABLE[:-1], *OPERATIONAL[:2]):
            self.assertFalse(env[name].search([]), name)
        self.assertTrue(env["onergy.reading.profile"].search([]))

    def test_folder_is_for_the_administrator(self):
        company = self.company.with_user(self.roles["manager"])
        with self.assertRaises(AccessError):
            company.read(["onergy_reading_folder"])
