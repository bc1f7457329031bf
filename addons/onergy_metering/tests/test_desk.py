from odoo.tests import tagged

from odoo.addons.onergy_residents.tests.desk_common import DeskCase


@tagged("post_install", "-at_install")
class TestDesk(DeskCase):
    ADDON = "onergy_metering"

    def test_saved_filters(self):
        self._check_saved_filters()

    def test_activities(self):
        self._check_activities()
