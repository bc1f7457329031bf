"""What invoicing costs, against a loop that makes and posts one invoice at a time.

    ./dev bench billing [--contracts 10000] [--loop 100] [--rows 100000]

A month of advances and a year of settlements for many contracts, each in batches of
a hundred with a commit after each, and a run that is killed and resumed. Then the
accountant's workbook against Odoo's own export of the same rows. Times compare within
one run only; queries and memory are steady.
"""

import argparse
import importlib.machinery
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parent.parent
ADDONS = ["onergy_residents", "onergy_metering", "onergy_billing"]
MONTH = date(2025, 7, 1)
BATCH = 100
MEGABYTE = 1024


def load_dev():
    """The ``dev`` command as a module: it knows the database and the settings."""
    loader = importlib.machinery.SourceFileLoader("onergy_dev", str(ROOT / "dev"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[loader.name] = module
    loader.exec_module(module)
    return module


def reset_peak():
    """Forget the highest memory so far; Linux only."""
    Path("/proc/self/clear_refs").write_text("5")
    return read_memory("VmRSS")


def read_memory(name):
    """Memory of this process in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / MEGABYTE
    raise RuntimeError(f"No {name} in /proc/self/status")


class Bench:
    def __init__(self, env, options, database):
        self.env, self.options, self.database = env, options, database
        self.results = []

    def result(self, name, value, goal, reached):
        self.results.append((name, value, goal, "yes" if reached else "NO"))
        print(f"{name}: {value} (goal {goal})", flush=True)

    def run(self):
        self.prepare()
        if self.options.only_workbook:
            self.invoice_some()
            self.measure_workbook()
            return
        self.measure_loop()
        self.measure_advances()
        self.measure_kill()
        self.measure_settlements()
        self.measure_workbook()

    # -------------------------------------------------------------------- preparation

    def prepare(self):
        env = self.env
        env.user.tz = "Europe/Amsterdam"
        site = env["onergy.complex"].create(
            {"name": "Bench", "code": "BENCH", "billing_cycle": "anniversary"}
        )
        prices = (("heat", 40.0), ("standing", 500.0), ("metering", 30.0))
        for year in (2024, 2025):
            env["onergy.tariff"].create(
                {
                    "name": str(year),
                    "valid_from": f"{year}-01-01",
                    "decided_on": f"{year}-01-01",
                    "complex_ids": [(6, 0, site.ids)],
                    "line_ids": [
                        (
                            0,
                            0,
                            {
                                "component": component,
                                "price": price + year - 2024,
                                "service_set": "heating_hot_water"
                                if component == "standing"
                                else False,
                            },
                        )
                        for component, price in prices
                    ],
                }
            )
        count = self.options.contracts
        homes = env["onergy.connection"].create(
            [
                {
                    "complex_id": site.id,
                    "street": "Bench",
                    "house_number": str(number),
                    "zip": "1234 AB",
                    "city": "Utrecht",
                }
                for number in range(1, count + 1)
            ]
        )
        payers = env["res.partner"].create(
            [{"name": f"Payer {number}"} for number in range(count)]
        )
        quiet = env["onergy.contract"].with_context(tracking_disable=True)
        self.contracts = quiet.create(
            [
                {
                    "connection_id": home.id,
                    "partner_id": payer.id,
                    "date_start": "2024-07-01",
                }
                for home, payer in zip(homes, payers, strict=True)
            ]
        )
        env["onergy.advance"].create(
            [
                {"contract_id": contract.id, "amount": 150.0, "date_from": "2024-07-01"}
                for contract in self.contracts
            ]
        )
        self.load_readings(homes)
        env.invalidate_all()
        env.cr.commit()

    def load_readings(self, homes):
        env = self.env
        meters = env["onergy.meter"].create(
            [{"serial": f"B{home.id}"} for home in homes]
        )
        env["onergy.meter.placement"].create(
            [
                {
                    "meter_id": meter.id,
                    "connection_id": home.id,
                    "date_from": "2024-07-01",
                }
                for meter, home in zip(meters, homes, strict=True)
            ]
        )
        loader = env["onergy.reading.loader"]
        rows = [
            loader._make_row(
                meter.serial, loader._day_start(day), value, "GJ", line=line
            )
            for meter in meters
            for line, (day, value) in enumerate(
                (
                    (date(2024, 7, 1), "10.000"),
                    (date(2025, 1, 1), "20.000"),
                    (date(2025, 7, 1), "32.000"),
                ),
                start=1,
            )
        ]
        loader._load_rows(rows, env.company, "file")

    # -------------------------------------------------------------------- measurements

    def timed(self, function):
        """(seconds, queries) of a call."""
        queries, started = self.env.cr.sql_log_count, time.perf_counter()
        function()
        seconds = time.perf_counter() - started
        return seconds, self.env.cr.sql_log_count - queries

    def measure_loop(self):
        """The way it would be done without a run: create, post, commit."""
        run = self.create_run()
        product = self.env.ref("onergy_billing.product_advance")
        tax = self.env["onergy.vat.rate"]._get_tax(self.env.company, 21)
        taxes = {"tax_ids": [(6, 0, tax.ids)]}
        lines = [
            SimpleNamespace(contract_id=contract, amount=150.0)
            for contract in self.contracts[: self.options.loop]
        ]

        def loop():
            for line in lines:
                values = run._prepare_move(line, product, taxes, "Advance")
                # Another month, so that the run has something left to do.
                values["onergy_advance_month"] = MONTH + timedelta(days=365)
                move = self.env["account.move"].create(values)
                move._post(soft=False)
                self.env.cr.commit()

        seconds, queries = self.timed(loop)
        self.loop_time = seconds / len(lines)
        print(
            f"loop: {self.loop_time * 1000:.0f} ms, {queries / len(lines):.1f} queries "
            "per invoice",
            flush=True,
        )

    def create_run(self):
        return self.env["onergy.advance.run"].create(
            {"month": MONTH, "invoice_date": MONTH}
        )

    def measure_advances(self):
        run = self.create_run()
        run.action_preview()
        run.write({"state": "posting"})
        self.env.cr.commit()
        self.advance_run = run
        # A part is left for the run that is killed.
        limit = self.options.contracts // 2 // BATCH
        self.measure_run("advance run", run, limit)

    def measure_run(self, name, run, batches=None):
        """Invoice in batches, and tell cost per invoice and growth of memory."""
        done = 0
        run._process_batch()
        self.env.cr.commit()
        self.env.invalidate_all()
        before = run.posted_count
        base, peaks = reset_peak(), []

        def process():
            nonlocal done
            while (batches is None or done < batches - 1) and run._process_batch():
                done += 1
                self.env.cr.commit()
                self.env.invalidate_all()
                peaks.append(read_memory("VmHWM") - base)

        seconds, queries = self.timed(process)
        count = run.posted_count - before
        if not count:
            raise RuntimeError("Nothing was invoiced; there are too few contracts.")
        ratio = self.loop_time / (seconds / count)
        per_invoice = queries / count
        self.result(
            f"{name}, queries per invoice ({count} invoices)",
            f"{per_invoice:.1f}",
            "<= 9",
            per_invoice <= 9,
        )
        self.result(
            f"{name}, time per invoice",
            f"1/{ratio:.1f} of the loop ({1000 * seconds / count:.0f} ms)",
            "<= 1/7 (stretch 1/12)",
            ratio >= 7,
        )
        growth = peaks[-1] - peaks[len(peaks) // 2]
        self.result(
            f"{name}, growth of memory in the second half",
            f"{growth:.0f} MB",
            "<= 20 MB",
            growth <= 20,
        )

    def measure_kill(self):
        """Kill a process in the middle of the run, then finish it here."""
        self.env.cr.commit()
        command = [sys.executable, __file__, "--child", self.database]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        first = child.stdout.readline()
        # In the middle of the batch after the one that it told of.
        time.sleep(0.5)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        self.env.cr.rollback()
        self.env.invalidate_all()
        run = self.advance_run
        at_kill = run.posted_count
        while run._process_batch():
            self.env.cr.commit()
            self.env.invalidate_all()
        self.env.cr.commit()
        self.env.cr.execute(
            "SELECT count(*), count(DISTINCT onergy_contract_id) FROM account_move "
            "WHERE onergy_advance_month = %s AND state = 'posted'",
            [MONTH],
        )
        moves, contracts = self.env.cr.fetchone()
        wanted = self.options.contracts
        self.result(
            f"killed after {at_kill} of {wanted} invoices and resumed",
            f"{moves} invoices of {contracts} contracts",
            "each contract once",
            bool(first) and moves == contracts == wanted and at_kill < wanted,
        )

    def measure_settlements(self):
        run = self.env["onergy.settlement.run"].create(
            {"date_until": "2025-07-10", "invoice_date": "2025-07-10"}
        )
        run.write({"state": "calculating"})

        def calculate():
            while run._calculate_batch():
                self.env.cr.commit()

        seconds, queries = self.timed(calculate)
        self.env.cr.commit()
        count = run.settlement_count
        print(
            f"settlements: {1000 * seconds / count:.0f} ms, {queries / count:.1f} "
            f"queries to work out each of {count}, {run.blocked_count} blocked",
            flush=True,
        )
        run.write({"state": "posting"})
        self.env.cr.commit()
        self.measure_run("settlement run", run)

    # -------------------------------------------------------------------- workbook

    def invoice_some(self):
        """A month of advances: lines for the ledger, and nothing measured."""
        run = self.create_run()
        run.action_preview()
        run.write({"state": "posting"})
        while run._process_batch():
            self.env.cr.commit()

    def measure_workbook(self):
        """Each way in a process of its own, so that its memory is its own."""
        rows = self.multiply_lines()
        workbook = self.env["onergy.workbook"].create(
            {"date_from": "2025-07-01", "date_to": "2025-12-31", "as_of": "2025-12-31"}
        )
        self.env.cr.commit()
        self.env.cr.execute("ANALYZE account_move_line")
        self.env.cr.commit()
        found = {
            part: self.measure_apart(part, workbook) for part in ("own", "core", "all")
        }
        for part, name in (("own", "ledger sheet"), ("all", "whole workbook")):
            self.result(
                f"{name} with {rows} lines, memory",
                f"+{found[part]['memory']:.0f} MB "
                f"(Odoo's export: +{found['core']['memory']:.0f} MB)",
                "<= +20 MB",
                found[part]["memory"] <= 20,
            )
        ratio = found["own"]["seconds"] / found["core"]["seconds"]
        self.result(
            f"ledger sheet of {rows} lines, time",
            f"{ratio:.2f} of Odoo's export ({found['own']['seconds']:.1f} s; the whole "
            f"workbook {found['all']['seconds']:.1f} s)",
            "<= 0.6",
            ratio <= 0.6,
        )

    def measure_apart(self, part, workbook):
        """Seconds and growth of memory in MB of a part in another process."""
        command = [sys.executable, __file__, "--part", part, self.database]
        command += ["--workbook", str(workbook.id), "--rows", str(self.options.rows)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout.splitlines()[-1])

    def multiply_lines(self):
        """Copy lines of the ledger until there are as many as asked for."""
        cr = self.env.cr
        cr.execute(
            "SELECT string_agg(quote_ident(column_name), ', ') "
            "FROM information_schema.columns "
            "WHERE table_name = 'account_move_line' AND column_name <> 'id'"
        )
        columns = cr.fetchone()[0]
        condition = (
            "parent_state = 'posted' AND date BETWEEN '2025-07-01' AND '2025-12-31'"
        )
        cr.execute(f"SELECT count(*) FROM account_move_line WHERE {condition}")
        count = cr.fetchone()[0]
        while count < self.options.rows:
            cr.execute(
                f"INSERT INTO account_move_line ({columns}) SELECT {columns} "
                f"FROM account_move_line WHERE {condition} LIMIT %s",
                [self.options.rows - count],
            )
            count += cr.rowcount
        self.env.invalidate_all()
        return count


class WorkbookPart:
    """One way to write the ledger, measured in a process of its own.

    A first run with a few rows brings in what Python and Odoo load once; after it the
    peak is forgotten, and the growth is that of the rows.
    """

    FEW = 50

    def __init__(self, env, workbook_id, rows):
        self.env, self.rows = env, rows
        self.workbook = env["onergy.workbook"].browse(workbook_id)
        self.writer = sys.modules["odoo.addons.onergy_billing.report.workbook_writer"]

    def measure(self, part):
        function = getattr(self, f"write_{part}")
        function(self.FEW)
        self.env.invalidate_all()
        base = reset_peak()
        started = time.perf_counter()
        function(self.rows)
        seconds = time.perf_counter() - started
        return {"seconds": seconds, "memory": read_memory("VmHWM") - base}

    def write_own(self, rows):
        """The ledger sheet."""
        builder = self.env["onergy.workbook.builder"]
        last = self.workbook.date_to
        if rows == self.FEW:
            self.workbook.date_to = self.workbook.date_from
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "own.xlsx")
            with self.writer.Workbook(path, folder).closing() as book:
                book.book.add_worksheet("Front")
                self.env.flush_all()
                builder._write_moves(self.workbook, book)
        self.workbook.date_to = last

    def write_all(self, rows):
        """All twelve sheets, as the scheduled action makes them."""
        if rows == self.FEW:
            return self.write_own(rows)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "all.xlsx")
            with self.writer.Workbook(path, folder).closing() as book:
                self.env["onergy.workbook.builder"]._fill(self.workbook, book)

    def write_core(self, rows):
        """Odoo's export of the same columns, without its HTTP part."""
        import xlsxwriter

        names = [
            "date",
            "move_name",
            "account_id/code",
            "account_id/name",
            "partner_id/debtor_number",
            "name",
            "debit",
            "credit",
        ]
        lines = self.env["account.move.line"].search(
            [
                ("parent_state", "=", "posted"),
                ("date", ">=", "2025-07-01"),
                ("date", "<=", "2025-12-31"),
            ],
            limit=rows,
        )
        data = lines.export_data(names)["datas"]
        with tempfile.NamedTemporaryFile(suffix=".xlsx") as file:
            book = xlsxwriter.Workbook(file.name)
            sheet = book.add_worksheet()
            for index, row in enumerate(data):
                for column, cell in enumerate(row):
                    sheet.write(index, column, str(cell) if cell else "")
            book.close()


def start_part(options):
    """Measure one part and print what was found as JSON."""

    def work(env):
        part = WorkbookPart(env, options.workbook, options.rows)
        print(json.dumps(part.measure(options.part)), flush=True)

    dev = load_dev()
    with_environment(dev, dev.Postgres(), options.database, work)


def start_child(database):
    """Post batches of the run that is going on, until somebody kills this."""

    def work(env):
        run = env["onergy.advance.run"].search([("state", "=", "posting")], limit=1)
        while run._process_batch():
            env.cr.commit()
            print("batch", flush=True)

    dev = load_dev()
    with_environment(dev, dev.Postgres(), database, work)


def with_environment(dev, postgres, database, work):
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
        result = work(Environment(cr, SUPERUSER_ID, {"tz": "Europe/Amsterdam"}))
        cr.rollback()
    import odoo.sql_db

    odoo.sql_db.close_db(database)
    return result


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--contracts", type=int, default=10_000)
    parser.add_argument("--loop", type=int, default=100)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--workbook", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--only-workbook", action="store_true")
    parser.add_argument("database", nargs="?", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return start_child(options.child)
    if options.part:
        return start_part(options)
    dev = load_dev()
    postgres = dev.Postgres()
    template = dev.ensure_template(postgres, ADDONS)

    def work(env):
        bench = Bench(env, options, env.cr.dbname)
        bench.run()
        return bench.results

    with dev.temporary_database(postgres, template, "bench") as database:
        results = with_environment(dev, postgres, database, work)
    print("\n| what | measured | goal | reached |\n|---|---|---|---|")
    for row in results:
        print(f"| {' | '.join(str(cell) for cell in row)} |")


if __name__ == "__main__":
    main()
