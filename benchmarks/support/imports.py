"""How fast readings come in, against the floor and against Odoo's own ways."""

import io
import tempfile
from contextlib import nullcontext
from datetime import timedelta
from unittest.mock import patch

from .measure import Profile, Times, peak, reset_peak
from .meters import FIRST_DAY, SERIAL, Town

#: Rows of the ways of Odoo itself: enough to tell, few enough to wait for.
LOAD_ROWS, CREATE_ROWS = 300, 3000


class Imports:
    def __init__(self, env, meters, results):
        self.env = env
        self.cr = env.cr
        self.town = Town(env, meters)
        self.times = Times(self.cr)
        self.results = results
        self.floor_day = 0
        self.cr.execute(
            """
            CREATE TABLE bench_floor (
                meter_id int, register varchar, moment timestamp, value numeric,
                unit varchar, origin varchar, status varchar, import_id int, line int);
            CREATE UNIQUE INDEX ON bench_floor (meter_id, register, moment DESC)
                INCLUDE (value);
            """
        )
        self.cr.commit()

    # -- one step each -------------------------------------------------------------

    def floor(self, count):
        """COPY, then INSERT with the unique covering index only; nothing is checked."""
        out = io.StringIO()
        for number in range(self.floor_day, self.floor_day + count):
            day, value = FIRST_DAY + timedelta(days=number), f"{100 + number * 0.3:.3f}"
            for meter_id in self.town.meter_ids:
                out.write(f"{meter_id}\t{day}\t{value}\n")
        self.floor_day += count
        out.seek(0)
        with self.times.measure("floor", count * self.town.meters):
            self.cr.execute(
                "CREATE TEMPORARY TABLE bench_stage "
                "(meter_id int, day timestamp, value numeric) ON COMMIT DROP"
            )
            self.cr.copy_expert("COPY bench_stage FROM STDIN", out)
            self.cr.execute(
                "INSERT INTO bench_floor SELECT meter_id, 'energy', day, value, 'GJ', "
                "'cli', 'ok', 1, 1 FROM bench_stage"
            )

    def import_file(self, name, stream, rows, expect_new=True, keep=True):
        with self.times.measure(name, rows, keep):
            record = self.env["onergy.reading.import"]._import_stream(
                stream, f"{name}.csv", "cli"
            )
        assert record.state == "done", record.summary
        assert bool(record.rows_new) == expect_new, record.summary

    def import_checked(self, content, rows, name="checked", around=None):
        """Parse, look up, find duplicates, report errors, insert; derive nothing.

        Undone afterwards: readings that nothing was derived of belong nowhere.
        """
        loader = type(self.env["onergy.reading.loader"])
        with (
            patch.object(loader, "_derive", lambda *_args: None),
            around or nullcontext(),
        ):
            self.import_file(name, io.BytesIO(content), rows, keep=False)
        self.cr.rollback()
        self.env.invalidate_all()
        self.town.vacuum()

    def round(self, days):
        """The floor, and one file checked, imported and imported again."""
        self.floor(days)
        content = self.town.write_file(io.BytesIO(), self.town.take_days(days))
        content = content.getvalue()
        rows = days * self.town.meters
        self.import_checked(content, rows)
        self.import_file("all", io.BytesIO(content), rows)
        # One more empty line makes it another file; the very same one is not read.
        self.import_file("again", io.BytesIO(content + b"\n"), rows, expect_new=False)
        self.town.vacuum()

    def odoo_ways(self, round_):
        """What Odoo itself offers for rows that name a meter, a date and a text."""
        model = self.env["onergy.vee.mute"]
        day = str(FIRST_DAY + timedelta(days=round_))
        names = ["meter_id", "code", "date_from", "date_to", "reason"]
        rows = [
            [str(SERIAL + number), "high", day, day, "x"]
            for number in range(1, LOAD_ROWS + 1)
        ]
        with self.times.measure("load", LOAD_ROWS):
            result = model.load(names, rows)
            assert result["ids"], result["messages"]
            self.env.flush_all()
        values = [
            dict(zip(names, [meter_id, "high", day, day, "x"], strict=True))
            for meter_id in self.town.meter_ids[:CREATE_ROWS]
        ]
        with self.times.measure("create", CREATE_ROWS):
            for start in range(0, CREATE_ROWS, 1000):
                model.create(values[start : start + 1000])
            self.env.flush_all()

    # -- parts ---------------------------------------------------------------------

    def run_month(self, rows, rounds):
        """A month of every meter per file."""
        days = max(1, rows // self.town.meters)
        for round_ in range(rounds):
            self.round(days)
            self.odoo_ways(round_)
        label = f"{days * self.town.meters:,} rows of {self.town.meters:,} meters"
        self.report(f"{label}: ", checked_goal=35)
        ratio = self.times.processor("load") / self.times.processor("checked")
        self.results.add(
            "our import, checked / `load()`", f"{ratio:.0f} x", ">= 60 x", ratio >= 60
        )
        return self._profile_checked(days)

    def _profile_checked(self, days):
        profile = Profile(self.cr, self.times.clock)
        rows = days * self.town.meters
        content = self.town.write_file(io.BytesIO(), self.town.take_days(days))
        self.import_checked(content.getvalue(), rows, "profiled", profile.record())
        floor = self.times.processor("floor") * rows
        inserted = profile.share(floor, "INSERT INTO onergy_reading")
        judged = profile.share(floor, "make onergy_judged")
        return (
            "What binds: 35 % of the floor leaves 2.9 times its cost. Inserting (with "
            f"the key that the ORM needs and the index on time) takes {inserted:.1f}, "
            f"reading the file {profile.share(floor, 'Python', 'COPY'):.1f}, and the "
            f"one pass that judges {judged:.1f}: the verdict of every row, and the row "
            "before it in the file.\n\n"
            f"Where the time of one checked file goes:\n\n{profile.table(floor)}"
        )

    def run_day(self, rounds):
        """A day of every meter per file; the rules know the homes."""
        self.round(1)
        self._let_rules_learn()
        self.times.taken.clear()
        for _round in range(rounds):
            self.round(1)
        self.report(f"day file of {self.town.meters:,} rows: ", all_goal=15)
        profile = Profile(self.cr, self.times.clock)
        content = self.town.write_file(io.BytesIO(), self.town.take_days(1))
        with profile.record():
            self.import_file("profiled", content, self.town.meters)
        floor = self.times.processor("floor") * self.town.meters
        written = profile.share(floor, "INSERT", "UPDATE")
        return (
            "What binds: 15 % of the floor leaves 6.7 times its cost. A day file "
            "writes four rows per meter (the reading, the day, the month and the state "
            f"of the register), which alone costs {written:.1f} times the floor, and "
            f"reading the file {profile.share(floor, 'Python', 'COPY'):.1f} times. The "
            "rest is judging and deriving: one pass each, without a look at older "
            "readings.\n\n"
            f"Where the time of one day file goes:\n\n{profile.table(floor)}"
        )

    def _let_rules_learn(self):
        """As after a fortnight: from now on the rules expect something of each day."""
        self.cr.execute(
            "UPDATE onergy_meter_register SET day_count = 20, use_sum = 6, "
            "weight_sum = 20 * 15.3"
        )
        self.town.vacuum()

    def run_growth(self, small, large):
        """From so many days to so many, streamed from disk."""
        # The rows that are parsed first pull in modules and fill caches.
        self._import_from_disk("warm", 1)
        memory = {}
        for days in (small, large):
            memory[days] = self._import_from_disk(str(days), days)
        ratio = (
            self.times.processor(str(large))
            * large
            / (self.times.processor(str(small)) * small)
        )
        rows = [f"{days * self.town.meters:,}" for days in (small, large)]
        goal = 12 * large / small / 10
        self.results.add(
            f"{rows[1]} rows / {rows[0]} rows, all on: time",
            f"{ratio:.1f} x",
            f"<= {goal:.0f} x",
            ratio <= goal,
        )
        more = memory[large] - memory[small]
        self.results.add(
            f"{rows[1]} rows / {rows[0]} rows: peak memory of Python",
            f"{more:+.1f} MB",
            "<= +20 MB",
            more <= 20,
        )

    def _import_from_disk(self, name, days):
        """Import a file; return the peak of memory above where it began, in MB."""
        with tempfile.TemporaryFile() as stream:
            self.town.write_file(stream, self.town.take_days(days))
            before = reset_peak()
            self.import_file(name, stream, days * self.town.meters)
            above = peak() - before
        self.town.vacuum()
        return above

    # -- report --------------------------------------------------------------------

    def report(self, prefix, checked_goal=None, all_goal=None):
        times = self.times
        floor = times.processor("floor")
        for name, label, goal in (
            ("floor", "the floor: COPY, INSERT, unique index", None),
            ("load", "Odoo's `load()`, the meter found by its number", None),
            ("create", "Odoo's `create()` in batches of 1000", None),
            ("checked", "our import: parse, check, report, insert", checked_goal),
            ("all", "our import with days, months and all rules", all_goal),
            ("again", "the same file again", None),
        ):
            if name not in times.taken:
                continue
            share = 100 * floor / times.processor(name)
            self.results.add(
                prefix + label,
                f"{1 / times.processor(name):,.0f} rows/s = {share:.1f} % "
                f"(by the clock {1 / times.wall(name):,.0f})",
                f">= {goal} %" if goal else "",
                share >= goal if goal else None,
            )
        ratio = times.processor("again") / times.processor("all")
        self.results.add(
            f"{prefix}again / first time", f"{ratio:.2f}", "<= 0.5", ratio <= 0.5
        )
