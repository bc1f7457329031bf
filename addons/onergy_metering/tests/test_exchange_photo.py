import base64
import io

from PIL import Image

from odoo.exceptions import AccessError
from odoo.tests import HttpCase, tagged

from .common import MeteringCase


@tagged("post_install", "-at_install")
class TestExchangePhoto(MeteringCase, HttpCase):
    """The photo of the old meter proves its end reading, for years."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._load_daily("71000001", "2026-01-01", [100, 101])
        picture = io.BytesIO()
        Image.new("RGB", (8, 6), "red").save(picture, "PNG")
        cls.photo = base64.b64encode(picture.getvalue())
        cls.fitter = cls._create_user("photo_fitter", "onergy_residents.group_metering")
        exchange = (
            cls.env["onergy.meter.exchange"]
            .with_user(cls.fitter)
            .create(
                {
                    "meter_id": cls.meter.id,
                    "date": "2026-01-02",
                    "end_value": 102.5,
                    "new_serial": "72000001",
                    "photo": cls.photo,
                }
            )
        )
        exchange.action_exchange()
        cls.placement = cls.meter.placement_ids
        cls.url = f"/web/image/onergy.meter.placement/{cls.placement.id}/photo"
        cls.resident = cls._create_user("photo_resident", "base.group_portal")
        cls.neighbour = cls._create_user("photo_neighbour", "base.group_portal")
        for user, home in (
            (cls.resident, cls.home),
            (cls.neighbour, cls.other_meter.connection_id),
        ):
            cls.env["onergy.contract"].create(
                {
                    "connection_id": home.id,
                    "partner_id": user.partner_id.id,
                    "date_start": "2024-01-01",
                }
            )

    def _get(self, user):
        self.authenticate(user.login, f"{user.login}-secret")
        return self.url_open(self.url)

    def test_kept_as_attachment(self):
        attachment = self.env["ir.attachment"].search(
            [
                ("res_model", "=", "onergy.meter.placement"),
                ("res_id", "=", self.placement.id),
                ("res_field", "=", "photo"),
            ]
        )
        self.assertEqual(len(attachment), 1)
        self.assertEqual(attachment.mimetype, "image/png")
        self.assertFalse(attachment.public)
        self.assertEqual(self.placement.photo, self.photo)

    def test_staff_see_it(self):
        for group in ("metering", "customer_service", "accountant", "manager"):
            user = self._create_user(
                f"photo_{group}", f"onergy_residents.group_{group}"
            )
            with self.subTest(group):
                answer = self._get(user)
                self.assertEqual(answer.status_code, 200)
                self.assertEqual(Image.open(io.BytesIO(answer.content)).size, (8, 6))

    def test_nobody_else_does(self):
        """Not even who lives there: what he sees of it is the end reading."""
        for user in (self.resident, self.neighbour):
            with self.subTest(user.login):
                with self.assertRaises(AccessError):
                    self.placement.with_user(user).read(["photo"])
                self.assertNotEqual(
                    self._get(user).content, base64.b64decode(self.photo)
                )
        self.logout()
        self.assertNotEqual(
            self.url_open(self.url).content, base64.b64decode(self.photo)
        )
