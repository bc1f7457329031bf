import random

from odoo.tests import tagged

from .common import MeteringCase


@tagged("post_install", "-at_install")
class TestFuzz(MeteringCase):
    """No file may crash the import or leave it half done."""

    def test_damaged_files(self):
        seed = 20261124
        rng = random.Random(seed)
        profiles = self.env["onergy.reading.profile"].search([("code", "!=", False)])
        self.assertGreaterEqual(len(profiles), 12)
        for profile in profiles:
            sample = profile.sample.encode()
            for trial in range(40):
                data = bytearray(sample * rng.randrange(1, 3))
                for _change in range(rng.randrange(1, 12)):
                    position = rng.randrange(len(data))
                    kind = rng.randrange(3)
                    if kind == 0:
                        data[position] = rng.randrange(256)
                    elif kind == 1:
                        del data[position : position + rng.randrange(1, 20)]
                        data = data or bytearray(b"x")
                    else:
                        data[position:position] = rng.randbytes(rng.randrange(1, 5))
                with self.subTest(f"{seed=} {profile.code} {trial=}"):
                    record = self._import(
                        bytes(data),
                        profile.sample_filename,
                        profile if rng.random() < 0.5 else None,
                    )
                    self.assertIn(record.state, ("done", "failed", "duplicate"))
                    self.assertTrue(record.summary)
                    self.assertEqual(
                        record.rows_total,
                        record.rows_new + record.rows_same + record.rows_bad,
                    )

    def test_random_bytes(self):
        rng = random.Random(7)
        for size in (1, 10, 1000, 70000):
            record = self._import(rng.randbytes(size))
            self.assertEqual(record.state, "failed")
