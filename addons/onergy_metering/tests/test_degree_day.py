import base64
import io
from datetime import date, timedelta
from pathlib import Path
from unittest import SkipTest

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import MeteringCase

HEAD = "# BRON: KNMI\n# STN,YYYYMMDD,   FG,   TG,   TN\n\n"


@tagged("post_install", "-at_install")
class TestDegreeDay(MeteringCase):
    def _load_text(self, text, date_from=None):
        return self.env["onergy.degree.day"]._load_file(
            io.BytesIO(text.encode()), date_from
        )

    def _get(self, day):
        return self.env["onergy.degree.day"].search(
            [("station", "=", "999"), ("date", "=", day)]
        )

    def test_weights_of_the_seasons(self):
        text = HEAD + "".join(
            f"  999,{day},   30,   80,   10\n"
            for day in ("20260115", "20260315", "20260415", "20261115")
        )
        self.assertEqual(self._load_text(text), 4)
        for day, weighted in (
            ("2026-01-15", 11),
            ("2026-03-15", 10),
            ("2026-04-15", 8),
            ("2026-11-15", 11),
        ):
            record = self._get(day)
            self.assertEqual((record.degree_days, record.weighted), (10, weighted))

    def test_form_and_file_agree(self):
        record = self.env["onergy.degree.day"].create(
            {"station": "999", "date": "2026-01-15", "temperature": -2.3}
        )
        self.assertEqual((record.degree_days, round(record.weighted, 3)), (20.3, 22.33))
        self.assertEqual(self._load_text(HEAD + "999,20260115,1,-23,1\n"), 0)

    def test_warm_days_and_gaps(self):
        self._load_text(HEAD + "999,20260715,1,215,1\n999,20260716,1,     ,1\n")
        self.assertEqual(self._get("2026-07-15").degree_days, 0)
        self.assertFalse(self._get("2026-07-16"))

    def test_provisional_days_are_replaced(self):
        yesterday = fields.Date.today() - timedelta(days=1)
        line = HEAD + f"999,{yesterday:%Y%m%d},1,{{}},1\n"
        self._load_text(line.format(50))
        self.assertTrue(self._get(yesterday).provisional)
        self.assertEqual(self._load_text(line.format(50)), 0)
        self.assertEqual(self._load_text(line.format(48)), 1)
        self.assertEqual(self._get(yesterday).temperature, 4.8)

    def test_estimates_follow_the_temperatures(self):
        self._load(("71000001", "2026-01-01", "10"), ("71000001", "2026-01-04", "13"))
        self.assertEqual(self._get_days(self.meter)["2026-01-01"], (1, "estimated"))
        self._load_text(
            HEAD + "999,20260101,1,180,1\n999,20260102,1,80,1\n999,20260103,1,-20,1\n"
        )
        self.assertEqual(
            [quantity for quantity, _quality in self._get_days(self.meter).values()],
            [2, 1, 0],
        )

    def test_estimates_follow_a_correction_by_hand(self):
        self._load(("71000001", "2026-01-01", "10"), ("71000001", "2026-01-03", "12"))
        days = self.env["onergy.degree.day"].create(
            [
                {"station": "999", "date": "2026-01-01", "temperature": 8},
                {"station": "999", "date": "2026-01-02", "temperature": 8},
            ]
        )
        self.assertEqual(self._get_days(self.meter)["2026-01-01"], (1, "estimated"))
        days[0].temperature = -12
        self.assertEqual(self._get_days(self.meter)["2026-01-01"], (1.5, "estimated"))
        self.assertEqual(self._get_days(self.meter)["2026-01-02"], (0.5, "estimated"))

    def test_each_complex_has_its_own_station(self):
        coast = self.complex.copy({"code": "TC2", "weather_station": "888"})
        self.other_home.complex_id = coast
        self._load_text(
            HEAD + "999,20260101,1,180,1\n999,20260102,1,80,1\n"
            "888,20260101,1,80,1\n888,20260102,1,180,1\n"
        )
        for serial in ("71000001", "71000002"):
            self._load((serial, "2026-01-01", "10"), (serial, "2026-01-03", "12"))
        self.assertEqual(self._get_days(self.meter)["2026-01-02"], (2, "estimated"))
        self.assertEqual(
            self._get_days(self.other_meter)["2026-01-01"], (2, "estimated")
        )

    def test_provisional_days_become_final_without_another_value(self):
        yesterday = fields.Date.today() - timedelta(days=1)
        rows = [("999", yesterday, "5.0", True)]
        self.env["onergy.degree.day"]._load_temperatures(rows)
        final = [("999", yesterday, "5.0", False)]
        self.assertEqual(self.env["onergy.degree.day"]._load_temperatures(final), 1)
        self.assertFalse(self._get(yesterday).provisional)

    def test_other_files_are_refused(self):
        for text in ("", "serial,date\n1,2\n", HEAD + "999,20261315,1,1,1\n"):
            with self.assertRaises(UserError):
                self._load_text(text)

    def test_upload(self):
        wizard = self.env["onergy.degree.day.upload"].create(
            {
                "file": base64.b64encode((HEAD + "999,20260115,1,80,1\n").encode()),
                "date_from": "2026-01-01",
            }
        )
        wizard.action_import()
        self.assertEqual(self._get("2026-01-15").degree_days, 10)

    def test_de_bilt_gives_what_was_published(self):
        """Statistics Netherlands: 3321 degree days in 2010, 2385 in 2014."""
        for folder in Path(__file__).resolve().parents:
            path = folder.parent / "shared" / "metering" / "knmi" / "etmgeg_260.txt"
            if path.is_file():
                break
        else:
            raise SkipTest("the file of De Bilt is not beside this checkout")
        with path.open("rb") as stream:
            self.env["onergy.degree.day"]._load_file(stream, date(2010, 1, 1))
        for year, published in ((2010, 3321), (2014, 2385)):
            [(total,)] = self.env["onergy.degree.day"]._read_group(
                [
                    ("station", "=", "260"),
                    ("date", ">=", f"{year}-01-01"),
                    ("date", "<=", f"{year}-12-31"),
                ],
                [],
                ["degree_days:sum"],
            )
            self.assertEqual(round(total), published)
