from odoo.tests import tagged

from .portal_common import PortalCase


@tagged("post_install", "-at_install")
class TestPortalTour(PortalCase):
    def test_resident_looks_around_on_a_desktop(self):
        self.start_tour("/my", "onergy_resident_portal", login="resident")
        self.assertEqual(self.resident.phone, "+31 6 12345678")


@tagged("post_install", "-at_install")
class TestPortalTourPhone(PortalCase):
    browser_size = "390x844"
    touch_enabled = True

    def test_resident_looks_around_on_a_phone(self):
        self.start_tour("/my", "onergy_resident_portal", login="resident")
        self.assertEqual(self.resident.phone, "+31 6 12345678")
