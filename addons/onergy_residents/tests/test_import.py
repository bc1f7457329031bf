import csv
import io
from datetime import datetime

from openpyxl import load_workbook

from odoo.tests import TransactionCase, tagged
from odoo.tools import file_open, mute_logger

from .common import OnergyCommon

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# In this order, for each refers to the one before.
TEMPLATES = ["onergy.complex", "onergy.connection", "res.partner", "onergy.contract"]
OPTIONS = {
    "has_headers": True,
    "quoting": '"',
    "separator": ",",
    "advanced": True,
    "keep_matches": False,
    "date_format": "",
    "datetime_format": "",
    "float_thousand_separator": ",",
    "float_decimal_separator": ".",
    "fields": [],
    "import_skip_records": [],
    "fallback_values": {},
    "name_create_enabled_fields": {},
    "limit": 2000,
    "skip": 0,
}


@tagged("post_install", "-at_install")
class TestImport(OnergyCommon, TransactionCase):
    """Files go through Odoo's own importer, with the columns that it proposes."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = cls.staff["manager"]

    def _template(self, model):
        path = self.env[model].get_import_templates()[0]["template"]
        with file_open(path.lstrip("/"), "rb") as stream:
            return stream.read()

    def _import(self, model, content, *, file_type=XLSX, lang="en_US"):
        """Import a file as the web client does it: preview, then execute."""
        name = "file.xlsx" if file_type == XLSX else "file.csv"
        wizard = (
            self.env["base_import.import"]
            .with_user(self.manager)
            .with_context(lang=lang)
            .create(
                {
                    "res_model": model,
                    "file": content,
                    "file_name": name,
                    "file_type": file_type,
                }
            )
        )
        preview = wizard.parse_preview(dict(OPTIONS))
        self.assertNotIn("error", preview)
        fields = [
            "/".join(preview["matches"][index])
            if index in preview["matches"]
            else False
            for index in range(len(preview["headers"]))
        ]
        return (
            fields,
            wizard.execute_import(fields, preview["headers"], preview["options"]),
        )

    def _import_all(self, lang):
        for model in TEMPLATES:
            with self.subTest(model=model, lang=lang):
                fields, result = self._import(model, self._template(model), lang=lang)
                self.assertNotIn(False, fields)
                self.assertEqual(result["messages"], [])
                self.assertTrue(result["ids"])

    def _count(self):
        models = [*TEMPLATES, "onergy.advance", "res.partner.bank"]
        return {model: self.env[model].search_count([]) for model in models}

    def test_each_template_goes_in_and_twice_changes_nothing(self):
        before = self._count()
        self._import_all("en_US")
        once = self._count()
        self.assertEqual(
            {model: once[model] - before[model] for model in once},
            {
                "onergy.complex": 1,
                "onergy.connection": 2,
                "res.partner": 2,
                "onergy.contract": 2,
                "onergy.advance": 3,
                "res.partner.bank": 1,
            },
        )
        self._import_all("nl_NL")
        self.assertEqual(self._count(), once)

    def test_what_was_imported(self):
        self._import_all("nl_NL")
        contract = self.env["onergy.contract"].search(
            [("partner_id.debtor_number", "=", "900001")]
        )
        self.assertEqual(
            contract.connection_id.name, "Stationsstraat 1, 1234 AB Voorbeeldstad"
        )
        self.assertEqual(contract.payment_method, "direct_debit")
        self.assertEqual(contract.bank_account_id.partner_id, contract.partner_id)
        self.assertEqual(
            [
                (str(a.date_from), a.amount, a.origin)
                for a in contract.advance_ids.sorted("date_from")
            ],
            [("2025-01-01", 95.0, "import"), ("2025-07-01", 105.5, "import")],
        )
        self.assertTrue(contract.connection_id.ean.startswith("8716870000"))

    def _csv(self, model, changes):
        """Return the rows of a template as CSV, with some cells changed.

        :param dict changes: (row, header) -> value; the first data row is row 1
        """
        sheet = load_workbook(io.BytesIO(self._template(model))).active
        rows = [
            [
                f"{cell:%Y-%m-%d}" if isinstance(cell, datetime) else cell or ""
                for cell in row
            ]
            for row in sheet.values
        ]
        for (row, header), value in changes.items():
            rows[row][rows[0].index(header)] = value
        stream = io.StringIO()
        csv.writer(stream).writerows(rows)
        return stream.getvalue().encode()

    def _messages(self, model, changes):
        with mute_logger("odoo.sql_db"):
            _fields, result = self._import(
                model, self._csv(model, changes), file_type="text/csv"
            )
        self.assertFalse(result.get("ids"))
        return [
            (message["rows"]["from"], message["message"])
            for message in result["messages"]
            if message.get("rows")
        ]

    def test_a_bad_row_is_named_and_nothing_goes_in(self):
        self._import_all("en_US")
        before = self._count()
        for model, changes, row, text in [
            ("onergy.connection", {(2, "EAN"): "123"}, 1, "valid EAN"),
            ("onergy.connection", {(1, "Postcode"): "12"}, 0, "Dutch postcode"),
            ("onergy.connection", {(2, "BAG id"): "12"}, 1, "16 digits"),
            (
                "onergy.connection",
                {(2, "Complex/id"): "complex_nowhere"},
                1,
                "complex_nowhere",
            ),
            (
                "onergy.contract",
                {
                    (3, "id"): "contract_example_3",
                    (3, "Connection/id"): "connection_example_1",
                    (3, "Advances/id"): "advance_example_4",
                },
                2,
                "covers the same days",
            ),
            ("onergy.contract", {(3, "Role"): "squatter"}, 2, "squatter"),
            (
                "res.partner",
                {
                    (2, "id"): "resident_example_3",
                    (2, "Debtor Number"): "900001",
                },
                1,
                "already in use",
            ),
        ]:
            with self.subTest(model=model, changes=changes):
                messages = self._messages(model, changes)
                self.assertTrue(messages)
                self.assertEqual(messages[0][0], row)
                self.assertIn(text, messages[0][1])
                self.assertEqual(self._count(), before)
