import io
from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from odoo.addons.onergy_residents.tests.portal_common import PortalCase

from .common import MeteringCase

PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02"
    b"\x00\x00\x00\x90wS\xde\x00\x00\x00\x0cIDATx\x9cc\xf8\xcf\xc0\x00\x00\x03\x01"
    b"\x01\x00\xc9\xfe\x92\xef\x00\x00\x00\x00IEND\xaeB`\x82"
)


@tagged("post_install", "-at_install")
class TestMoveReading(PortalCase):
    """The reading of the last day, given by the resident or by a clerk."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["res.lang"]._activate_lang("en_US")
        cls.resident.lang = "en_US"
        cls.company = cls.env.company
        cls.company.onergy_request_user_id = cls.staff["customer_service"]
        cls.loader = cls.env["onergy.reading.loader"]
        cls.site.owner_id = cls.env["res.partner"].create({"name": "Owner"})
        cls.meter = MeteringCase._create_meter.__func__(
            cls, "71000001", cls.home, "2024-01-01", read_mode="manual"
        )
        cls.today = fields.Date.context_today(
            cls.contract.with_context(tz="Europe/Amsterdam")
        )
        cls.last_day = cls.today - timedelta(days=2)
        MeteringCase._load.__func__(
            cls,
            ("71000001", cls.today - timedelta(days=400), "100"),
            ("71000001", cls.today - timedelta(days=40), "130"),
        )
        cls.move = cls.env["onergy.move"].create(
            {
                "contract_id": cls.contract.id,
                "channel": "portal",
                "date_end": cls.last_day,
                "next_kind": "owner",
                "new_street": "Kade 5",
                "new_city": "Ede",
                "state": "draft",
            }
        )
        cls.url = f"/my/move/{cls.move.id}/reading"
        cls.closing = cls.loader._day_start(cls.last_day + timedelta(days=1))

    def _answer(self, value, login="resident", photo=None, **values):
        self.authenticate(login, login)
        return self.url_open(
            self.url,
            {
                "csrf_token": self.csrf_token(),
                f"reading_{self.meter.id}": value,
                **values,
            },
            files=photo
            and [(f"photo_{self.meter.id}", ("m.png", io.BytesIO(photo), "image/png"))],
        )

    def _stored(self):
        return self.env["onergy.reading"].search(
            [("meter_id", "=", self.meter.id), ("moment", "=", self.closing)]
        )

    def test_reading_with_photo_becomes_a_reading_when_carried_out(self):
        self.assertIn("71000001", self.open_as("resident", self.url))
        page = self._answer("133,5", photo=PNG).text
        self.assertIn("133.500 GJ", page)
        reading = self.move.closing_reading_ids
        self.assertEqual((reading.value, reading.verdict), (133.5, "ok"))
        self.assertEqual(reading._get_photo(), PNG)
        self.assertFalse(self._stored(), "not before the move is carried out")
        self.move._send_report()
        self.assertIn("133", self.move.preview)
        self.move.with_user(self.staff["customer_service"]).action_carry_out()
        stored = self._stored()
        self.assertEqual((stored.value, stored.origin), (133.5, "portal"))
        self.assertTrue(reading.is_stored)
        with self.assertRaises(UserError):
            reading.with_user(self.staff["customer_service"]).unlink()

    def test_a_reading_that_is_not_kept_yet_may_be_removed(self):
        self._answer("133,5", photo=PNG)
        reading = self.move.closing_reading_ids
        reading.with_user(self.staff["customer_service"]).unlink()
        self.assertFalse(self.move.closing_reading_ids)

    def test_implausible_is_said_at_once_and_may_be_confirmed(self):
        of_meter = [("meter_id", "=", self.meter.id)]
        Exceptions = self.env["onergy.reading.exception"]
        before = Exceptions.search(of_meter)
        page = self._answer("12").text
        self.assertIn("does not fit the one before", page)
        self.assertFalse(self.move.closing_reading_ids)
        self.assertEqual(Exceptions.search(of_meter), before)
        self._answer("12", photo=PNG, **{f"confirmed_{self.meter.id}": "1"})
        self.assertEqual(self.move.closing_reading_ids.verdict, "doubtful")
        self.move._send_report()
        self.assertIn("does not fit", self.move.preview)
        self.move.action_carry_out()
        self.assertFalse(self._stored())
        exception = Exceptions.search(of_meter) - before
        self.assertEqual(exception.message_ids.attachment_ids.raw, PNG)

    def test_what_is_no_number_or_no_photo_is_refused(self):
        self.assertIn("not a number", self._answer("many").text)
        self.assertIn("cannot open this picture", self._answer("133", photo=b"x").text)
        self.assertFalse(self.move.closing_reading_ids)

    def test_not_before_the_last_day(self):
        self.move.date_end = self.today + timedelta(days=5)
        page = self.open_as("resident", self.url)
        self.assertIn("still to come", page)
        self.assertNotIn(f"reading_{self.meter.id}", page)
        self._answer("133,5")
        self.assertFalse(self.move.closing_reading_ids)

    def test_asked_by_mail_and_given_after_it_was_carried_out(self):
        self.move._send_report()
        self.assertIn("No closing reading of 71000001", self.move.preview)
        self.move.action_carry_out()
        Mail = self.env["mail.mail"]
        for _morning in range(2):
            self.env["onergy.move"]._cron_after_last_day()
        mails = Mail.search(
            [("res_id", "=", self.move.id), ("subject", "like", "meter show")]
        )
        self.assertEqual(len(mails), 1, "asked once")
        self._answer("133,5")
        self.assertEqual(self._stored().value, 133.5)
        self.assertEqual(self.move.state, "done")
        self._answer("140")
        self.assertEqual(self._stored().value, 133.5, "it is among the readings")

    def test_unit_of_the_last_day(self):
        self.env["onergy.meter.unit.change"].create(
            {
                "meter_id": self.meter.id,
                "date": self.today,
                "old_value": 144,
                "new_unit": "MWh",
                "new_value": 40,
                "reason": "Set by the next resident",
            }
        ).action_apply()
        self.move._send_report()
        self.assertIn("GJ", self.open_as("resident", self.url))
        self._answer("133,5", **{f"confirmed_{self.meter.id}": "1"})
        self.assertEqual(self.move.closing_reading_ids.unit, "GJ")

    def test_not_for_ever_after_it_was_carried_out(self):
        self.move._send_report()
        self.move.action_carry_out()
        self.move.date_end = self.today - timedelta(days=15)
        self.assertTrue(self._answer("133,5").url.endswith("/my/move"))
        self.assertFalse(self.move.closing_reading_ids)
        self.move.reading_asked_on = self.today - timedelta(days=14)
        self._answer("133,5")
        self.assertEqual(self.move.closing_reading_ids.value, 133.5)

    def test_reading_of_today_waits_until_the_day_is_over(self):
        self.move.date_end = self.today
        self._answer("133,5")
        self.move._send_report()
        self.move.action_carry_out()
        self.assertFalse(self.move.closing_reading_ids.is_stored)

    def test_clerk_enters_it(self):
        clerk = self.staff["customer_service"]
        self.move.write({"state": "reported", "channel": "phone"})
        move = self.move.with_user(clerk)
        move.closing_reading_ids = [
            fields.Command.create({"meter_id": self.meter.id, "value": 133.5})
        ]
        self.assertEqual(move.closing_reading_ids.verdict, "ok")
        move.action_carry_out()
        self.assertEqual(self._stored().origin, "manual")

    def test_a_remote_meter_is_not_asked_for(self):
        self.meter.read_mode = "remote"
        response = self._answer("133,5")
        self.assertTrue(response.url.endswith("/my/move"))
        self.assertFalse(self.move.closing_reading_ids)
        self.move.state = "reported"
        self.assertNotIn("No closing reading", self.move.preview)

    def test_who_may(self):
        for login in ("other", "past", "staff_customer_service", "staff_metering"):
            self._answer("133,5", login=login)
            self.assertFalse(self.move.closing_reading_ids, login)
        self.authenticate(None, None)
        self.assertIn("/web/login", self.url_open(self.url).url)
        self._answer("133,5")
        reading = self.move.closing_reading_ids
        for user in (self.resident, self.other, self.env.ref("base.public_user")):
            with self.assertRaises(AccessError):
                reading.with_user(user).read(["value"])
        for role in ("accountant", "metering"):
            with self.assertRaises(AccessError):
                reading.with_user(self.staff[role]).value = 1
