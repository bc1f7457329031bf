import bz2
import gzip
import io
import lzma
import re
import zipfile
from datetime import UTC, datetime
from unittest.mock import patch

import openpyxl

from odoo.tests import BaseCase, tagged
from odoo.tools import mute_logger

from ..parsers import FileError, Profile, read_rows


def rows_of(content, filename="file", received=None, **values):
    """Rows as dicts of the fields that matter in a test."""
    content = content if isinstance(content, bytes) else content.encode()
    profile = Profile.from_dict(values)
    return list(read_rows(io.BytesIO(content), profile, filename, received))


PLAIN = {
    "delimiter": ",",
    "key_ref": "serial",
    "moment_ref": "date",
    "moment_formats": ("YYYY-MM-DD", "ISO"),
    "value_ref": "value",
    "unit_ref": "unit",
}
UTILITY = {
    "header_lines": 0,
    "key_ref": "#3",
    "moment_ref": "#1+#2",
    "moment_formats": ("D.M.YYYY hh:mm",),
    "register_ref": "#4",
    "register_map": {"Teplo": "energy"},
    "value_ref": "#5",
    "decimal_mark": ",",
    "thousands_marks": " \u00a0\u202f",
    "unit_ref": "#6",
    "status_ref": "#10",
    "status_map": {"ok": "ok", "vadny": "invalid"},
}


@tagged("post_install", "-at_install")
class TestParsers(BaseCase):
    def assertBad(self, row, reason, column=None):
        self.assertEqual(row[9], reason)
        if column is not None:
            self.assertEqual(row[7], column)

    def test_plain(self):
        rows = rows_of("serial,date,value,unit\n71,2026-01-15,12.345,GJ\n", **PLAIN)
        self.assertEqual(
            rows,
            [
                (
                    2,
                    "71",
                    "energy",
                    "2026-01-14 23:00:00",
                    "12.345",
                    "GJ",
                    "ok",
                    "",
                    "",
                    "",
                )
            ],
        )

    def test_header_order_and_case_do_not_matter(self):
        rows = rows_of("Unit,VALUE,date,Serial\nkWh,7,2026-07-01,9\n", **PLAIN)
        self.assertEqual(
            rows[0][1:6], ("9", "energy", "2026-06-30 22:00:00", "7", "kWh")
        )

    def test_missing_column_spoils_the_file(self):
        with self.assertRaises(FileError) as caught:
            rows_of("serial,date,unit\n", **PLAIN)
        self.assertEqual(caught.exception.reason, "missing_column")
        self.assertEqual(caught.exception.detail, "value")

    def test_short_line_spoils_itself_only(self):
        rows = rows_of("serial,date,value,unit\n71\n71,2026-01-01,1,GJ\n", **PLAIN)
        self.assertBad(rows[0], "missing_column")
        self.assertEqual(rows[1][4], "1")

    def test_local_decimal_comma_and_thousands(self):
        line = "15.1.2026;00:56;68;Teplo;{};GJ;GJ;;;ok\n"
        numbers = ["2 969,03", "2\u00a0969,03", "2\u202f969,03", "2969,03"]
        rows = rows_of("".join(line.format(number) for number in numbers), **UTILITY)
        self.assertEqual({row[4] for row in rows}, {"2969.03"})
        self.assertEqual(rows[0][3], "2026-01-14 23:56:00")

    def test_thousands_in_the_wrong_place_are_no_number(self):
        line = "15.1.2026;00:56;68;Teplo;{};GJ;GJ;;;ok\n"
        for text in ("29 69,03", "2 969.03", "1,2,3", "12e3", "0x1F", "²", "--1"):
            with self.subTest(text):
                [row] = rows_of(line.format(text), **UTILITY)
                self.assertBad(row, "bad_number", "#5")
                self.assertEqual(row[8], text)

    def test_impossible_dates(self):
        line = "{};00:56;68;Teplo;1;GJ;GJ;;;ok\n"
        for text in ("31.2.2026", "0.1.2026", "1.13.2026", "1.1.2127", "", "x"):
            with self.subTest(text):
                [row] = rows_of(line.format(text), **UTILITY)
                self.assertBad(row, "bad_date")

    def test_day_of_clock_change(self):
        line = "{};{};68;Teplo;1;GJ;GJ;;;ok\n"
        [row] = rows_of(line.format("29.3.2026", "02:30"), **UTILITY)
        self.assertBad(row, "nonexistent_time")
        doubled = line.format("25.10.2026", "02:30")
        [row] = rows_of(doubled, **UTILITY)
        self.assertBad(row, "ambiguous_time")
        for rule, utc in (("first", "00:30"), ("second", "01:30")):
            [row] = rows_of(doubled, **UTILITY, dst_rule=rule)
            self.assertEqual(row[3], f"2026-10-25 {utc}:00")

    def test_doubled_hour_by_sequence_is_kept_per_meter(self):
        line = "25.10.2026;{};{};Teplo;1;GJ;GJ;;;ok\n"
        text = "".join(
            line.format(time, meter)
            for time, meter in (
                ("01:30", "A"),
                ("02:00", "A"),
                ("02:00", "B"),
                ("02:30", "A"),
                ("02:00", "A"),
                ("02:30", "A"),
                ("03:00", "A"),
            )
        )
        rows = rows_of(text, **UTILITY, dst_rule="sequence")
        self.assertEqual(
            [(row[1], row[3][11:16]) for row in rows],
            [
                ("A", "23:30"),
                ("A", "00:00"),
                ("B", "00:00"),
                ("A", "00:30"),
                ("A", "01:00"),
                ("A", "01:30"),
                ("A", "02:00"),
            ],
        )

    def test_offset_in_the_text_wins(self):
        text = "serial,date,value,unit\n1,{},1,GJ\n"
        for moment in (
            "2026-01-15T00:00:00Z",
            "2026-01-15T01:00+01:00",
            "2026-01-15T00:00:00.123456789Z",
        ):
            [row] = rows_of(text.format(moment), **PLAIN)
            self.assertEqual(row[3], "2026-01-15 00:00:00")

    def test_clock_without_a_zone_is_read_in_the_zone_of_the_profile(self):
        text = "serial,date,value,unit\n1,2026-07-15T00:00,1,GJ\n"
        for zone, utc in (
            ("Europe/Amsterdam", "2026-07-14 22:00:00"),
            ("Europe/London", "2026-07-14 23:00:00"),
            ("UTC", "2026-07-15 00:00:00"),
            ("Etc/GMT-1", "2026-07-14 23:00:00"),
            ("+01:00", "2026-07-14 23:00:00"),
            ("-03:30", "2026-07-15 03:30:00"),
        ):
            with self.subTest(zone):
                [row] = rows_of(text, **{**PLAIN, "zone": zone})
                self.assertEqual(row[3], utc)
        with self.assertRaises(FileError) as caught:
            rows_of(text, **{**PLAIN, "zone": "Europe/Nowhere"})
        self.assertEqual(caught.exception.reason, "bad_profile")

    def test_doubled_hour_in_a_zone_without_one(self):
        """A gateway that keeps winter time has no doubled hour at all."""
        line = "25.10.2026;02:30;68;Teplo;1;GJ;GJ;;;ok\n"
        [row] = rows_of(line, **UTILITY, zone="Etc/GMT-1")
        self.assertEqual((row[3], row[9]), ("2026-10-25 01:30:00", ""))

    def test_dates_that_mean_no_date(self):
        text = "serial,date,value,unit\n1,{},1,GJ\n"
        for moment in (
            "2127-01-01",
            "2128-03-31T00:00Z",
            "0000-00-00",
            "2026-01-00",
            "2026-00-10",
            "2026-02-29",
            "2026-01-15T24:30",
            "1899-12-31",
        ):
            with self.subTest(moment):
                [row] = rows_of(text.format(moment), **PLAIN)
                self.assertBad(row, "bad_date", "date")
                self.assertEqual(row[8], moment)

    def test_impossible_clock_of_a_meter(self):
        """Type F with day 0, and the year 2127 for "no date" (EN 13757-3)."""
        for clock, utc in (
            ("0A0AE1F1", None),
            ("0A0A4035", None),
            ("0A0AFFFF", None),
            ("0A0A4135", "2026-05-01 08:10:00"),
        ):
            body = "442D2C7856341235047A01000000" + "0C0645230100" + "046D" + clock
            text = f"{len(body) // 2:02X}{body}\n"
            with self.subTest(clock):
                [row] = rows_of(
                    text,
                    container="hex",
                    codec="mbus_hex",
                    key_source="telegram",
                    moment_source="telegram",
                    value_ref="#1",
                )
                if utc:
                    self.assertEqual((row[3], row[9]), (utc, ""))
                else:
                    self.assertBad(row, "bad_date")

    def test_first_and_last_day_of_time(self):
        """They have no counterpart in another zone, and spoil their own line only."""
        for text in (
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-12:00",
            "9999-12-31",
        ):
            with self.subTest(text):
                content = (
                    f"serial,date,value,unit\n71,{text},1,GJ\n71,2026-01-15,1,GJ\n"
                )
                bad, good = rows_of(content, **PLAIN)
                self.assertBad(bad, "bad_date", "date")
                self.assertFalse(good[9])

    def test_number_that_python_refuses(self):
        content = (
            "serial,date,value,unit,status\n"
            f"71,2026-01-15,1,GJ,{'9' * 5000}\n71,2026-01-15,1,GJ,0\n"
        )
        masks = {"status_ref": "status", "status_masks": {"1": "error"}}
        bad, good = rows_of(content, **PLAIN, **masks)
        self.assertBad(bad, "unknown_status", "status")
        self.assertFalse(good[9])

    def test_error_that_nobody_foresaw(self):
        content = "serial,date,value,unit\n71,2026-01-15,x,GJ\n71,2026-01-15,1,GJ\n"
        with (
            patch("odoo.addons.onergy_metering.parsers.rows.checked") as checked,
            mute_logger("odoo.addons.onergy_metering.parsers.rows"),
        ):
            checked.side_effect = ZeroDivisionError("surprise")
            bad, good = rows_of(content, **PLAIN)
        self.assertBad(bad, "bad_row")
        self.assertIn("surprise", bad[8])
        self.assertFalse(good[9])

    def test_unix_time(self):
        profile = {**PLAIN, "moment_formats": ("UNIX",)}
        [row] = rows_of("serial,date,value,unit\n1,1768435200,1,GJ\n", **profile)
        self.assertEqual(row[3], "2026-01-15 00:00:00")

    def test_encodings(self):
        text = "serial,date,value,unit\n1,2026-01-15,1,m³\n"
        for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp1252"):
            with self.subTest(encoding):
                [row] = rows_of(text.encode(encoding), **PLAIN)
                self.assertEqual(row[5], "m3")

    def test_encoding_that_the_profile_names(self):
        text = "serial;date;value;unit\n1;2026-01-15;1;m³\n"
        profile = {**PLAIN, "delimiter": ";"}
        for encoding in ("iso-8859-1", "cp1252", "utf-8", "utf-16-le"):
            with self.subTest(encoding):
                [row] = rows_of(text.encode(encoding), **profile, encoding=encoding)
                self.assertEqual(row[5], "m3")
        # A byte that does not decode spoils its own row only.
        [row] = rows_of(text.encode("cp1252"), **profile, encoding="utf-8")
        self.assertBad(row, "unknown_unit")
        with self.assertRaises(FileError):
            rows_of(text.encode(), **profile, encoding="klingon")

    def test_mark_at_the_beginning_is_no_part_of_the_first_column(self):
        text = '\ufeff"serial",date,value,unit\n71,2026-01-15,1,GJ\n'
        [row] = rows_of(text.encode(), **PLAIN)
        self.assertEqual(row[1], "71")
        [row] = rows_of(
            '\ufeff{"id": "71", "e": 1}\n'.encode(),
            container="jsonl",
            key_ref="id",
            moment_source="received",
            value_ref="e",
            unit_ref="=kWh",
            received=datetime(2026, 1, 15, 12, tzinfo=UTC),
        )
        self.assertEqual((row[1], row[9]), ("71", ""))

    def test_compression(self):
        content = b"serial,date,value,unit\n1,2026-01-15,1,GJ\n"
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("readings.csv", content)
        for data in (
            gzip.compress(content),
            bz2.compress(content),
            lzma.compress(content),
            packed.getvalue(),
        ):
            self.assertEqual(len(rows_of(data, **PLAIN)), 1)

    def test_broken_compression(self):
        content = gzip.compress(b"serial,date,value,unit\n1,2026-01-15,1,GJ\n" * 99)
        with self.assertRaises(FileError) as caught:
            rows_of(content[:60], **PLAIN)
        self.assertEqual(caught.exception.reason, "bad_compression")

    def test_archive_of_two_files(self):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("a.csv", "a")
            archive.writestr("b.csv", "b")
        with self.assertRaises(FileError) as caught:
            rows_of(packed.getvalue(), **PLAIN)
        self.assertEqual(caught.exception.reason, "bad_compression")

    def test_missing_tokens(self):
        text = "serial,date,value,unit\n1,2026-01-15,NaN,GJ\n1,2026-01-16,,GJ\n"
        text += "1,2026-01-17,-,GJ\n1,2026-01-18, ,GJ\n1,2026-01-19,null,GJ\n"
        tokens = ("", "-", "NaN", "null")
        rows = rows_of(text, **PLAIN, missing_tokens=tokens)
        self.assertEqual(len(rows), 5)
        for row in rows:
            self.assertBad(row, "missing_value", "value")
        self.assertFalse(
            rows_of(text, **PLAIN, missing_tokens=tokens, missing_policy="skip")
        )

    def test_status(self):
        line = "15.1.2026;00:56;68;Teplo;1;GJ;GJ;;;{}\n"
        [row] = rows_of(line.format("OK"), **UTILITY)
        self.assertEqual(row[6], "ok")
        [row] = rows_of(line.format("vadny"), **UTILITY)
        self.assertEqual((row[6], row[4], row[9]), ("invalid", "1", ""))
        [row] = rows_of(line.format("nieuw"), **UTILITY)
        self.assertBad(row, "unknown_status", "#10")

    def test_trailer(self):
        profile = {**PLAIN, "trailer_marker": "T", "trailer_ref": "#2"}
        head = "serial,date,value,unit\n1,2026-01-15,1,GJ\n"
        self.assertEqual(len(rows_of(head + "T,1\n", **profile)), 1)
        for end, reason in (
            ("", "no_trailer"),
            ("T,2\n", "trailer_count"),
            ("T,x\n", "trailer_count"),
        ):
            with self.assertRaises(FileError) as caught:
                rows_of(head + end, **profile)
            self.assertEqual(caught.exception.reason, reason)

    def test_filters_and_registers(self):
        text = (
            "serial,date,value,unit,kind\n"
            "1,2026-01-15,1,GJ,E\n1,2026-01-15,2,m3,V\n"
            "1,2026-01-15,3,GJ,X\n1,2026-01-15,4,GJ,T\n"
        )
        rows = rows_of(
            text,
            **PLAIN,
            register_ref="kind",
            register_map={"E": "energy", "V": "volume", "T": "skip"},
        )
        self.assertEqual([row[2] for row in rows[:2]], ["energy", "volume"])
        self.assertBad(rows[2], "unknown_register", "kind")
        self.assertEqual(len(rows), 3)
        rows = rows_of(text, **PLAIN, row_filters={"kind": "E|V"})
        self.assertEqual(len(rows), 2)

    def test_wide(self):
        text = (
            "sep=;\n;71000001;71000002\n;Heat;Heat\n;kWh;GJ\n"
            "15.01.2026 00:00:00;11,475;0,000\n16.01.2026 00:00:00;12;\n"
        )
        rows = rows_of(
            text,
            orientation="wide",
            preamble_lines=1,
            header_lines=3,
            key_ref="^1",
            register_ref="^2",
            register_map={"Heat": "energy"},
            unit_ref="^3",
            moment_ref="#1",
            moment_formats=("DD.MM.YYYY hh:mm:ss",),
            decimal_mark=",",
        )
        self.assertEqual(
            [(row[0], row[1], row[4], row[5]) for row in rows[:3]],
            [
                (5, "71000001", "11.475", "kWh"),
                (5, "71000002", "0.000", "GJ"),
                (6, "71000001", "12", "kWh"),
            ],
        )
        self.assertBad(rows[3], "missing_value", "#3")

    def test_json_keeps_every_digit(self):
        record = '{"ID": 71, "TS": "2026-01-15T00:00Z", "E": 1234567890.123456789}'
        text = f'{{"data": [{record}]}}'
        [row] = rows_of(
            text,
            container="json",
            record_path="data",
            key_ref="ID",
            moment_ref="TS",
            value_ref="E",
            unit_ref="=GJ",
        )
        self.assertEqual((row[1], row[4]), ("71", "1234567890.123456789"))

    def test_json_lines(self):
        text = '{"id": "7", "e": 1}\nnot json\n{"id": "8", "e": {"x": 1}}\n[]\n'
        rows = rows_of(
            text,
            container="jsonl",
            key_ref="id",
            moment_source="received",
            value_ref="e",
            unit_ref="=kWh",
            received=datetime(2026, 1, 15, 12, tzinfo=UTC),
        )
        self.assertEqual(rows[0][3], "2026-01-15 12:00:00")
        self.assertEqual(
            [row[9] for row in rows], ["", "bad_row", "missing_value", "bad_row"]
        )

    def test_deep_json_is_refused(self):
        with self.assertRaises(FileError):
            rows_of("[" * 100000, container="json", key_ref="a", value_ref="b")

    def test_xml_entities_are_not_followed(self):
        text = (
            '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
            "<x><r><id>1</id><v>&e;</v></r></x>"
        )
        rows = rows_of(
            text,
            container="xml",
            record_path="r",
            key_ref="id",
            value_ref="v",
            unit_ref="=GJ",
            moment_source="received",
        )
        self.assertBad(rows[0], "missing_value")

    def test_xml_takes_the_meter_from_the_element_above(self):
        record = (
            "<DataRecord><Function>{}</Function><Unit>kWh</Unit>"
            "<Value>{}</Value><Timestamp>2026-01-15T00:00:00Z</Timestamp></DataRecord>"
        )
        text = (
            "<MBusData><SlaveInformation><Id>71</Id></SlaveInformation>"
            + record.format("Instantaneous value", 5)
            + record.format("Maximum value", 6)
            + "</MBusData>"
        )
        rows = rows_of(
            text,
            container="xml",
            record_path="DataRecord",
            key_ref="SlaveInformation/Id",
            moment_ref="Timestamp",
            value_ref="Value",
            unit_ref="Unit",
            row_filters={"Function": "Instantaneous value"},
        )
        self.assertEqual([row[1:6:3] for row in rows], [("71", "5")])

    def test_workbook(self):
        book = openpyxl.Workbook()
        book.active.append(["serial", "date", "value", "unit"])
        book.active.append([71000001, datetime(2026, 1, 15), 12.3, "GJ"])
        content = io.BytesIO()
        book.save(content)
        [row] = rows_of(content.getvalue(), **PLAIN, container="xlsx")
        self.assertEqual(
            row[1:6], ("71000001", "energy", "2026-01-14 23:00:00", "12.3", "GJ")
        )
        with self.assertRaises(FileError):
            rows_of(b"PK\x03\x04nonsense", **PLAIN, container="xlsx")

    def _workbook(self, sheet, **parts):
        """A workbook whose one sheet holds the XML of ``sheet``."""
        book = openpyxl.Workbook()
        book.active.append(["serial", "date", "value", "unit"])
        plain, content = io.BytesIO(), io.BytesIO()
        book.save(plain)
        with (
            zipfile.ZipFile(plain) as old,
            zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as new,
        ):
            for name in old.namelist():
                text = old.read(name)
                if name == "xl/worksheets/sheet1.xml":
                    text = sheet(text.decode()).encode()
                new.writestr(name, text)
            for name, text in parts.items():
                new.writestr(name, text)
        return content.getvalue()

    def assertTooLarge(self, content, reason="file_too_large", **values):
        with self.assertRaises(FileError) as caught:
            rows_of(content, **values)
        self.assertEqual(caught.exception.reason, reason)
        self.assertTrue(caught.exception.detail)

    def test_workbook_with_a_row_far_away(self):
        """The rows in between are not made up one by one for ever."""
        content = self._workbook(
            lambda text: re.sub("<dimension[^>]*>", "", text).replace(
                "</sheetData>",
                '<row r="999999999999"><c r="A999999999999" t="n"><v>1</v></c></row>'
                "</sheetData>",
            )
        )
        self.assertTooLarge(content, **PLAIN, container="xlsx")

    def test_workbook_that_claims_to_be_large(self):
        """Its rows are as wide as what is in them, not as it says."""
        content = self._workbook(
            lambda text: re.sub(
                "<dimension[^>]*>", '<dimension ref="A1:XFD1048576"/>', text
            )
        )
        with patch("odoo.addons.onergy_metering.parsers.containers.MAX_CELLS", 100):
            self.assertEqual(rows_of(content, **PLAIN, container="xlsx"), [])

    def test_workbook_that_unpacks_to_anything(self):
        content = self._workbook(str, junk="x" * 70_000_000)
        self.assertLess(len(content), 200_000)
        self.assertTooLarge(content, "document_too_large", **PLAIN, container="xlsx")

    def test_short_rows_of_a_workbook_are_filled_up(self):
        book, content = openpyxl.Workbook(), io.BytesIO()
        book.active.append(["serial", "date", "value", "unit", "status"])
        book.active.append(["71", "2026-01-15", 1.5, "GJ"])
        book.save(content)
        content = self._workbook_without_size(content)
        [row] = rows_of(
            content,
            **PLAIN,
            container="xlsx",
            status_ref="status",
            status_map={"bad": "error"},
        )
        self.assertEqual((row[4], row[9]), ("1.5", ""))

    def _workbook_without_size(self, stream):
        with zipfile.ZipFile(stream) as old:
            sheet = old.read("xl/worksheets/sheet1.xml").decode()
        return self._workbook(lambda _text: re.sub("<dimension[^>]*>", "", sheet))

    def test_line_without_end(self):
        head = b"serial,date,value,unit\n71,2026-01-15,1,GJ\n"
        content = gzip.compress(head + b"x," * 10_000_000)
        self.assertTooLarge(content, **PLAIN)
        lines = head + b"71,2026-01-15,1,GJ\r" * 200_000
        with patch(
            "odoo.addons.onergy_metering.parsers.containers.MAX_LINE_BYTES", 1 << 20
        ):
            self.assertEqual(len(rows_of(lines, **PLAIN)), 200_001)

    def test_xml_without_records(self):
        content = gzip.compress(b"<list>" + b"<a/>" * 5_000_000 + b"</list>")
        profile = {**PLAIN, "container": "xml", "record_path": "reading"}
        self.assertTooLarge(content, **profile)
        reading = (
            b"<reading><serial>71</serial><date>2026-01-15</date><value>1</value>"
            b"<unit>GJ</unit></reading>"
        )
        with patch(
            "odoo.addons.onergy_metering.parsers.containers.MAX_XML_GAP", 100_000
        ):
            rows = rows_of(b"<list>" + reading * 5000 + b"</list>", **profile)
        self.assertEqual(len(rows), 5000)

    def test_xml_of_a_million_elements_is_not_held(self):
        """What lies between the records is let go, and little may lie around them."""
        reading = (
            "<reading><serial>71</serial><date>2026-01-15</date><value>1</value>"
            "<unit>GJ</unit></reading>"
        )
        profile = {**PLAIN, "container": "xml", "record_path": "reading"}
        rows = ("<a b='1'/>" * 20 + reading) * 300
        group = f"<meter><name/>{reading}</meter>" * 300
        nested = reading.replace("</reading>", reading + "</reading>") * 300
        shapes = {
            "between": (f"<list>{rows}</list>", 300),
            "groups": (f"<list>{group}</list>", 300),
            "nested": (f"<list>{nested}</list>", 600),
        }
        with patch("odoo.addons.onergy_metering.parsers.containers.MAX_XML_NODES", 100):
            for name, (text, count) in shapes.items():
                with self.subTest(name):
                    found = rows_of(text, **{**profile, "record_path": "{*}reading"})
                    self.assertEqual(len(found), count)
                    self.assertFalse(any(row[9] for row in found))
            loose = "".join(f"<g{n}>{reading}</g{n}>" for n in range(300))
            with self.assertRaises(FileError) as caught:
                rows_of(f"<list>\n\n{loose}</list>", **profile)
        self.assertEqual(caught.exception.reason, "file_too_large")
        self.assertEqual(caught.exception.detail, "3")

    def test_csv_record_of_endless_lines(self):
        """A quote without its end takes many lines, and only these."""
        head = "serial,date,value,unit\n71,2026-01-15,1,GJ\n"
        endless = '72,2026-01-15,"1\n",' + '"\n",' * 3000 + "\n"
        after = "73,2026-01-15,1,GJ\n" * 100
        with patch(
            "odoo.addons.onergy_metering.parsers.containers.MAX_LINE_BYTES", 1000
        ):
            rows = rows_of(head + endless + after, **PLAIN)
        self.assertEqual(rows[0][1:3], ("71", "energy"))
        self.assertEqual([(row[1], row[9]) for row in rows[-9:]], [("73", "")] * 9)
        self.assertIn("more than 1000 characters", rows[1][8])
        self.assertEqual(rows[1][9], "bad_row")

    def test_where_reading_stopped(self):
        head = "serial,date,value,unit\n71,2026-01-15,1,GJ\n"
        with (
            patch(
                "odoo.addons.onergy_metering.parsers.containers.MAX_LINE_BYTES", 70_000
            ),
            self.assertRaises(FileError) as caught,
        ):
            rows_of(head * 4000 + "x," * 200_000, **PLAIN)
        line = int(caught.exception.detail)
        self.assertGreater(line, 4000)
        self.assertLessEqual(line, 8001)

    def test_xml_with_entities_is_short(self):
        text = (
            '<!DOCTYPE x [<!ENTITY e "5">]><list>'
            + "<g>&e;&e;&e;<reading/></g>" * 60
            + "</list>"
        )
        with patch("odoo.addons.onergy_metering.parsers.containers.MAX_XML_NODES", 200):
            self.assertTooLarge(
                text.encode(), **PLAIN, container="xml", record_path="reading"
            )

    def test_json_of_millions_of_values(self):
        profile = {**PLAIN, "container": "json"}
        with patch(
            "odoo.addons.onergy_metering.parsers.containers.MAX_JSON_VALUES", 100
        ):
            with self.assertRaises(FileError) as caught:
                rows_of("[" + "[]," * 100 + "[]]", **profile)
            self.assertEqual(caught.exception.reason, "too_many_values")
            self.assertEqual(caught.exception.detail, "100")

    def test_key_from_the_file_name(self):
        profile = {
            "delimiter": ",",
            "key_source": "filename",
            "key_ref": r"meter_(\d+)\.csv",
            "moment_ref": "timestamp",
            "moment_formats": ("YYYY-MM-DD",),
            "zone": "UTC",
            "value_ref": "heat_energy_kwh",
            "unit_ref": "=kWh",
        }
        text = "timestamp,heat_energy_kwh\n2026-01-15,12345.6\n"
        [row] = rows_of(text, "meter_71.csv", **profile)
        self.assertEqual(row[1:5], ("71", "energy", "2026-01-15 00:00:00", "12345.6"))
        with self.assertRaises(FileError) as caught:
            rows_of(text, "other.csv", **profile)
        self.assertEqual(caught.exception.reason, "no_key_in_name")

    def test_hostile_text_stays_text(self):
        text = 'serial,date,value,unit\n"a\tb\0\\N",2026-01-15,1,GJ\n'
        [row] = rows_of(text, **PLAIN)
        self.assertEqual(row[1], "a\tb\0\\N")

    def test_unknown_profile_field(self):
        with self.assertRaises(FileError):
            Profile.from_dict({"colour": "red"})
