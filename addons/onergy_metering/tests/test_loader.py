from datetime import timedelta

import psycopg2

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import MeteringCase


@tagged("post_install", "-at_install")
class TestLoader(MeteringCase):
    def _get_exceptions(self):
        return self.env["onergy.reading.exception"].search(
            [("company_id", "=", self.company.id)], order="line"
        )

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

    def test_every_digit_is_kept(self):
        self._load(("71000001", "2026-01-15", "12345678901.123456789"))
        self.env.cr.execute(
            "SELECT value::text FROM onergy_reading WHERE meter_id = %s",
            [self.meter.id],
        )
        self.assertEqual(self.env.cr.fetchall(), [("12345678901.123456789",)])

    def test_again_changes_nothing(self):
        rows = [("71000001", "2026-01-15", "1"), ("71009999", "2026-01-15", "1")]
        first = self._load(*rows)
        self.assertEqual((first["new"], first["bad"], first["listed"]), (1, 1, 0))
        self.env.cr.execute("SELECT last_value FROM onergy_reading_id_seq")
        sequence = self.env.cr.fetchone()
        again = self._load(*rows)
        self.assertEqual(
            again, {"total": 2, "new": 0, "same": 1, "bad": 1, "listed": 1}
        )
        self.env.cr.execute("SELECT last_value FROM onergy_reading_id_seq")
        self.assertEqual(self.env.cr.fetchone(), sequence)
        self.assertEqual(len(self._get_exceptions()), 1)

    def test_verdicts(self):
        self._check_verdicts()

    def test_verdicts_of_a_large_file(self):
        with self._as_large():
            self._check_verdicts()

    def _check_verdicts(self):
        self._load(("71000001", "2026-01-15", "10"), ("71000001", "2026-01-20", "20"))
        archived = self._create_meter("71000003", self.home)
        archived.active = False
        loose = self.env["onergy.meter"].create({"serial": "71000004"})
        self._create_meter("71000005", self.home, mbus_id="71000006")
        self._create_meter("71000006", self.home)
        later = fields.Date.to_string(fields.Date.today() + timedelta(days=2))
        cases = [
            (("71009999", "2026-01-15", "1"), "unknown_meter"),
            (("71000006", "2026-01-15", "1"), "ambiguous_meter"),
            (("71000003", "2026-01-15", "1"), "inactive_meter"),
            ((loose.serial, "2026-01-15", "1"), "not_installed"),
            (("71000001", "2023-12-31", "1"), "not_installed"),
            (("71000001", "2026-01-16", "1", "kWh"), "unit_mismatch"),
            (("71000001", "2026-01-15", "11"), "conflict"),
            (("71000001", "2026-01-16", "9"), "decrease"),
            (("71000001", "2026-01-16", "21"), "above_next"),
            (("71000001", "2026-01-16", "-1"), "negative"),
            (("71000001", later, "30"), "future"),
        ]
        for row, reason in cases:
            with self.subTest(reason):
                before = self._get_exceptions()
                counts = self._load(row)
                self.assertEqual((counts["new"], counts["bad"]), (0, 1))
                exception = self._get_exceptions() - before
                self.assertEqual(exception.reason, reason)
                self.assertEqual(exception.meter_key, row[0])
                self.assertEqual(exception.value, float(row[2]))
                self.assertTrue(exception.remedy)
        self.assertEqual(len(self._get_readings(self.meter)), 2)

    def test_newer_rows_are_judged_by_what_the_register_stands_at(self):
        self._load(("71000001", "2026-01-18", "10"), ("71000001", "2026-01-20", "20"))
        with self._as_large():
            counts = self._load(
                ("71000001", "2026-01-20", "20"),
                ("71000001", "2026-01-20", "21"),
                ("71000001", "2026-01-21", "15"),
                ("71000001", "2026-01-22", "22"),
                ("71009999", "2026-01-22", "1"),
            )
        self.assertEqual((counts["new"], counts["same"], counts["bad"]), (1, 1, 3))
        self.assertEqual(
            {(e.reason, e.value, e.other_value) for e in self._get_exceptions()},
            {("conflict", 21, 20), ("decrease", 15, 21), ("unknown_meter", 1, 0)},
        )
        self.assertEqual(self.meter.last_value, 22)

    def test_value_in_force_is_never_overwritten(self):
        self._load(("71000001", "2026-01-15", "10"))
        self._load(("71000001", "2026-01-15", "11"))
        self.assertEqual(self._get_readings(self.meter), {"2026-01-14 23:00:00": 10})
        exception = self._get_exceptions()
        self.assertEqual(exception.other_value, 10)

    def test_twice_in_one_file(self):
        counts = self._load(
            ("71000001", "2026-01-15", "10"),
            ("71000001", "2026-01-15", "10"),
            ("71000001", "2026-01-15", "11"),
        )
        self.assertEqual((counts["new"], counts["same"], counts["bad"]), (1, 1, 1))
        self.assertEqual(self._get_exceptions().reason, "conflict")
        self.assertEqual(self._get_exceptions().line, 3)

    def test_one_step_back_is_noise(self):
        counts = self._load_daily("71000001", "2026-01-15", ["10.000", "9.999"])
        self.assertEqual(counts["new"], 2)

    def test_rollover(self):
        self.meter.register_capacity = 1000
        counts = self._load_daily("71000001", "2026-01-15", ["999", "1"])
        self.assertEqual(counts["new"], 2)
        self.assertEqual(self._get_days(self.meter), {"2026-01-15": (2, "measured")})

    def test_rollover_that_implies_too_much_is_a_decrease(self):
        self.meter.register_capacity = 1000
        counts = self._load_daily("71000001", "2026-01-15", ["905", "95"])
        self.assertEqual((counts["new"], counts["bad"]), (1, 1))
        self.assertEqual(self._get_exceptions().reason, "decrease")

    def test_meter_is_found_by_mbus_id(self):
        self.meter.mbus_id = "00000017"
        self.assertEqual(self._load(("00000017", "2026-01-15", "1"))["new"], 1)

    def test_meters_of_another_company_are_unknown(self):
        company = self.env["res.company"].create({"name": "Other supplier"})
        counts = self._load(("71000001", "2026-01-15", "1"), company=company)
        self.assertEqual((counts["new"], counts["bad"]), (0, 1))

    def test_error_status_is_set_aside_with_its_value(self):
        rows = [
            (
                1,
                "71000001",
                "energy",
                "2026-01-15 00:00:00",
                "5",
                "GJ",
                status,
                *[""] * 3,
            )
            for status in ("warn", "error", "invalid")
        ]
        counts = self.loader._load_rows(rows, self.company, "file")
        self.assertEqual((counts["new"], counts["bad"]), (1, 2))
        exceptions = self._get_exceptions()
        aside = exceptions.filtered(lambda e: e.severity == "terminate")
        self.assertEqual(
            set(aside.mapped("reason")), {"status_error", "status_invalid"}
        )
        self.assertEqual(aside.mapped("value"), [5, 5])
        self.assertEqual((exceptions - aside).reason, "vee_status")
        reading = self.env["onergy.reading"].search([("meter_id", "=", self.meter.id)])
        self.assertEqual(reading.status, "warn")

    def test_statements_do_not_depend_on_rows(self):
        self._load_daily("71000001", "2025-01-01", range(10))
        self.env.flush_all()
        with self.assertQueryCount(40):
            self._load_daily("71000002", "2025-01-01", range(10))
        with self.assertQueryCount(40):
            self._load_daily("71000002", "2025-02-01", range(100, 300))

    def test_readings_cannot_be_edited(self):
        self._load(("71000001", "2026-01-15", "1"))
        reading = self.env["onergy.reading"].search([("meter_id", "=", self.meter.id)])
        with self.assertRaises(UserError):
            reading.write({"value": 2})
        with self.assertRaises(UserError):
            reading.unlink()
        with self.assertRaises(UserError):
            reading.create({"meter_id": self.meter.id})

    def test_database_refuses_a_second_value(self):
        self._load(("71000001", "2026-01-15", "1"))
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(psycopg2.errors.UniqueViolation),
            self.env.cr.savepoint(),
        ):
            self.env.cr.execute(
                "INSERT INTO onergy_reading "
                "(meter_id, register, moment, value, unit, origin, status) "
                "SELECT meter_id, register, moment, 2, unit, origin, status "
                "FROM onergy_reading WHERE meter_id = %s",
                [self.meter.id],
            )

    def test_meter_with_readings_is_kept(self):
        self._load(("71000001", "2026-01-15", "1"))
        with self.assertRaises(UserError):
            self.meter.unlink()
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(psycopg2.errors.ForeignKeyViolation),
            self.env.cr.savepoint(),
        ):
            self.env.cr.execute(
                "DELETE FROM onergy_meter_placement WHERE meter_id = %(id)s; "
                "DELETE FROM onergy_meter WHERE id = %(id)s",
                {"id": self.meter.id},
            )
        fresh = self.env["onergy.meter"].create({"serial": "71000008"})
        fresh.unlink()
        self.assertFalse(fresh.exists())

    def test_unit_is_fixed_once_there_are_readings(self):
        self.meter.unit = "kWh"
        self.meter.unit = "GJ"
        self._load(("71000001", "2026-01-15", "1"))
        with self.assertRaises(UserError):
            self.meter.unit = "kWh"

    def test_placements_cannot_overlap(self):
        placement = {
            "meter_id": self.meter.id,
            "connection_id": self.other_home.id,
            "date_from": "2026-01-01",
        }
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(psycopg2.errors.ExclusionViolation),
            self.env.cr.savepoint(),
        ):
            self.env["onergy.meter.placement"].create(placement)
        self.meter.placement_ids.date_to = "2025-12-31"
        self.env["onergy.meter.placement"].create(placement)
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(psycopg2.errors.CheckViolation),
            self.env.cr.savepoint(),
        ):
            self.meter.placement_ids.write({"date_to": "2023-12-31"})


@tagged("post_install", "-at_install")
class TestResolutions(MeteringCase):
    def _get_open(self):
        return self.env["onergy.reading.exception"].search([("state", "=", "open")])

    def _resolve(self, exceptions, decision, **values):
        wizard = self.env["onergy.reading.resolve"].create(
            {
                "exception_ids": exceptions.ids,
                "decision": decision,
                "note": "Looked on the spot",
                **values,
            }
        )
        wizard.action_apply()

    def test_try_again_after_registering_the_meter(self):
        self._load(("71000009", "2026-01-15", "1"), ("71000010", "2026-01-15", "1"))
        exceptions = self._get_open()
        meter = self._create_meter("71000009", self.home)
        exceptions.action_retry()
        self.assertEqual(set(exceptions.mapped("state")), {"open", "resolved"})
        solved = exceptions.filtered(lambda e: e.state == "resolved")
        self.assertEqual(solved.meter_key, "71000009")
        self.assertEqual(solved.resolution, "arrived")
        self.assertEqual(len(self._get_readings(meter)), 1)
        self.assertEqual(len(self._get_open()), 1)

    def test_importing_the_file_again_closes_what_came_in(self):
        text = "serial,date,value,unit\n71000009,2026-01-15,1,GJ\n"
        self._import(text)
        exception = self._get_open()
        self._create_meter("71000009", self.home)
        again = self._import(text)
        self.assertEqual((again.state, again.rows_new), ("done", 1))
        self.assertEqual(exception.state, "resolved")
        self.assertEqual(exception.resolved_import_id, again)

    def test_reject_and_ignore_leave_the_readings_alone(self):
        self._load(("71000001", "2026-01-15", "10"), ("71000001", "2026-01-16", "9"))
        exception = self._get_open()
        self._resolve(exception, "reject")
        self.assertEqual(
            (exception.state, exception.resolution), ("resolved", "rejected")
        )
        self.assertEqual(exception.resolution_note, "Looked on the spot")
        self.assertEqual(exception.resolved_uid, self.env.user)
        self.assertEqual(self._get_readings(self.meter), {"2026-01-14 23:00:00": 10})
        with self.assertRaises(UserError):
            exception._resolve("ignored", "ignored", "again")

    def test_what_was_rejected_does_not_come_back(self):
        rows = (("71000001", "2026-01-15", "10"), ("71000001", "2026-01-16", "9"))
        self._load(*rows)
        self._resolve(self._get_open(), "reject")
        self._load(*rows)
        self.assertFalse(self._get_open())

    def test_accept_supersedes_and_says_why(self):
        self._load_daily("71000001", "2026-01-15", [10, 12, 13])
        self._import("serial,date,value,unit\n71000001,2026-01-16,11,GJ\n")
        self._resolve(self._get_open(), "accept")
        self.assertEqual(self._get_readings(self.meter)["2026-01-15 23:00:00"], 11)
        revision = self.env["onergy.reading.revision"].search(
            [("meter_id", "=", self.meter.id)]
        )
        self.assertEqual(revision.reason, "Looked on the spot")
        self.assertEqual(revision.old_reading_id.value, 12)
        self.assertTrue(revision.old_reading_id.superseded)
        self.assertEqual(
            self._get_days(self.meter),
            {"2026-01-15": (1, "measured"), "2026-01-16": (2, "measured")},
        )

    def test_replace_marks_the_days_as_edited(self):
        self._load_daily("71000001", "2026-01-15", [10, 5])
        self._load(("71000001", "2026-01-17", "14"))
        self._resolve(self._get_open(), "replace", value=12)
        self.assertEqual(
            self._get_days(self.meter),
            {"2026-01-15": (2, "edited"), "2026-01-16": (2, "edited")},
        )

    def test_no_value_is_not_accepted_as_zero(self):
        profile = self.plain.copy({"status_ref": "status", "status_map": "fine=ok"})
        self._import(
            "serial,date,value,unit,status\n"
            "71000001,2026-01-15,5,furlong,fine\n"
            "71000001,2026-01-16,6,GJ,strange\n"
            "71000001,2026-01-17,x,GJ,fine\n",
            profile=profile,
        )
        exceptions = self._get_open()
        self.assertEqual(
            set(exceptions.mapped("reason")),
            {"unknown_unit", "unknown_status", "bad_number"},
        )
        for exception in exceptions:
            with self.subTest(exception.reason):
                self.assertFalse(exception.has_value)
                with self.assertRaisesRegex(UserError, "no value to accept"):
                    self._resolve(exception, "accept")
        self.assertFalse(self._get_readings(self.meter))

    def test_zero_that_was_read_can_be_accepted(self):
        row = self.loader._make_row("71000001", "2026-01-15 12:00:00", 0, "GJ")
        self.loader._load_rows([(*row[:6], "error", *row[7:])], self.company, "file")
        exception = self._get_open()
        self.assertTrue(exception.has_value)
        self._resolve(exception, "accept")
        self.assertEqual(self._get_readings(self.meter), {"2026-01-15 12:00:00": 0})

    def test_accept_keeps_every_digit(self):
        value = "12345678901.123456789"
        row = self.loader._make_row("71000001", "2026-01-15 12:00:00", value, "GJ")
        self.loader._load_rows([(*row[:6], "error", *row[7:])], self.company, "file")
        self._resolve(self._get_open(), "accept")
        self.env.cr.execute(
            "SELECT value::text FROM onergy_reading WHERE meter_id = %s",
            [self.meter.id],
        )
        self.assertEqual(self.env.cr.fetchall(), [(value,)])

    def test_value_in_another_unit_is_not_accepted(self):
        """12345 kWh do not become 12345 GJ because the meter reports an error."""
        row = self.loader._make_row("71000001", "2026-01-15 12:00:00", 12345, "kWh")
        self.loader._load_rows([(*row[:6], "error", *row[7:])], self.company, "file")
        exception = self._get_open()
        self.assertEqual(exception.reason, "status_error")
        with self.assertRaisesRegex(UserError, "is in kWh"):
            self._resolve(exception, "accept")
        self.assertFalse(self._get_readings(self.meter))
        self.meter.unit = "kWh"
        self._resolve(exception, "accept")
        self.assertEqual(self._get_readings(self.meter), {"2026-01-15 12:00:00": 12345})

    def test_unknown_meter_cannot_be_accepted(self):
        self._load(("71000009", "2026-01-15", "1"))
        with self.assertRaises(UserError):
            self._resolve(self._get_open(), "accept")

    def test_entry_by_hand(self):
        self._load_daily("71000001", "2026-01-15", [10])
        values = {"meter_id": self.meter.id, "moment": "2026-01-15 23:00:00"}
        entry = self.env["onergy.reading.entry"].create({**values, "value": 12})
        self.assertEqual(entry.unit, "GJ")
        entry.action_save()
        self.assertEqual(self._get_days(self.meter), {"2026-01-15": (2, "edited")})
        doubtful = self.env["onergy.reading.entry"].create({**values, "value": 9})
        with self.assertRaises(UserError):
            doubtful.action_save()
        self.assertFalse(self._get_open())
        doubtful.note = "The display says so"
        doubtful.action_save()
        self.assertEqual(self._get_readings(self.meter)["2026-01-15 23:00:00"], 9)
