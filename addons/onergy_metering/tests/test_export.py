import io
from unittest.mock import patch

import openpyxl
from openpyxl.utils.escape import unescape

from odoo.tests import HttpCase, tagged

from ..wizards import onergy_metering_export
from .common import MeteringCase


@tagged("post_install", "-at_install")
class TestExport(MeteringCase, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._load_daily("71000001", "2026-01-01", [1, 2.5, 4])
        cls._load(("71000002", "2026-01-01", "7.125"))
        cls.clerk = cls._create_user(
            "export_clerk", "onergy_residents.group_accountant"
        )

    def _download(self, kind, user=None, **values):
        user = user or self.clerk
        export = (
            self.env["onergy.metering.export"]
            .with_user(user)
            .create(
                {
                    "kind": kind,
                    "date_from": "2026-01-01",
                    "date_to": "2026-01-31",
                    "complex_ids": self.complex.ids,
                    **values,
                }
            )
        )
        self.authenticate(user.login, f"{user.login}-secret")
        answer = self.url_open(export.action_export()["url"])
        self.assertEqual(answer.status_code, 200)
        self.sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).active
        return [[cell.value for cell in row] for row in self.sheet.iter_rows()]

    def test_readings(self):
        rows = self._download("readings")
        self.assertEqual(len(rows), 5)
        self.assertEqual(rows[1][0], "71000001")
        self.assertIn("Teststraat 1", rows[1][1])
        self.assertEqual(str(rows[1][3]), "2026-01-01 00:00:00")
        self.assertEqual(rows[2][4], 2.5)
        self.assertEqual(rows[1][5:], ["GJ", "OK", "Bestand"], "words of the reader")
        formats = [cell.number_format for cell in self.sheet[5]]
        self.assertEqual(formats[3:5], ["yyyy-mm-dd hh:mm", "#,##0.000"])
        self.assertEqual(self.sheet.dimensions, "A1:H5")

    def test_texts_that_excel_minds(self):
        meters = self.env["onergy.meter"].search(
            [("serial", "in", ("71000001", "71000002"))], order="serial"
        )
        awkward = ("  <A & B>_x0041_\u0007 ", "<r><t>B</t></r>")
        for meter, serial in zip(meters, awkward, strict=True):
            meter.serial = serial
        names = {unescape(row[0]) for row in self._download("readings")[1:]}
        self.assertEqual(names, set(awkward))

    def test_rows_go_on_in_another_sheet(self):
        with patch.object(onergy_metering_export, "_SHEET_ROWS", 2):
            rows = self._download("readings")
        sheets = self.sheet.parent.worksheets
        self.assertEqual([sheet.max_row for sheet in sheets], [3, 3])
        again = [cell.value for cell in sheets[1][1]]
        self.assertEqual(rows[0], again, "each sheet has its heading")

    def test_use(self):
        self.assertEqual([row[4] for row in self._download("days")[1:]], [1.5, 1.5])
        [row] = self._download("months")[1:]
        self.assertEqual(row[4:], [3, 2, 0])

    def test_period_and_complex(self):
        self.assertEqual(len(self._download("days", date_to="2026-01-01")), 2)
        other = self.env["onergy.complex"].create({"name": "Other", "code": "OTH"})
        self.assertEqual(len(self._download("days", complex_ids=other.ids)), 1)

    def test_other_company_sees_nothing(self):
        company = self.env["res.company"].create({"name": "Other supplier"})
        user = self._create_user("export_other", "onergy_residents.group_manager")
        user.write({"company_ids": [(6, 0, company.ids)], "company_id": company.id})
        self.assertEqual(len(self._download("readings", user, complex_ids=False)), 1)

    def test_export_of_somebody_else(self):
        export = self.env["onergy.metering.export"].create({"kind": "days"})
        url = export.action_export()["url"]
        self.authenticate("export_clerk", "export_clerk-secret")
        self.assertEqual(self.url_open(url).status_code, 404)
        resident = self._create_user("export_portal", "base.group_portal")
        self.authenticate(resident.login, f"{resident.login}-secret")
        self.assertIn(self.url_open(url).status_code, (403, 404))
