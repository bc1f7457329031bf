from datetime import timedelta

from freezegun import freeze_time
from psycopg2.errors import UniqueViolation

from odoo import fields
from odoo.exceptions import AccessDenied, AccessError, UserError
from odoo.tests import TransactionCase, new_test_user, tagged
from odoo.tools import mute_logger

from ..models.onergy_access_attempt import MAX_PER_ADDRESS, MAX_PER_LOGIN
from .common import OnergyCommon

ADDRESS = "192.0.2.1"
WRONG = "0000-0000-0000-0000"


@tagged("post_install", "-at_install")
class TestAccessCode(OnergyCommon, TransactionCase):
    def _codes(self, user="manager"):
        return self.env["onergy.access.code"].with_user(self.staff[user])

    def _issue(self, partner=None):
        [(record, clear)] = (
            self._codes()._issue(partner or self.resident, "letter").items()
        )
        return record, clear

    def _verify(self, login, code, address=ADDRESS):
        public = self.env.ref("base.public_user")
        return (
            self.env["onergy.access.code"]
            .with_user(public)
            ._verify(login, code, address)
        )

    def test_code_has_80_random_bits_in_groups(self):
        codes = {self.env["onergy.access.code"]._generate() for _turn in range(50)}
        self.assertEqual(len(codes), 50)
        for code in codes:
            self.assertRegex(
                code, r"^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}$"
            )

    def test_issuing_makes_a_login_that_is_of_no_use_yet(self):
        record, _clear = self._issue()
        user = self.resident.user_ids
        self.assertEqual(user.login, self.resident.debtor_number)
        self.assertEqual(record.login, user.login)
        self.assertTrue(user._is_portal())
        self.env.cr.execute("SELECT password FROM res_users WHERE id = %s", [user.id])
        self.assertEqual(self.env.cr.fetchone(), (None,))
        with self.assertRaises(AccessDenied), mute_logger("odoo.addons.base"):
            self.env["res.users"].authenticate(
                {"type": "password", "login": user.login, "password": ""},
                {"interactive": True},
            )

    def test_the_code_in_clear_is_nowhere_in_the_database(self):
        record, clear = self._issue()
        self.env.flush_all()
        bare = clear.replace("-", "")
        self.env.cr.execute(
            "SELECT to_jsonb(c)::text FROM onergy_access_code c WHERE id = %s",
            [record.id],
        )
        [row] = self.env.cr.fetchone()
        self.assertNotIn(bare, row)
        self.assertNotIn(clear, row)
        bodies = "".join(str(m.body) for m in self.resident.message_ids)
        self.assertIn("activation code", bodies)
        self.assertNotIn(clear, bodies)
        self.assertNotIn(bare, bodies)

    def test_right_name_and_code(self):
        record, clear = self._issue()
        login = record.login
        self.assertEqual(self._verify(login, clear).id, record.id)
        self.assertEqual(self._verify(f" {login} ", clear.lower()).id, record.id)
        spaced = clear.replace("-", " ").replace("0", "o").replace("1", "l")
        self.assertEqual(self._verify(login, spaced).id, record.id)

    def test_whatever_is_wrong_gets_the_same_answer(self):
        record, clear = self._issue()
        other, other_clear = self._issue(self.resident_2)
        for login, code in [
            (record.login, WRONG),
            (record.login, other_clear),
            (other.login, clear),
            ("nobody", clear),
            ("nobody", WRONG),
            ("", ""),
            (None, None),
            (record.login, clear[:-1]),
        ]:
            with self.subTest(login=login, code=code):
                self.assertFalse(self._verify(login, code))

    def test_same_work_for_a_name_that_exists_and_one_that_does_not(self):
        record, clear = self._issue()
        self._verify("warm", WRONG)
        counts = []
        for login, code in [(record.login, WRONG), ("nobody", WRONG)]:
            self.env.invalidate_all()
            before = self.cr.sql_log_count
            self._verify(login, code)
            self.env.flush_all()
            counts.append(self.cr.sql_log_count - before)
        self.assertEqual(counts[0], counts[1])

    def test_single_use(self):
        record, clear = self._issue()
        self._verify(record.login, clear)._consume()
        self.assertEqual(record.state, "used")
        self.assertFalse(self._verify(record.login, clear))
        with self.assertRaises(UserError):
            record.sudo()._consume()
        self.assertEqual(self.resident.onergy_portal_state, "active")

    def test_expires_after_the_days_of_the_setting(self):
        self.env["ir.config_parameter"].set_param(
            "onergy_residents.access_code_days", "10"
        )
        record, clear = self._issue()
        last = fields.Date.to_date(record.date_expiry)
        self.assertEqual(last, fields.Date.today() + timedelta(days=10))
        with freeze_time(f"{last} 12:00:00"):
            self.assertTrue(self._verify(record.login, clear))
        with freeze_time(f"{last + timedelta(days=1)} 12:00:00"):
            record.invalidate_recordset()
            self.assertFalse(self._verify(record.login, clear))
            self.assertEqual(record.state, "expired")
            self.assertIn(record, self._codes().search([("state", "=", "expired")]))
            self.assertEqual(self.resident.onergy_portal_state, "expired")

    def test_a_new_code_makes_the_lost_one_useless(self):
        old, old_clear = self._issue()
        new, clear = self._issue()
        self.assertEqual(old.state, "revoked")
        self.assertEqual(old.user_id, new.user_id)
        self.assertFalse(self._verify(old.login, old_clear))
        self.assertEqual(self._verify(new.login, clear).id, new.id)

    def test_database_keeps_one_open_code_per_login(self):
        record, _clear = self._issue()
        with mute_logger("odoo.sql_db"), self.assertRaises(UniqueViolation):
            record.sudo().copy({"code_hash": "other"})

    def test_revoke(self):
        record, clear = self._issue()
        record.action_revoke()
        self.assertEqual(record.state, "revoked")
        self.assertFalse(self._verify(record.login, clear))
        self.assertEqual(self.resident.onergy_portal_state, "none")

    def test_too_many_attempts_for_one_name(self):
        record, clear = self._issue()
        for turn in range(MAX_PER_LOGIN):
            self.assertFalse(self._verify(record.login, WRONG, f"198.51.100.{turn}"))
        self.assertFalse(self._verify(record.login, clear))
        with freeze_time(fields.Datetime.now() + timedelta(minutes=61)):
            self.assertTrue(self._verify(record.login, clear))

    def test_too_many_attempts_from_one_address(self):
        record, clear = self._issue()
        for turn in range(MAX_PER_ADDRESS):
            self.assertFalse(self._verify(f"nobody{turn}", WRONG))
        self.assertFalse(self._verify(record.login, clear))
        self.assertTrue(self._verify(record.login, clear, "203.0.113.9"))

    def test_one_ipv6_subnet_is_one_address(self):
        record, clear = self._issue()
        for turn in range(MAX_PER_ADDRESS):
            self._verify(f"nobody{turn}", WRONG, f"2001:db8::{turn:x}")
        self.assertFalse(self._verify(record.login, clear, "2001:db8::ffff"))
        self.assertTrue(self._verify(record.login, clear, "2001:db8:0:1::1"))

    def test_attempts_name_nobody_and_are_cleaned_up(self):
        record, _clear = self._issue()
        self._verify(record.login, WRONG)
        attempt = self.env["onergy.access.attempt"].search([])
        self.assertEqual(len(attempt), 1)
        self.assertNotIn(record.login, attempt.login_key)
        self.assertNotIn(ADDRESS, attempt.address_key)
        with freeze_time(fields.Datetime.now() + timedelta(hours=2)):
            attempt._gc_attempts()
        self.assertFalse(attempt.exists())

    def test_archived_login_cannot_be_activated(self):
        record, clear = self._issue()
        record.sudo().user_id.active = False
        self.assertFalse(self._verify(record.login, clear))

    def test_only_managers_issue_and_revoke(self):
        record, _clear = self._issue()
        for role in ("customer_service", "metering", "accountant"):
            with self.subTest(role=role), self.assertRaises(AccessError):
                self._codes(role)._issue(self.resident, "letter")
        for role in ("customer_service", "accountant"):
            with self.subTest(role=role), self.assertRaises(AccessError):
                record.with_user(self.staff[role]).action_revoke()
            self.assertEqual(record.with_user(self.staff[role]).state, "active")

    def test_the_hash_is_for_the_system_alone(self):
        record, _clear = self._issue()
        with self.assertRaises(AccessError):
            record.read(["code_hash"])
        with self.assertRaises(AccessError):
            record.write({"date_expiry": "2099-01-01"})

    def test_only_residents_who_do_not_work_here(self):
        stranger = self.env["res.partner"].create({"name": "Stranger"})
        with self.assertRefused(UserError, "Stranger"):
            self._issue(stranger)
        employee = new_test_user(self.env, "employee", groups="base.group_user")
        self.env["onergy.contract"].create(
            {
                "connection_id": self.connection.id,
                "partner_id": employee.partner_id.id,
                "date_start": "2020-01-01",
                "date_end": "2020-12-31",
            }
        )
        with self.assertRefused(UserError, "employee"):
            self._issue(employee.partner_id)

    def test_login_name_taken_by_another_company(self):
        new_test_user(self.env, self.resident.debtor_number, groups="base.group_portal")
        record, clear = self._issue()
        self.assertEqual(
            record.login, f"{self.resident.debtor_number}-{self.resident.id}"
        )
        self.assertTrue(self._verify(record.login, clear))

    def test_many_at_once(self):
        issued = self._codes()._issue(self.resident | self.resident_2, "email")
        self.assertEqual(
            {code.partner_id for code in issued}, {self.resident, self.resident_2}
        )
        self.assertEqual(len(set(issued.values())), 2)

    def test_log_in_by_email(self):
        record, _clear = self._issue()
        user = record.sudo().user_id
        user.password = "a long enough password"
        credential = {"type": "password", "password": "a long enough password"}

        def log_in(login):
            return self.env["res.users"].authenticate(
                {**credential, "login": login}, {"interactive": True}
            )["uid"]

        self.assertEqual(log_in(user.login), user.id)
        self.assertEqual(log_in("First@example.com"), user.id)
        self._issue(self.resident_2)
        self.resident_2.email = "first@example.com"
        with self.assertRaises(AccessDenied):
            log_in("first@example.com")
        self.assertEqual(log_in(user.login), user.id)

    def test_login_with_a_password_is_in_use(self):
        new_test_user(
            self.env,
            "chosen",
            groups="base.group_portal",
            partner_id=self.resident.id,
            password="a long enough password",
        )
        self.assertEqual(self.resident.onergy_portal_state, "active")
        found = self.env["res.partner"].search([("onergy_portal_state", "=", "active")])
        self.assertIn(self.resident, found)
        self.assertNotIn(self.resident_2, found)

    def test_portal_state_of_a_list_takes_few_queries(self):
        self._issue()
        partners = self.resident | self.resident_2
        self.env.invalidate_all()
        with self.assertQueryCount(12):
            states = partners.mapped("onergy_portal_state")
        self.assertEqual(states, ["invited", "none"])
        self.assertEqual(
            self.env["res.partner"].search(
                [("id", "in", partners.ids), ("onergy_portal_state", "!=", "invited")]
            ),
            self.resident_2,
        )
