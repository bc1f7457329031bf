import io
from datetime import date

import psycopg2
from psycopg2 import errors

from odoo import SUPERUSER_ID
from odoo.api import Environment
from odoo.exceptions import ConcurrencyError
from odoo.modules.registry import Registry
from odoo.tests import BaseCase, tagged
from odoo.tests.common import get_db_name
from odoo.tools import mute_logger

PREFIX = "CONCUR"
METERS = 40
DAYS = 28


@tagged("post_install", "-at_install")
class TestConcurrency(BaseCase):
    """Two real transactions at a time; what they commit is removed afterwards."""

    def setUp(self):
        super().setUp()
        self.registry = Registry(get_db_name())
        self.addCleanup(self._clean)
        with self._env() as env:
            complex_ = env["onergy.complex"].create(
                {"name": PREFIX, "code": PREFIX, "weather_station": PREFIX}
            )
            homes = env["onergy.connection"].create(
                [
                    {
                        "complex_id": complex_.id,
                        "street": PREFIX,
                        "house_number": str(number),
                        "zip": "1234 AB",
                        "city": PREFIX,
                    }
                    for number in range(METERS)
                ]
            )
            meters = env["onergy.meter"].create(
                [{"serial": f"{PREFIX}{number:03d}"} for number in range(METERS)]
            )
            env["onergy.meter.placement"].create(
                [
                    {
                        "meter_id": meter.id,
                        "connection_id": home.id,
                        "date_from": "2024-01-01",
                    }
                    for meter, home in zip(meters, homes, strict=True)
                ]
            )

    def _env(self):
        """A context manager that commits at the end."""
        registry = self.registry

        class Transaction:
            def __enter__(self):
                self.cr = registry.cursor()
                return Environment(self.cr, SUPERUSER_ID, {})

            def __exit__(self, kind, *_rest):
                if kind is None:
                    self.cr.commit()  # pylint: disable=invalid-commit
                self.cr.close()

        return Transaction()

    def _clean(self):
        meters = "SELECT id FROM onergy_meter WHERE serial LIKE 'CONCUR%'"
        homes = "SELECT id FROM onergy_connection WHERE street = 'CONCUR'"
        with self._env() as env:
            for table in (
                "onergy_reading",
                "onergy_consumption_day",
                "onergy_consumption_month",
                "onergy_meter_register",
                "onergy_reading_exception",
                "onergy_meter_placement",
            ):
                env.cr.execute(f"DELETE FROM {table} WHERE meter_id IN ({meters})")
            env.cr.execute(
                "DELETE FROM onergy_reading_exception WHERE meter_key LIKE 'CONCUR%'"
            )
            env.cr.execute(f"DELETE FROM onergy_meter WHERE id IN ({meters})")
            env.cr.execute(f"DELETE FROM onergy_connection WHERE id IN ({homes})")
            env.cr.execute("DELETE FROM onergy_complex WHERE code = 'CONCUR'")
            env.cr.execute(
                "DELETE FROM onergy_reading_import WHERE filename LIKE 'CONCUR%'"
            )

    def _get_file(self, first, last):
        lines = [
            f"{PREFIX}{number:03d},2026-01-{day:02d},{day + number},GJ"
            for day in range(first, last + 1)
            for number in range(METERS)
        ]
        return "\n".join(["serial,date,value,unit", *lines, ""]).encode()

    def _import(self, env, content, name="a"):
        return env["onergy.reading.import"]._import_stream(
            io.BytesIO(content), f"{PREFIX}-{name}.csv", "file"
        )

    def _count(self):
        with self._env() as env:
            env.cr.execute(
                """
                SELECT count(*), count(DISTINCT (r.meter_id, r.moment)),
                       (SELECT count(*) FROM onergy_consumption_day d
                         JOIN onergy_meter m ON m.id = d.meter_id
                        WHERE m.serial LIKE 'CONCUR%'),
                       (SELECT sum(quantity) FROM onergy_consumption_month d
                         JOIN onergy_meter m ON m.id = d.meter_id
                        WHERE m.serial LIKE 'CONCUR%')
                  FROM onergy_reading r JOIN onergy_meter m ON m.id = r.meter_id
                 WHERE m.serial LIKE 'CONCUR%'
                """
            )
            return env.cr.fetchone()

    def _assert_complete(self):
        readings, distinct, days, used = self._count()
        self.assertEqual(readings, METERS * DAYS)
        self.assertEqual(distinct, readings)
        self.assertEqual(days, METERS * (DAYS - 1))
        self.assertEqual(used, METERS * (DAYS - 1))

    def test_two_workers_at_once(self):
        """Overlapping files: nothing lost, nothing doubled, whoever is first."""
        first, second = self.registry.cursor(), self.registry.cursor()
        self.addCleanup(first.close)
        self.addCleanup(second.close)
        envs = [Environment(cr, SUPERUSER_ID, {}) for cr in (first, second)]
        self._import(envs[0], self._get_file(1, 18), "a")
        with self.subTest("the second waits while the first is loading"):
            second.execute("SET LOCAL lock_timeout = '100ms'")
            with (
                mute_logger("odoo.sql_db"),
                self.assertRaises(errors.LockNotAvailable),
            ):
                self._import(envs[1], self._get_file(10, DAYS), "b")
            second.rollback()
        with self.subTest("a view of the past does not double what came in since"):
            second.execute("SELECT count(*) FROM onergy_reading")
            first.commit()
            with (
                mute_logger("odoo.sql_db"),
                self.assertRaises(ConcurrencyError),
            ):
                self._import(envs[1], self._get_file(10, DAYS), "b")
            second.rollback()
        with self.subTest("the next attempt adds what is missing"):
            record = self._import(envs[1], self._get_file(10, DAYS), "b")
            self.assertEqual((record.rows_new, record.rows_same), (400, 360))
            second.commit()
        self._assert_complete()

    def test_same_bad_row_in_two_loads(self):
        """Readings that have nothing in common, and one row that both set aside."""
        head = b"serial,date,value,unit\n"
        bad = f"{PREFIX}999,2026-01-01,1,GJ\n".encode()
        contents = [
            head + f"{PREFIX}{number:03d},2026-01-01,1,GJ\n".encode() + bad
            for number in (0, 1)
        ]
        first, second = self.registry.cursor(), self.registry.cursor()
        self.addCleanup(first.close)
        self.addCleanup(second.close)
        envs = [Environment(cr, SUPERUSER_ID, {}) for cr in (first, second)]
        second.execute("SELECT count(*) FROM onergy_reading")
        self._import(envs[0], contents[0], "a")
        first.commit()
        with mute_logger("odoo.sql_db"), self.assertRaises(ConcurrencyError):
            self._import(envs[1], contents[1], "b")
        second.rollback()
        record = self._import(envs[1], contents[1], "b")
        self.assertEqual((record.rows_new, record.rows_listed), (1, 1))
        second.commit()

    def test_corrections_take_their_turn(self):
        """Whoever writes readings or days waits for the load that runs."""
        first, second = self.registry.cursor(), self.registry.cursor()
        self.addCleanup(first.close)
        self.addCleanup(second.close)
        env = Environment(first, SUPERUSER_ID, {})
        self._import(env, self._get_file(1, 3))
        env = Environment(second, SUPERUSER_ID, {})
        meter = env["onergy.meter"].search([("serial", "=", f"{PREFIX}000")])
        loader, day = env["onergy.reading.loader"], date(2026, 1, 2)
        builder = env["onergy.consumption.builder"]
        writers = {
            "set": lambda: loader._set_reading(
                meter, "energy", "2026-01-09 12:00:00", 9.0, "GJ", "manual"
            ),
            "retire": lambda: loader._retire_readings(meter, "placement", []),
            "boundary": lambda: loader._retire_boundary(meter, "energy", day, "x"),
            "estimate": lambda: env["onergy.reading.estimator"]._estimate(meter, day),
            "rebuild": lambda: builder._rebuild_meters(meter),
            "weather": lambda: builder._rebuild_estimated(day, day),
            "purge": lambda: env["onergy.purge"]._purge_daily(meter.company_id, day),
        }
        for name, write in writers.items():
            with self.subTest(name):
                second.execute("SET LOCAL lock_timeout = '50ms'")
                with (
                    mute_logger("odoo.sql_db"),
                    self.assertRaises(errors.LockNotAvailable),
                ):
                    write()
                second.rollback()
        first.rollback()

    def test_worker_killed_before_the_end(self):
        """Its transaction is gone as a whole; the next worker takes the file."""
        content = self._get_file(1, DAYS)
        cr = self.registry.cursor()
        env = Environment(cr, SUPERUSER_ID, {})
        self._import(env, content)
        cr.execute("SELECT pg_backend_pid()")
        [pid] = cr.fetchone()
        with self._env() as other:
            other.cr.execute("SELECT pg_terminate_backend(%s)", [pid])
        with mute_logger("odoo.sql_db"), self.assertRaises(psycopg2.Error):
            cr.execute("SELECT 1")
        cr.close()
        self.assertEqual(self._count()[0], 0)
        with self._env() as env:
            record = self._import(env, content)
            self.assertEqual(record.state, "done")
        self._assert_complete()

    def test_two_workers_on_one_file_of_the_folder(self):
        """The second one leaves it to the first."""
        first, second = self.registry.cursor(), self.registry.cursor()
        try:
            claims = [
                Environment(cr, SUPERUSER_ID, {})["onergy.reading.folder"]._claim("x")
                for cr in (first, second)
            ]
            self.assertEqual(claims, [True, False])
        finally:
            first.close()
            second.close()
