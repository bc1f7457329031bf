import contextlib
import io
import tempfile
from argparse import Namespace
from pathlib import Path
from unittest.mock import patch

from odoo.tests import tagged

from ..cli.onergy_readings import OnergyReadings
from .common import MeteringCase


@tagged("post_install", "-at_install")
class TestCommand(MeteringCase):
    def _run(self, *files, **options):
        options = {"company": self.company.name, "profile": None, **options}
        out, err = io.StringIO(), io.StringIO()
        with (
            patch.object(self.env.cr, "commit") as commit,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            failed = OnergyReadings()._import_files(
                self.env, Namespace(files=files, **options)
            )
        return failed, commit.call_count, out.getvalue(), err.getvalue()

    def _write(self, folder, name, text):
        path = Path(folder) / name
        path.write_text(text)
        return path

    def test_backfill(self):
        with tempfile.TemporaryDirectory() as folder:
            good = self._write(
                folder,
                "good.csv",
                "serial,date,value,unit\n71000001,2026-01-15,1,GJ\n",
            )
            bad = self._write(folder, "bad.csv", "nonsense\n")
            gone = Path(folder) / "gone.csv"
            failed, commits, out, err = self._run(good, bad, gone)
        self.assertEqual((failed, commits), (2, 2))
        self.assertIn("1 new readings", out)
        self.assertIn("gone.csv", err)
        self.assertEqual(len(self._get_readings(self.meter)), 1)
        reading = self.env["onergy.reading"].search([("meter_id", "=", self.meter.id)])
        self.assertEqual(reading.origin, "cli")

    def test_named_profile(self):
        with tempfile.TemporaryDirectory() as folder:
            path = self._write(
                folder,
                "x.csv",
                "15.1.2026;00:56;71000001;Teplo;2 969,03;GJ;GJ;;;ok\n",
            )
            failed, *_rest = self._run(path, profile="utility_csv")
            self.assertEqual(failed, 0)
            with (
                self.assertRaises(SystemExit),
                contextlib.redirect_stderr(io.StringIO()),
            ):
                self._run(path, profile="unknown")
