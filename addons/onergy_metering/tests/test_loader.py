from odoo.tests import tagged

from .common import MeteringCase


@tagged("post_install", "-at_install")
class TestLoader(MeteringCase):
    def test_good_rows_land(self):
        counts = self._load(
            ("71000001", "2026-01-15", "1.5"), ("71000001", "2026-01-16", "2.25")
        )
        self.assertEqual(
            counts, {"total": 2, "new": 2, "same": 0, "bad": 0, "listed": 0}
        )
        self.assertEqual(
            self._get_readings(self.meter),
            {"2026-01-14 23:00:00": 1.5, "2026-01-15 23:00:00": 2.25},
        )
        self.assertEqual(self.meter.last_value, 2.25)
        self.assertEqual(self._get_days(self.meter), {"2026-01-15": (0.75, "measured")})
