"""How fast readings come in and go out, as ratios measured in one run.

    ./dev bench readings [--rows 300000] [--meters 10000] [--rounds 3] [--write]

Every figure is the median of interleaved rounds on one database, so that whatever
else the machine does weighs on all of them. The floor is what PostgreSQL needs for
the same rows without any check: COPY into a staging table, then INSERT into a table
with the same columns and only the unique covering index. ``--write`` puts the table
into docs/performance.md.
"""

import argparse
import importlib.machinery
import importlib.util
import io
import os
import platform
import statistics
import sys
import time
import tracemalloc
from datetime import date, timedelta
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).resolve().parent.parent
ADDONS = ["onergy_residents", "onergy_metering"]
FIRST_DAY = date(2024, 1, 1)
SERIAL = 70_000_000


def load_dev():
    """The ``dev`` command as a module: it knows the database and the settings."""
    loader = importlib.machinery.SourceFileLoader("onergy_dev", str(ROOT / "dev"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[loader.name] = module
    loader.exec_module(module)
    return module


class Bench:
    def __init__(self, env, options):
        self.env = env
        self.cr = env.cr
        self.options = options
        self.next_day = 0
        self.floor_day = 0
        self.times = {}
        self.results = []

    # -- data ----------------------------------------------------------------------

    def prepare(self):
        """Meters and homes, by SQL: this is not what is measured."""
        company = self.env.company.id
        complex_ = self.env["onergy.complex"].create({"name": "Bench", "code": "B"})
        self.env.flush_all()
        self.cr.execute(
            """
            INSERT INTO onergy_connection (complex_id, company_id, street, house_number,
                                           zip, city, name, active, dwelling_type)
            SELECT %s, %s, 'S', g::text, '1000AA', 'X', 'S ' || g, TRUE, 'apartment'
              FROM generate_series(1, %s) g
            """,
            [complex_.id, company, self.options.meters],
        )
        self.cr.execute(
            """
            INSERT INTO onergy_meter (serial, company_id, active, medium, unit,
                                      volume_unit, step, read_mode)
            SELECT (%s + g)::text, %s, TRUE, 'heat', 'GJ', 'm3', 0.001, 'remote'
              FROM generate_series(1, %s) g
            """,
            [SERIAL, company, self.options.meters],
        )
        self.cr.execute(
            """
            INSERT INTO onergy_meter_placement (meter_id, connection_id, company_id,
                                                date_from)
            SELECT m.id, c.id, m.company_id, '2020-01-01'
              FROM (SELECT id, company_id, row_number() OVER (ORDER BY id) AS n
                      FROM onergy_meter) m
              JOIN (SELECT id, row_number() OVER (ORDER BY id) AS n
                      FROM onergy_connection) c USING (n)
            """
        )
        self.env["onergy.degree.day"]._load_temperatures(
            ("260", FIRST_DAY + timedelta(days=number), "5", False)
            for number in range(1200)
        )
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
        self.cr.execute("SELECT id FROM onergy_meter ORDER BY id")
        self.meter_ids = [meter_id for (meter_id,) in self.cr.fetchall()]
        self.analyze()

    def analyze(self):
        self.cr.commit()
        self.cr.execute("ANALYZE")
        self.cr.commit()

    def take_days(self, count, floor=False):
        if floor:
            first = self.floor_day
            self.floor_day += count
        else:
            first = self.next_day
            self.next_day += count
        return [FIRST_DAY + timedelta(days=first + n) for n in range(count)]

    def write_file(self, days):
        """A CSV file of all meters, with one unknown meter and one bad date a day."""
        out = io.StringIO()
        out.write("serial,date,value,unit\n")
        for day in days:
            value = 100 + (day - FIRST_DAY).days * 0.3
            for number in range(1, self.options.meters - 1):
                out.write(f"{SERIAL + number},{day},{value + number % 7 / 10:.3f},GJ\n")
            out.write(f"60000000,{day},1,GJ\n{SERIAL + 1},2024-13-{day.day},1,GJ\n")
        return out.getvalue().encode()

    # -- measured ------------------------------------------------------------------

    def timed(self, name, function, rows, *args):
        started = time.perf_counter()
        function(*args)
        self.cr.commit()
        seconds = time.perf_counter() - started
        self.times.setdefault(name, []).append(seconds / rows)
        return seconds

    def floor(self, days):
        out = io.StringIO()
        for day in days:
            value = f"{100 + (day - FIRST_DAY).days * 0.3:.3f}"
            for meter_id in self.meter_ids:
                out.write(f"{meter_id}\t{day}\t{value}\n")
        out.seek(0)
        rows = len(days) * len(self.meter_ids)
        self.timed("floor", self._run_floor, rows, out)

    def _run_floor(self, out):
        self.cr.execute(
            "CREATE TEMPORARY TABLE bench_stage "
            "(meter_id int, day timestamp, value numeric) ON COMMIT DROP"
        )
        self.cr.copy_expert("COPY bench_stage FROM STDIN", out)
        self.cr.execute(
            "INSERT INTO bench_floor SELECT meter_id, 'energy', day, value, 'GJ', "
            "'cli', 'ok', 1, 1 FROM bench_stage"
        )

    def import_file(self, name, content, rows, expect_new=True):
        record = self.env["onergy.reading.import"]

        def run():
            nonlocal record
            record = record._import_stream(io.BytesIO(content), f"{name}.csv", "cli")

        self.timed(name, run, rows)
        assert record.state == "done", record.summary
        assert bool(record.rows_new) == expect_new, record.summary
        return record

    def import_core(self, content, rows):
        """Parse, look up, find duplicates, report errors, insert; derive nothing."""
        builder = type(self.env["onergy.consumption.builder"])
        engine = type(self.env["onergy.vee.engine"])
        loader = type(self.env["onergy.reading.loader"])

        def nothing(*_args):
            return None

        with (
            patch.object(builder, "_build_landed", nothing),
            patch.object(engine, "_evaluate_landed", nothing),
            patch.object(loader, "_update_registers", nothing),
        ):
            self.import_file("checked", content, rows)

    def orm_ways(self, round_):
        """What Odoo itself offers for rows that name a meter, a date and a text."""
        model = self.env["onergy.vee.mute"]
        day = str(FIRST_DAY + timedelta(days=round_))
        names = ["meter_id", "code", "date_from", "date_to", "reason"]
        rows = [
            [str(SERIAL + number), "high", day, day, "x"] for number in range(1, 301)
        ]
        self.timed("load", lambda: self._load(model, names, rows), len(rows))
        values = [
            {
                "meter_id": self.meter_ids[number],
                "code": "high",
                "date_from": day,
                "date_to": day,
                "reason": "x",
            }
            for number in range(3000)
        ]

        def create():
            for start in range(0, len(values), 1000):
                model.create(values[start : start + 1000])
            self.env.flush_all()

        self.timed("orm", create, len(values))

    def _load(self, model, names, rows):
        result = model.load(names, rows)
        assert result["ids"], result["messages"]
        self.env.flush_all()

    def run_rounds(self):
        options = self.options
        span = max(1, options.rows // options.meters)
        rows = span * options.meters
        for round_ in range(options.rounds):
            self.floor(self.take_days(span))
            content = self.write_file(self.take_days(span))
            self.import_core(content, rows)
            content = self.write_file(self.take_days(span))
            self.import_file("all", content, rows)
            self.import_file("again", content + b"\n", rows, expect_new=False)
            day = self.write_file(self.take_days(1))
            self.import_file("day", day, options.meters)
            self.import_file("day again", day + b"\n", options.meters, False)
            self.orm_ways(round_)
            self.analyze()
            print(f"    round {round_ + 1} of {options.rounds} done", flush=True)

    def measure_memory(self):
        """What Python holds more at the peak of a large import than of a small one."""
        peaks = []
        for days in (1, 10):
            content = self.write_file(self.take_days(days))
            tracemalloc.start()
            self.env["onergy.reading.import"]._import_stream(
                io.BytesIO(content), "memory.csv", "cli"
            )
            self.cr.commit()
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        return (peaks[1] - peaks[0]) / 2**20

    # -- reads ---------------------------------------------------------------------

    def explain(self, query, *parameters):
        self.cr.execute(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + query, list(parameters)
        )
        [(plan,)] = self.cr.fetchall()
        plan = plan[0]["Plan"]
        return plan, plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]

    def measure_reads(self):
        self.cr.commit()
        self.cr._cnx.autocommit = True
        self.cr.execute("VACUUM ANALYZE onergy_reading, onergy_consumption_day")
        self.cr._cnx.autocommit = False
        meter = self.meter_ids[len(self.meter_ids) // 2]
        season = (
            "SELECT moment, value FROM onergy_reading WHERE meter_id = %s "
            "AND register = 'energy' AND superseded IS NOT TRUE "
            "AND moment >= %s AND moment < %s"
        )
        days = (
            "SELECT date_trunc('month', day), sum(quantity) "
            "FROM onergy_consumption_day WHERE meter_id = ANY(%s) "
            "AND register = 'energy' AND day BETWEEN %s AND %s GROUP BY 1"
        )
        until = FIRST_DAY + timedelta(days=self.next_day)
        self.explain(season, meter, FIRST_DAY, until)
        plan, buffers = self.explain(season, meter, FIRST_DAY, until)
        self.result("season of one meter: plan", plan["Node Type"], "Index Only Scan")
        self.result("season of one meter: buffers", buffers, "<= 10")
        _plan, buffers = self.explain(days, [meter], FIRST_DAY, until)
        self.result("24 months of one home: buffers", buffers, "<= 10")
        self.compare_totals()

    def compare_totals(self):
        fly = (
            "SELECT meter_id, date_trunc('month', day), sum(quantity) "
            "FROM onergy_consumption_day GROUP BY 1, 2"
        )
        month = "SELECT meter_id, month, quantity FROM onergy_consumption_month"
        latest = "SELECT meter_id, last_moment, last_value FROM onergy_meter_register"
        seconds = {
            name: min(self.time_query(query) for _try in range(3))
            for name, query in (("fly", fly), ("month", month), ("latest", latest))
        }
        count = len(self.meter_ids)
        self.result(
            f"latest reading of {count} meters", f"{seconds['latest'] * 1000:.0f} ms"
        )
        self.result(
            f"month totals of {count} meters / on the fly",
            f"1/{seconds['fly'] / seconds['month']:.0f}",
            "<= 1/40",
        )

    def time_query(self, query):
        started = time.perf_counter()
        self.cr.execute(f"SELECT count(*) FROM ({query}) q")
        self.cr.fetchall()
        return time.perf_counter() - started

    # -- report --------------------------------------------------------------------

    def result(self, name, value, goal=""):
        self.results.append((name, value, goal))

    def report(self):
        speed = {
            name: 1 / statistics.median(seconds) for name, seconds in self.times.items()
        }
        floor = speed["floor"]
        # The goal is set for a day file of 200,000 rows; a small one pays mostly for
        # the statements themselves.
        day_goal = ">= 15 %" if self.options.meters >= 200_000 else ""
        for name, label, goal in (
            ("floor", "the floor: COPY, INSERT, unique index", ""),
            ("load", "Odoo's `load()`, the meter found by its number", ""),
            ("orm", "Odoo's `create()` in batches of 1000", ""),
            ("checked", "our import: parse, check, report, insert", ">= 35 %"),
            ("all", "our import with consumption and all rules", ">= 15 %"),
            ("again", "the same file again", ""),
            ("day", f"a day file of {self.options.meters:,} rows, all on", day_goal),
            ("day again", "the same day file again", ""),
        ):
            share = f"{speed[name]:,.0f} rows/s = {100 * speed[name] / floor:.1f} %"
            self.results.append((label, share, goal))
        self.result(
            "our import / `load()`",
            f"{speed['checked'] / speed['load']:.0f} x",
            ">= 60",
        )
        self.result(
            "again / first time",
            f"{speed['all'] / speed['again']:.2f}",
            "<= 0.5",
        )
        return "\n".join(
            ["| path | measured | goal |", "|---|---|---|"]
            + [f"| {name} | {value} | {goal} |" for name, value, goal in self.results]
        )


def write_document(table, options):
    path = ROOT / "docs" / "performance.md"
    begin, end = "<!-- readings -->", "<!-- /readings -->"
    text = path.read_text() if path.exists() else f"# Performance\n\n{begin}\n{end}\n"
    if begin not in text:
        text += f"\n{begin}\n{end}\n"
    head = text[: text.index(begin)]
    tail = text[text.index(end) + len(end) :]
    note = (
        f"Written by `./dev bench readings --write`: {options.meters:,} meters, "
        f"{options.rows:,} rows a file, median of {options.rounds} interleaved rounds, "
        f"Python {platform.python_version()}, {os.cpu_count()} cores. Percentages are "
        "shares of the floor of the same run."
    )
    path.write_text(f"{head}{begin}\n\n## Readings\n\n{note}\n\n{table}\n\n{end}{tail}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--meters", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    dev = load_dev()
    postgres = dev.Postgres()
    template = dev.ensure_template(postgres, ADDONS)
    with dev.temporary_database(postgres, template, "bench") as database:
        table = run(dev, postgres, database, options)
    print(table)
    if options.write:
        write_document(table, options)


def run(dev, postgres, database, options):
    command = dev.odoo_command(postgres, "-d", database)
    arguments = [str(part) for part in command[command.index("--config") :]]
    # Odoo's own start-up; the rest of it can only be imported afterwards.
    import odoo.init  # noqa: F401
    from odoo.api import SUPERUSER_ID, Environment
    from odoo.modules.registry import Registry
    from odoo.tools import config

    config.parse_config(
        [*arguments, "--no-http", "--log-level=warn"], setup_logging=True
    )
    with Registry(database).cursor() as cr:
        bench = Bench(Environment(cr, SUPERUSER_ID, {}), options)
        bench.prepare()
        bench.run_rounds()
        table = bench.report()
        bench.results.clear()
        if options.meters <= 50_000:
            extra = bench.measure_memory()
            bench.result(
                "Python memory, ten times the rows", f"+{extra:.1f} MB", "<= +20 MB"
            )
        bench.measure_reads()
        lines = [
            f"| {name} | {value} | {goal} |" for name, value, goal in bench.results
        ]
        cr.rollback()
    import odoo.sql_db

    odoo.sql_db.close_db(database)
    return "\n".join([table, *lines])


if __name__ == "__main__":
    main()
