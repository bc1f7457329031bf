from datetime import timedelta

from odoo import fields
from odoo.tests import HttpCase, tagged

from .common import MeteringCase

TEXT = "serial,date,value,unit\n71000001,2026-01-15,1,GJ\n71009999,2026-01-15,1,GJ\n"
URL = "/onergy/metering/push?filename=day.csv"


@tagged("post_install", "-at_install")
class TestPush(MeteringCase, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.gateway = cls._create_user("gateway", "onergy_residents.group_metering")

    def _push(self, content, user=None, key=None, url=URL, kind="text/csv"):
        if user:
            key = (
                self.env["res.users.apikeys"]
                .with_user(user)
                ._generate("rpc", "test", fields.Datetime.now() + timedelta(days=1))
            )
        headers = {"Content-Type": kind}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        return self.url_open(url, data=content.encode(), headers=headers)

    def test_receipt(self):
        answer = self._push(TEXT, self.gateway)
        self.assertEqual(answer.status_code, 200)
        receipt = answer.json()
        self.assertEqual(
            (receipt["state"], receipt["rows"], receipt["new"], receipt["set_aside"]),
            ("done", 2, 1, 1),
        )
        record = self.env["onergy.reading.import"].browse(receipt["import"])
        self.assertEqual((record.channel, record.filename), ("push", "day.csv"))
        self.assertEqual(record.create_uid, self.gateway)

    def test_same_content_gives_the_same_receipt(self):
        text = "".join(TEXT.splitlines(keepends=True)[:2])
        first = self._push(text, self.gateway).json()
        again = self._push(text, self.gateway).json()
        self.assertEqual(again["state"], "duplicate")
        self.assertEqual((again["import"], again["new"]), (first["import"], 1))
        self.assertEqual(len(self._get_readings(self.meter)), 1)

    def test_file_that_cannot_be_read(self):
        answer = self._push("nonsense", self.gateway)
        self.assertEqual(answer.status_code, 422)
        self.assertEqual(answer.json()["state"], "failed")

    def test_file_sent_as_a_form(self):
        """As curl does when it is not told what it sends."""
        answer = self._push(
            TEXT, self.gateway, kind="application/x-www-form-urlencoded"
        )
        self.assertEqual(answer.status_code, 415)
        self.assertIn("Content-Type", answer.json()["message"])
        self.assertFalse(self.env["onergy.reading.import"].search([], limit=1))
        answer = self._push(TEXT, self.gateway, kind="application/octet-stream")
        self.assertEqual(answer.json()["new"], 1)

    def test_profile_that_is_not_there(self):
        answer = self._push(TEXT, self.gateway, url=f"{URL}&profile=plane")
        self.assertEqual(answer.status_code, 422)
        self.assertIn("plane", answer.json()["message"])
        self.assertFalse(self._get_readings(self.meter))
        answer = self._push(TEXT, self.gateway, url=f"{URL}&profile=plain")
        self.assertEqual(answer.json()["new"], 1)

    def test_who_may_push(self):
        self.assertEqual(self._push(TEXT).status_code, 401)
        self.assertEqual(self._push(TEXT, key="wrong" * 8).status_code, 401)
        clerk = self._create_user("clerk", "onergy_residents.group_customer_service")
        portal = self._create_user("resident", "base.group_portal")
        for user in (clerk, portal):
            self.assertEqual(self._push(TEXT, user).status_code, 403)
        self.assertFalse(self._get_readings(self.meter))

    def test_session_of_a_browser_does_not_push(self):
        self.authenticate("gateway", "gateway-secret")
        self.assertEqual(self._push(TEXT).status_code, 401)
