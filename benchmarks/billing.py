"""What invoicing costs, against a loop that makes and posts one invoice at a time.

    ./dev bench billing [--contracts 10000] [--loop 300] [--rows 100000] [--write]

A month of advances and a year of settlements for many contracts, each in batches of
a hundred with a commit after each, and each killed in the middle and resumed. The loop
makes invoices with the same lines; a sample of it runs between the batches, so that
both meet the same machine. Then the accountant's workbook against Odoo's own export of
the same rows. Times compare within one run only; queries and memory are steady.

--write puts the table into docs/performance-billing.md.
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

ROOT = Path(__file__).resolve().parent.parent
START, END = "<!-- measured -->", "<!-- end -->"
ADDONS = ["onergy_residents", "onergy_metering", "onergy_billing"]
MONTH = date(2025, 7, 1)
BATCH = 100
#: Batches that are left for the process that is killed.
KILLED_BATCHES = 3
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


class Loop:
    """Invoices made one by one: create, post, commit."""

    def __init__(self, bench, prepare):
        self.bench, self.prepare = bench, prepare
        self.count, self.spent, self.asked = 0, 0.0, 0

    @property
    def seconds(self):
        return self.spent / self.count

    @property
    def queries(self):
        return self.asked / self.count

    def warm_up(self):
        self.make_one()

    def make_one(self):
        values = self.prepare(self.count)
        env = self.bench.env

        def make():
            env["account.move"].create(values)._post(soft=False)
            env.cr.commit()

        spent, asked = self.bench.timed(make)
        return spent, asked

    def run_until(self, part):
        """Make invoices until this part of the sample is done."""
        while self.count < self.bench.options.loop * part:
            self.count += 1
            spent, asked = self.make_one()
            self.spent += spent
            self.asked += asked
        self.bench.env.invalidate_all()


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
        self.measure_advances()
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

    def create_run(self):
        return self.env["onergy.advance.run"].create(
            {"month": MONTH, "invoice_date": MONTH}
        )

    def measure_advances(self):
        run = self.create_run()
        seconds, queries = self.timed(run.action_preview)
        count = run.line_count
        print(
            f"advances: {1000 * seconds / count:.1f} ms, {queries / count:.2f} queries "
            f"to list each of {count}",
            flush=True,
        )
        run.write({"state": "posting"})
        self.env.cr.commit()
        loop = Loop(self, self.prepare_advance)
        self.measure_run("advance run", run, loop)
        self.measure_kill("advance run", run)

    def prepare_advance(self, index):
        """Values of an advance as one would write them by hand."""
        contract = self.contracts[index]
        product = self.env.ref("onergy_billing.product_advance")
        tax = self.env["onergy.vat.rate"]._get_tax(self.env.company, 21)
        return {
            "move_type": "out_invoice",
            "partner_id": contract.partner_id.id,
            "invoice_date": MONTH,
            "onergy_contract_id": contract.id,
            "onergy_move_kind": "advance",
            # Another month, so that the run has something left to do.
            "onergy_advance_month": MONTH + timedelta(days=365),
            "invoice_line_ids": [
                (
                    0,
                    0,
                    {
                        "product_id": product.id,
                        "name": f"Advance\n{contract.connection_id.name}",
                        "price_unit": 150.0,
                        "tax_ids": [(6, 0, tax.ids)],
                    },
                )
            ],
        }

    def measure_settlements(self):
        run = self.env["onergy.settlement.run"].create(
            {"date_until": "2025-07-10", "invoice_date": "2025-07-10"}
        )
        run.write({"state": "calculating"})

        def calculate():
            while run._process_batch():
                self.env.cr.commit()
                self.env.invalidate_all()

        seconds, queries = self.timed(calculate)
        self.env.cr.commit()
        count = run.settlement_count
        self.result(
            f"settlement run, working out each of {count} (before posting)",
            f"{1000 * seconds / count:.1f} ms, {queries / count:.2f} queries",
            f"none blocked: {run.blocked_count}",
            not run.blocked_count,
        )
        run.write({"state": "posting"})
        self.env.cr.commit()
        self.settlements = run.settlement_ids.ids
        loop = Loop(self, self.prepare_bill)
        self.measure_run("settlement run", run, loop, seconds / count)
        self.measure_kill("settlement run", run)

    def prepare_bill(self, index):
        """Values of a bill with the lines of a settlement, as by hand."""
        settlement = self.env["onergy.settlement"].browse(self.settlements[-1 - index])
        bill = settlement._prepare_move(
            MONTH, settlement._get_taxes(), settlement._get_products()
        )
        lines = [
            (
                0,
                0,
                {
                    name: line[name]
                    for name in ("product_id", "name", "price_unit", "tax_ids")
                },
            )
            for line in bill.pop("onergy_lines")
        ]
        return {**bill, "onergy_move_kind": "other", "invoice_line_ids": lines}

    def measure_run(self, name, run, loop, extra=0.0):
        """Invoice in batches, and tell cost per invoice and growth of memory.

        :param extra: seconds that were spent on each invoice before
        """
        # The first ones fill caches; the last ones are left for the one that is killed.
        total = run._get_ready_count()
        run._process_batch()
        loop.warm_up()
        self.env.cr.commit()
        self.env.invalidate_all()
        before = run.posted_count
        batches = max(2, (total - before) // BATCH - KILLED_BATCHES)
        base, peaks, seconds, queries = reset_peak(), [], 0.0, 0
        for batch in range(batches):
            spent, asked = self.timed(lambda: self.process_batch(run))
            seconds += spent
            queries += asked
            peaks.append(read_memory("VmHWM") - base)
            loop.run_until((batch + 1) / batches)
        count = run.posted_count - before
        if not count:
            raise RuntimeError("Nothing was invoiced; there are too few contracts.")
        self.report_run(name, count, seconds, queries, loop, extra)
        growth = peaks[-1] - peaks[len(peaks) // 2]
        self.result(
            f"{name}, growth of memory in the second half",
            f"{growth:.0f} MB",
            "<= 20 MB",
            growth <= 20,
        )

    def process_batch(self, run):
        run._process_batch()
        self.env.cr.commit()
        self.env.invalidate_all()

    def report_run(self, name, count, seconds, queries, loop, extra):
        each = seconds / count
        ratio = loop.seconds / each
        per_invoice = queries / count
        self.result(
            f"{name}, queries per invoice ({count} invoices)",
            f"{per_invoice:.1f} (loop: {loop.queries:.0f})",
            "<= 9",
            per_invoice <= 9,
        )
        self.result(
            f"{name}, time per invoice",
            f"1/{ratio:.1f} of the loop ({1000 * each:.1f} of "
            f"{1000 * loop.seconds:.0f} ms, {loop.count} in the loop)",
            "<= 1/7 (stretch 1/12)",
            ratio >= 7,
        )
        if extra:
            ratio = loop.seconds / (each + extra)
            self.result(
                f"{name}, the same with working out",
                f"1/{ratio:.1f} of the loop ({1000 * (each + extra):.1f} ms)",
                "<= 1/7 (stretch 1/12)",
                ratio >= 7,
            )

    def measure_kill(self, name, run):
        """Kill a process in the middle of a batch, then finish the run here."""
        self.env.cr.commit()
        command = [
            *(sys.executable, __file__, "--child", self.database),
            *("--model", run._name, "--run", str(run.id)),
        ]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        first = child.stdout.readline()
        # In the middle of the batch after the one that it told of.
        time.sleep(0.5)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        self.env.cr.rollback()
        self.env.invalidate_all()
        at_kill = run.posted_count
        while run._process_batch():
            self.env.cr.commit()
            self.env.invalidate_all()
        self.env.cr.commit()
        wanted = self.options.contracts
        moves, contracts = self.count_invoices(run)
        self.result(
            f"{name}, killed after {at_kill} of {wanted} invoices and resumed",
            f"{moves} invoices of {contracts} contracts",
            "each contract once",
            bool(first) and moves == contracts == wanted and at_kill < wanted,
        )

    def count_invoices(self, run):
        """(posted invoices of the kind and month of this run, their contracts)"""
        condition = "onergy_move_kind = 'settlement'"
        if run._name == "onergy.advance.run":
            condition = f"onergy_advance_month = '{MONTH}'"
        self.env.cr.execute(
            "SELECT count(*), count(DISTINCT onergy_contract_id) FROM account_move "
            f"WHERE state = 'posted' AND {condition}"
        )
        return self.env.cr.fetchone()

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
            f"workbook {found['all']['seconds']:.1f} s); processor time without that "
            f"of the database {found['own']['busy']:.1f} s of "
            f"{found['core']['busy']:.1f} s",
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
        started, busy = time.perf_counter(), time.process_time()
        function(self.rows)
        return {
            "seconds": time.perf_counter() - started,
            "busy": time.process_time() - busy,
            "memory": read_memory("VmHWM") - base,
        }

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


def start_child(options):
    """Post batches of the run that is going on, until somebody kills this."""

    def work(env):
        run = env[options.model].browse(options.run)
        while run._process_batch():
            env.cr.commit()
            print("batch", flush=True)

    dev = load_dev()
    with_environment(dev, dev.Postgres(), options.child, work)


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
    parser.add_argument("--loop", type=int, default=300)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--only-workbook", action="store_true")
    parser.add_argument("database", nargs="?", help=argparse.SUPPRESS)
    for name, kind in (
        ("--child", str),
        ("--part", str),
        ("--workbook", int),
        ("--model", str),
        ("--run", int),
    ):
        parser.add_argument(name, type=kind, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return start_child(options)
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
    table = make_table(results)
    print(f"\n{table}")
    if options.write:
        write_table(table, options)


def make_table(results):
    rows = [("what", "measured", "goal", "reached"), ("---",) * 4, *results]
    return "\n".join(f"| {' | '.join(str(cell) for cell in row)} |" for row in rows)


def write_table(table, options):
    """Put the table between the marks in the page about performance."""
    page = ROOT / "docs" / "performance-billing.md"
    before, rest = page.read_text().split(f"{START}\n", 1)
    after = rest.split(END, 1)[1]
    what = (
        f"{options.contracts} contracts, {options.rows} ledger lines, "
        f"{os.cpu_count()} processors:"
    )
    page.write_text(f"{before}{START}\n\n{what}\n\n{table}\n\n{END}{after}")


if __name__ == "__main__":
    main()
