"""How fast readings come out: one meter, all meters, the resident's page, Excel."""

import json
import re
import statistics
import subprocess
import sys
import time
from datetime import date, timedelta
from types import SimpleNamespace
from unittest.mock import patch

from .measure import Times, peak, reset_peak
from .meters import Town

DAYS = 730
EXPORT_DAYS = 15
PASSWORD = "bench-Resident-1"
#: Requests of each page, after the first few that fill caches.
REQUESTS, WARM = 30, 5


class Reads:
    """A town with two years of daily readings, derived and cleaned up."""

    def __init__(self, env, meters, results):
        self.env = env
        self.cr = env.cr
        self.results = results
        self.town = Town(env, meters)
        self.times = Times(self.cr)
        self.today = date.today()
        self.first = self.today - timedelta(days=DAYS - 1)
        self._fill()

    def _fill(self):
        """By SQL, in the order in which day files arrive."""
        cr = self.cr
        period = {"first": self.first, "last": self.today}
        cr.execute(
            """
            INSERT INTO onergy_reading
                   (meter_id, register, moment, value, unit, origin, status)
            SELECT m.id, 'energy',
                   d.day AT TIME ZONE 'Europe/Amsterdam' AT TIME ZONE 'UTC',
                   100 + (d.day::date - %(first)s) * 0.3 + m.id %% 7 / 10.0,
                   'GJ', 'file', 'ok'
              FROM generate_series(%(first)s::timestamp, %(last)s, '1 day') d(day)
             CROSS JOIN (SELECT id FROM onergy_meter ORDER BY id) m
            """,
            period,
        )
        cr.execute(
            """
            INSERT INTO onergy_consumption_day
                   (meter_id, connection_id, register, day, quantity, quality)
            SELECT p.meter_id, p.connection_id, 'energy', d.day::date, 0.3, 'measured'
              FROM generate_series(%(first)s::timestamp, %(last)s::date - 1, '1 day')
                   d(day)
             CROSS JOIN (SELECT * FROM onergy_meter_placement ORDER BY meter_id) p
            """,
            period,
        )
        cr.execute(
            """
            INSERT INTO onergy_consumption_month (meter_id, connection_id, register,
                                                  month, quantity, days, estimated_days)
            SELECT meter_id, connection_id, register, date_trunc('month', day)::date,
                   sum(quantity), count(*), 0
              FROM onergy_consumption_day GROUP BY 1, 2, 3, 4
            """
        )
        cr.execute(
            """
            INSERT INTO onergy_meter_register
                   (meter_id, register, unit, first_moment, last_moment, last_value)
            SELECT meter_id, register, 'GJ', min(moment), max(moment), max(value)
              FROM onergy_reading GROUP BY 1, 2
            """
        )
        self.env["onergy.degree.day"]._load_temperatures(
            ("260", self.first + timedelta(days=number), "5", False)
            for number in range(DAYS)
        )
        self.town.vacuum()
        cr.execute("SELECT count(*) FROM onergy_reading")
        [self.count] = cr.fetchone()
        # A look of autovacuum at the same time leaves pages for the next round.
        self.town.vacuum()

    # -- one meter -----------------------------------------------------------------

    def measure_meter(self):
        """What the page asks of one home; plans as the server ran them."""
        contract = self._create_contract(len(self.town.meter_ids) // 2, "bench_middle")
        label = f"one meter among {self.count:,} readings"
        meter = contract.sudo()._get_placements().meter_id
        start, _end = contract.sudo()._get_season(self.today)
        both = "24 months, this year beside the last"
        as_filled, *_rest = self._measure_days(contract, meter, self.first)
        self.results.add(
            f"{label}, {both}, index as day files left it", f"{as_filled} buffers"
        )
        self._pack_indexes()
        for title, first in (("the season", start), (both, self.first)):
            buffers, nodes, count = self._measure_days(contract, meter, first)
            self.results.add(
                f"{label}, {title}",
                f"{', '.join(sorted(nodes))}, {buffers} buffers, {count} query",
                "Index Only Scan, <= 10 buffers, <= 2 queries",
                nodes == {"Index Only Scan"} and buffers <= 10 and count <= 2,
            )
        season = (
            "SELECT moment, value FROM onergy_reading WHERE meter_id = %s "
            "AND register = 'energy' AND superseded IS NOT TRUE "
            "AND moment >= %s AND moment < %s",
            [meter.id, self.today - timedelta(days=184), self.today],
        )
        self._explain(*season)
        plan = self._explain(*season)
        buffers = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        self.results.add(
            f"{label}, the readings themselves of half a year",
            f"{', '.join(self._scans(plan))}, {buffers} buffers",
            "Index Only Scan, <= 10",
            self._scans(plan) == ["Index Only Scan"] and buffers <= 10,
        )

    def _measure_days(self, contract, meter, first):
        """(buffers, names of the plan's scans, queries) of the days from ``first``."""
        # The first run reads the contract and the server's catalogue too.
        for _run in range(2):
            asked = self._record(
                lambda: contract.sudo()._get_use_by_day(meter, first, self.today)
            )
            plans = [self._explain(*query) for query in asked]
        buffers = sum(
            plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] for plan in plans
        )
        scans = {scan for plan in plans for scan in self._scans(plan)}
        return buffers, scans, len(asked)

    def _pack_indexes(self):
        """What docs/installation.md has the server do once a month."""
        self.cr.commit()
        self.cr._cnx.autocommit = True
        for table in ("onergy_consumption_day", "onergy_reading"):
            self.cr.execute(f"REINDEX TABLE CONCURRENTLY {table}")
        self.cr._cnx.autocommit = False

    def _record(self, function):
        """The statements that a function sends."""
        asked = []
        plain = type(self.cr).execute

        def execute(cursor, query, params=None, log_exceptions=True):
            if hasattr(query, "code"):
                asked.append((query.code, list(query.params)))
            else:
                asked.append((query, params))
            return plain(cursor, query, params, log_exceptions=log_exceptions)

        with patch.object(type(self.cr), "execute", execute):
            function()
        return asked

    def _explain(self, query, parameters):
        self.cr.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + query, parameters)
        [(plan,)] = self.cr.fetchall()
        return plan[0]["Plan"]

    def _scans(self, plan):
        below = [scan for child in plan.get("Plans", ()) for scan in self._scans(child)]
        return below or [plan["Node Type"]]

    # -- all meters ----------------------------------------------------------------

    def measure_all(self):
        count = f"{len(self.town.meter_ids):,} meters"
        queries = {
            "latest": "SELECT meter_id, last_moment, last_value AS figure "
            "FROM onergy_meter_register",
            "months": "SELECT meter_id, month, quantity AS figure "
            "FROM onergy_consumption_month",
            "fly": "SELECT meter_id, date_trunc('month', moment), "
            "max(value) - min(value) AS figure FROM onergy_reading "
            "WHERE superseded IS NOT TRUE GROUP BY 1, 2",
        }
        # Processor time is that of one server process: no others may help it.
        self.cr.execute("SET max_parallel_workers_per_gather = 0")
        for _round in range(5):
            for name, query in queries.items():
                with self.times.measure(name):
                    self.cr.execute(f"SELECT count(*), sum(figure) FROM ({query}) q")
        self.cr.execute("RESET max_parallel_workers_per_gather")
        for name, label in (
            ("latest", f"latest reading of {count}"),
            ("months", f"month totals of {count}, 24 months"),
        ):
            milliseconds = self.times.processor(name) * 1000
            self.results.add(
                label,
                f"{milliseconds:.0f} ms (by the clock "
                f"{self.times.wall(name) * 1000:.0f})",
                "<= 60 ms",
                milliseconds <= 60,
            )
        ratio = self.times.processor("fly") / self.times.processor("months")
        self.results.add(
            f"month totals of {count} / on the fly",
            f"1/{ratio:.0f}",
            "<= 1/40",
            ratio >= 40,
        )

    # -- the resident's page -------------------------------------------------------

    def _create_contract(self, number, login):
        """A resident with the home of one of the meters."""
        user = self.env["res.users"].create(
            {
                "name": login,
                "login": login,
                "password": PASSWORD,
                "group_ids": [(6, 0, [self.env.ref("base.group_portal").id])],
            }
        )
        meter = self.env["onergy.meter"].browse(self.town.meter_ids[number])
        contract = self.env["onergy.contract"].create(
            {
                "connection_id": meter.placement_ids.connection_id.id,
                "partner_id": user.partner_id.id,
                "date_start": self.first,
            }
        )
        self.env.flush_all()
        self.cr.commit()
        return contract

    def measure_page(self, dev, postgres):
        """Page and empty invoice list in turn, over one kept-alive connection."""
        self.town.complex.write(
            {"daily_basis": "contract", "daily_basis_note": "Terms of supply"}
        )
        self._create_contract(0, "bench_full")
        short = self.town.meter_ids[1]
        for table, column in (
            ("onergy_reading", "moment"),
            ("onergy_consumption_day", "day"),
            ("onergy_consumption_month", "month"),
        ):
            self.cr.execute(
                f"DELETE FROM {table} WHERE meter_id = %s AND {column} < %s",
                [short, self.today - timedelta(days=10)],
            )
        self._create_contract(1, "bench_short")
        log = dev.LOGS / "bench-readings.log"
        log.unlink(missing_ok=True)
        extra = ("--workers=0", "--max-cron-threads=0", "--log-handler=werkzeug:INFO")
        with dev.odoo_server(
            postgres, self.cr.dbname, extra=extra, log="bench-readings"
        ) as address:
            seconds = self._visit(
                address, "bench_full", ("/my/invoices", "/my/heating")
            )
            self._visit(address, "bench_short", ("/my/heating",))
        queries = [
            int(found)
            for found in re.findall(
                r'"GET /my/heating HTTP/1.1" 200 - (\d+) ', log.read_text()
            )
        ]
        full, few = queries[REQUESTS + WARM - 1], queries[-1]
        medians = {path: statistics.median(times) for path, times in seconds.items()}
        ratio = medians["/my/heating"] / medians["/my/invoices"]
        self.results.add(
            "the page Verwarming / an empty /my/invoices, warm",
            f"{ratio:.2f} x ({medians['/my/heating'] * 1000:.0f} ms, "
            f"{medians['/my/invoices'] * 1000:.0f} ms)",
            "<= 1.5 x",
            ratio <= 1.5,
        )
        self.results.add(
            f"its queries with {DAYS} readings, with 10",
            f"{full}, {few}",
            "<= 25, the same",
            full <= 25 and few <= 25,
        )

    def _visit(self, address, login, paths):
        """Seconds of each request but the first: ``{path: [seconds, ...]}``."""
        import requests

        session = requests.Session()
        form = session.get(f"{address}/web/login", timeout=120).text
        token = re.search(r'name="csrf_token" value="([^"]+)"', form).group(1)
        answer = session.post(
            f"{address}/web/login",
            {"login": login, "password": PASSWORD, "csrf_token": token},
            timeout=120,
        )
        answer.raise_for_status()
        seconds = {path: [] for path in paths}
        for number in range(WARM + REQUESTS):
            for path in paths:
                started = time.perf_counter()
                answer = session.get(address + path, timeout=120)
                elapsed = time.perf_counter() - started
                assert answer.ok and answer.url == address + path, answer.url
                if number >= WARM:
                    seconds[path].append(elapsed)
        return seconds

    # -- Excel -----------------------------------------------------------------------

    def measure_excel(self, script, rounds=2):
        """Each in a process of its own, so that neither finds the other's memory."""
        self.cr.commit()
        figures = {"ours": [], "odoo": []}
        for _round in range(rounds):
            for name, taken in figures.items():
                command = [sys.executable, script, "--child", name, self.cr.dbname]
                output = subprocess.run(
                    command, check=True, stdout=subprocess.PIPE, text=True
                ).stdout
                taken.append(json.loads(output.splitlines()[-1]))
        cost, memory = (
            {name: min(run[key] for run in runs) for name, runs in figures.items()}
            for key in ("seconds", "memory")
        )
        rows = figures["ours"][0]["rows"]
        label = f"Excel of {rows:,} readings / Odoo's own export"
        ratio = cost["ours"] / cost["odoo"]
        self.results.add(
            f"{label}: processor time",
            f"{ratio:.2f} x ({cost['ours']:.1f} s, {cost['odoo']:.1f} s)",
            "<= 0.5 x",
            ratio <= 0.5,
        )
        self.results.add(
            f"{label}: extra memory",
            f"1/{memory['odoo'] / max(memory['ours'], 0.1):.0f} "
            f"({memory['ours']:.0f} MB, {memory['odoo']:.0f} MB)",
            "<= 1/10",
            memory["ours"] <= memory["odoo"] / 10,
        )


def export_readings(env, name):
    """One export in this process: dict with ``rows``, ``seconds`` and ``memory``."""
    today = date.today()
    first = today - timedelta(days=EXPORT_DAYS)
    exports = {"ours": _export_ours, "odoo": _export_odoo}
    # A small one first: what is imported and cached is no cost of a large one.
    exports[name](env, today, today)
    env.invalidate_all()
    times = Times(env.cr)
    before = reset_peak()
    with times.measure(name):
        rows = exports[name](env, first, today)
    return {
        "rows": rows,
        "seconds": times.processor(name),
        "memory": peak() - before,
    }


def _export_ours(env, first, last):
    wizard = env["onergy.metering.export"].create(
        {"kind": "readings", "date_from": first, "date_to": last}
    )
    with wizard._write_workbook() as stream:
        assert stream.read(2) == b"PK"
    return _search(env, first, last, count=True)


def _export_odoo(env, first, last):
    from odoo.addons.web.controllers import export

    names = ["meter_id", "register", "moment", "value", "unit", "status", "origin"]
    rows = _search(env, first, last).export_data(names)["datas"]
    known = env["onergy.reading"]._fields
    fields = [{"name": name, "type": known[name].type} for name in names]
    with patch.object(export, "request", SimpleNamespace(env=env)):
        content = export.ExcelExport().from_data(fields, names, rows)
    assert content.startswith(b"PK")
    return len(rows)


def _search(env, first, last, count=False):
    start = env["onergy.reading.loader"]._day_start
    domain = [
        ("superseded", "=", False),
        ("moment", ">=", start(first)),
        ("moment", "<", start(last + timedelta(days=1))),
    ]
    model = env["onergy.reading"]
    return model.search_count(domain) if count else model.search(domain)
