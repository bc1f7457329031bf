import base64
import io
import os
import random
import shutil
import string
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import psycopg2

from odoo.exceptions import ConcurrencyError, UserError
from odoo.tests import Form, tagged
from odoo.tools import mute_logger

from .common import MeteringCase

HEADER = "serial,date,value,unit\n"


@tagged("post_install", "-at_install")
class TestImport(MeteringCase):
    def test_result_of_a_file(self):
        record = self._import(
            HEADER
            + "71000001,2026-01-15,1,GJ\n71000001,2026-01-32,1,GJ\n"
            + "71009999,2026-01-15,1,GJ\n71000001,2026-01-16,x,GJ\n"
        )
        self.assertEqual(record.state, "done")
        self.assertEqual(record.profile_id, self.plain)
        self.assertEqual(
            (record.rows_total, record.rows_new, record.rows_bad), (4, 1, 3)
        )
        self.assertEqual(
            [
                (e.filename, e.line, e.column_name, e.raw, e.reason)
                for e in record.exception_ids.sorted("line")
            ],
            [
                ("day.csv", 3, "date", "2026-01-32", "bad_date"),
                ("day.csv", 4, False, False, "unknown_meter"),
                ("day.csv", 5, "value", "x", "bad_number"),
            ],
        )
        reading = self.env["onergy.reading"].search([("meter_id", "=", self.meter.id)])
        self.assertEqual((reading.import_id, reading.line), (record, 2))

    def test_layout_of_a_utility(self):
        record = self._import(
            "15.1.2026;00:56;71000001;Teplo;2 969,03;GJ;GJ;;;ok\n"
            "16.1.2026;00:56;71000001;Teplo;2\u00a0970,03;GJ;GJ;;;ok\n"
            "15.1.2026;00:56;71000002;Teplo;12,00;GJ;GJ;;;error\n",
            "export.csv",
        )
        self.assertEqual(
            record.profile_id, self.env.ref("onergy_metering.profile_utility_csv")
        )
        self.assertEqual((record.rows_new, record.rows_bad), (2, 1))
        self.assertEqual(self._get_days(self.meter), {"2026-01-15": (1, "measured")})
        self.assertEqual(record.exception_ids.reason, "status_error")

    def test_same_file_again(self):
        text = HEADER + "71000001,2026-01-15,1,GJ\n"
        first = self._import(text)
        again = self._import(text, "other name.csv")
        self.assertEqual(again.state, "duplicate")
        self.assertEqual(again.duplicate_of_id, first)
        self.assertEqual(again.rows_new, 0)
        self.assertEqual(len(self._get_readings(self.meter)), 1)

    def _import_without_time(self, day, text):
        """A file of a gateway that sends no time, arrived at 10:00 UTC."""
        return self.env["onergy.reading.import"]._import_stream(
            io.BytesIO(text.encode()),
            "gateway.json",
            "push",
            self.company,
            self.env.ref("onergy_metering.profile_elvaco_cmi41"),
            received=datetime.fromisoformat(day) + timedelta(hours=10),
        )

    def test_same_values_on_another_day_are_readings_of_that_day(self):
        text = '{"E": 5, "U": "GJ", "ID": 71000001}\n'
        states = [
            self._import_without_time(day, text).state
            for day in ("2026-01-15", "2026-01-15", "2026-01-16", "2026-01-15")
        ]
        self.assertEqual(states, ["done", "duplicate", "done", "duplicate"])
        self.assertEqual(
            self._get_readings(self.meter),
            {"2026-01-15 10:00:00": 5, "2026-01-16 10:00:00": 5},
        )

    def test_read_again_keeps_the_moment_of_arrival(self):
        """What came in is not doubled when the rest of the file is tried again."""
        text = (
            '{"E": 5, "U": "GJ", "ID": 71000001}\n{"E": 7, "U": "GJ", "ID": 71000009}\n'
        )
        first = self._import_without_time("2026-01-15", text)
        self.assertEqual((first.rows_new, first.rows_bad), (1, 1))
        late = self._create_meter("71000009", self.other_home)
        again = self.env["onergy.reading.import"]._import_stream(
            io.BytesIO(text.encode()),
            "gateway.json",
            "push",
            self.company,
            first.profile_id,
            received=datetime(2026, 1, 15, 17),
        )
        self.assertEqual((again.rows_new, again.rows_same), (1, 1))
        self.assertEqual(again.received, first.received)
        for meter, value in ((self.meter, 5), (late, 7)):
            self.assertEqual(self._get_readings(meter), {"2026-01-15 10:00:00": value})

    def test_file_that_nobody_can_read(self):
        for content, reason in (
            (b"", "empty"),
            (b"\x00\x01\x02\x03" * 50, "no_profile"),
            (b"hello;world\n", "no_profile"),
        ):
            record = self._import(content)
            self.assertEqual((record.state, record.reason), ("failed", reason))
            self.assertTrue(record.summary)

    def test_file_that_breaks_off_leaves_nothing(self):
        profile = self.plain.copy(
            {"name": "With trailer", "trailer_marker": "T", "trailer_ref": "#2"}
        )
        record = self._import(HEADER + "71000001,2026-01-15,1,GJ\n", profile=profile)
        self.assertEqual((record.state, record.reason), ("failed", "no_trailer"))
        self.assertFalse(self._get_readings(self.meter))

    def test_meter_number_too_long_for_an_index(self):
        rng = random.Random(200)
        number = "".join(rng.choice(string.ascii_letters) for _i in range(9000))
        record = self._import(
            HEADER + f"{number},2026-01-15,1,GJ\n71000001,2026-01-15,1,GJ\n"
        )
        self.assertEqual((record.rows_new, record.rows_bad), (1, 1))
        self.assertEqual(record.exception_ids.meter_key, number[:200])

    def test_imports_are_kept(self):
        record = self._import(HEADER + "71000001,2026-01-15,1,GJ\n")
        with self.assertRaises(UserError):
            record.unlink()

    def test_upload_with_preview(self):
        text = HEADER + "71000001,2026-01-15,1,GJ\n71000001,nonsense,1,GJ\n"
        text += "".join(f"71000001,2026-02-{day:02d},2,GJ\n" for day in range(1, 29))
        form = Form(self.env["onergy.reading.upload"])
        form.file = base64.b64encode(text.encode())
        self.assertEqual(form.profile_id, self.plain)
        self.assertIn("nonsense", form.preview)
        self.assertIn("Not a date or time", form.preview)
        self.assertEqual(form.preview.count("<tr"), 21)
        self.assertFalse(self._get_readings(self.meter))
        action = form.save().action_import()
        record = self.env[action["res_model"]].browse(action["res_id"])
        self.assertEqual((record.rows_new, record.rows_bad), (29, 1))
        attachment = self.env["ir.attachment"].search(
            [("res_model", "=", record._name), ("res_id", "=", record.id)]
        )
        self.assertEqual(attachment.raw, text.encode())

    def test_profiles_pass_their_own_sample(self):
        profiles = self.env["onergy.reading.profile"].search([("code", "!=", False)])
        self.assertGreaterEqual(len(profiles), 12)
        for profile in profiles:
            with self.subTest(profile.code):
                self.assertFalse(profile._check_sample())
                self.assertTrue(profile.sample_ok)

    def test_profile_is_not_put_in_use_before_its_sample_reads(self):
        profile = self.plain.copy({"name": "New", "sample": False, "expected": False})
        self.assertEqual(profile.state, "draft")
        with self.assertRaises(UserError):
            profile.action_activate()
        profile.sample = HEADER + "1,2026-13-15,1,GJ\n"
        self.assertIn("table-danger", profile.preview)
        with self.assertRaises(UserError):
            profile.action_activate()
        profile.sample = HEADER + "1,2026-01-15,1,GJ\n"
        self.assertTrue(profile.sample_ok)
        profile.action_take_expected()
        profile.action_activate()
        self.assertEqual(profile.state, "active")
        with self.assertRaises(UserError):
            profile.value_ref = "date"


@tagged("post_install", "-at_install")
class TestFolder(MeteringCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.company.sudo().write(
            {"onergy_reading_folder": str(self.folder), "onergy_reading_settle": 0}
        )

    def _write(self, name, text, age=60):
        path = self.folder / name
        path.write_text(text)
        moment = time.time() - age
        os.utime(path, (moment, moment))
        return path

    def _run(self):
        cron = self.env.ref("onergy_metering.ir_cron_import_folder")
        with self.enter_registry_test_mode():
            cron.method_direct_trigger()
        self.env.invalidate_all()

    def _list(self, subfolder="."):
        return sorted(
            entry.name
            for entry in (self.folder / subfolder).iterdir()
            if entry.is_file()
        )

    def test_files_are_imported_and_moved(self):
        self._write("good.csv", HEADER + "71000001,2026-01-15,1,GJ\n")
        self._write("bad.csv", "nonsense\n")
        self._run()
        self.assertEqual(len(self._get_readings(self.meter)), 1)
        self.assertEqual(self._list(), [])
        self.assertEqual(self._list("done"), ["good.csv"])
        self.assertEqual(self._list("failed"), ["bad.csv"])
        imports = self.env["onergy.reading.import"].search([("channel", "=", "file")])
        self.assertEqual(set(imports.mapped("state")), {"done", "failed"})

    def test_file_without_times_arrived_when_it_was_written(self):
        path = self._write("gateway.json", '{"E": 5, "U": "GJ", "ID": 71000001}\n')
        os.utime(path, (1768471200, 1768471200))
        self._run()
        self.assertEqual(self._get_readings(self.meter), {"2026-01-15 10:00:00": 5})

    def test_unfinished_files_wait(self):
        self.company.sudo().onergy_reading_settle = 30
        self._write("fresh.csv", HEADER, age=1)
        for name in (".hidden.csv", "upload.csv.part", "upload.tmp"):
            self._write(name, HEADER)
        (self.folder / "link.csv").symlink_to("/dev/null")
        self._run()
        self.assertEqual(len(self._list()), 4)
        self.assertTrue((self.folder / "link.csv").is_symlink())

    def test_file_that_grows_meanwhile_waits(self):
        path = self._write("grows.csv", HEADER + "71000001,2026-01-15,1,GJ\n")
        imports = type(self.env["onergy.reading.import"])
        original = imports._import_stream

        def import_and_grow(records, *args, **kwargs):
            result = original(records, *args, **kwargs)
            with path.open("a") as stream:
                stream.write("71000001,2026-01-16,2,GJ\n")
            return result

        with patch.object(imports, "_import_stream", import_and_grow):
            self._run()
        self.assertEqual(self._list(), ["grows.csv"])
        self.assertFalse(self._get_readings(self.meter))
        self._run()
        self.assertEqual(self._list("done"), ["grows.csv"])
        self.assertEqual(len(self._get_readings(self.meter)), 2)

    def test_same_name_twice_is_kept_twice(self):
        for value in (1, 2):
            self._write("day.csv", HEADER + f"71000001,2026-01-1{value},{value},GJ\n")
            self._run()
        self.assertEqual(len(self._list("done")), 2)

    def test_worker_that_died_before_moving(self):
        text = HEADER + "71000001,2026-01-15,1,GJ\n"
        self._import(text, channel="file")
        self._write("day.csv", text)
        self._run()
        self.assertEqual(self._list("done"), ["day.csv"])
        self.assertEqual(len(self._get_readings(self.meter)), 1)

    def test_full_disk_loses_nothing(self):
        self._write("day.csv", HEADER + "71000001,2026-01-15,1,GJ\n")
        loader = type(self.loader)
        for error in (psycopg2.errors.DiskFull("no space"), ConcurrencyError("busy")):
            with (
                mute_logger("odoo.addons.onergy_metering.models.onergy_reading_folder"),
                patch.object(loader, "_load_rows", side_effect=error),
            ):
                self._run()
            self.assertEqual(self._list(), ["day.csv"])
        self._run()
        self.assertEqual(self._list("done"), ["day.csv"])
        self.assertEqual(len(self._get_readings(self.meter)), 1)

    def test_folder_that_cannot_be_moved_to(self):
        self._write("day.csv", HEADER + "71000001,2026-01-15,1,GJ\n")
        (self.folder / "done").write_text("a file in the way")
        with mute_logger("odoo.addons.onergy_metering.models.onergy_reading_folder"):
            self._run()
            self._run()
        self.assertEqual(len(self._get_readings(self.meter)), 1)

    def test_folder_that_is_gone(self):
        self.company.sudo().onergy_reading_folder = str(self.folder / "gone")
        with mute_logger("odoo.addons.onergy_metering.models.onergy_reading_folder"):
            self._run()

    def test_setting_must_be_a_folder(self):
        settings = self.env["res.config.settings"].create({})
        with self.assertRaises(UserError):
            settings.onergy_reading_folder = "relative/path"
