"""What the conversation with Payt costs, against the least that it could cost.

    ./dev bench payt [--invoices 10000] [--slowed 1] [--payments 1000] [--wizard 50]
                     [--seconds 15] [--write]

Payt is the simulator of tests/payt_server, in a process of its own on the same machine,
with Payt's limit of ten requests per second. A machine that is too slow or too busy for
that shows what the connector itself loses with --slowed 5: ten requests per five
seconds. The pictures of invoices are made up: making PDFs is not what is measured.
Times compare within one run only. --write puts the table into docs/performance-payt.md.
"""

import argparse
import importlib.machinery
import importlib.util
import math
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from unittest.mock import patch

import requests

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "performance-payt.md"
ADDONS = ["onergy_residents", "onergy_payt"]
LIMIT = 10
# Of the limit; the rest is room for requests that arrive a little late.
SHARE = 0.95
BATCH, PAGE = 100, 500
QUIET = {"tracking_disable": True, "mail_create_nolog": True, "mail_notrack": True}


class Simulator:
    """The simulator in a process of its own, and what its control tells of it."""

    def __init__(self, address):
        self.address = address

    def control(self, action, **values):
        url = f"{self.address}/_control/{action}"
        answer = requests.post(url, json=values, timeout=60)
        answer.raise_for_status()
        return answer.json()

    @classmethod
    @contextmanager
    def running(cls, port, window):
        command = [sys.executable, "-m", "payt_server", "--port", str(port)]
        command += ["--rate-limit", str(LIMIT), "--window", str(window)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, text=True
        )
        try:
            # Its first line says that it listens.
            process.stdout.readline()
            yield cls(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(10)


def span_of(options):
    return "a second" if options.slowed == 1 else f"{options.slowed:g} seconds"


def load_dev():
    """The ``dev`` command as a module: it knows the database and the settings."""
    loader = importlib.machinery.SourceFileLoader("onergy_dev", str(ROOT / "dev"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[loader.name] = module
    loader.exec_module(module)
    return module


class Bench:
    def __init__(self, env, payt, options):
        self.env, self.payt, self.options = env, payt, options
        self.results = []
        self.span = span_of(options)
        self.limit = f"{LIMIT} calls in {self.span}"

    def result(self, name, value, goal, reached):
        self.results.append((name, value, goal, "yes" if reached else "NO"))
        print(f"{name}: {value} (goal {goal})", flush=True)

    # -------------------------------------------------------------------- preparation

    def prepare(self):
        self.connection = self.env["payt.connection"].create(
            {
                "company_id": self.env.company.id,
                "environment": "custom",
                "api_base_url": self.payt.address,
                "app_base_url": self.payt.address,
                "administration_id": "7001",
                "api_token": "simulator-token",
                "start_date": "2025-01-01",
                "requests_per_second": SHARE * LIMIT / self.options.slowed,
                "batch_size": BATCH,
                "page_size": PAGE,
            }
        )
        self.connection.action_create_clearing_journal()
        self.env.cr.commit()
        self.connection.action_go_live()
        self.env.cr.commit()

    def make_invoices(self, count):
        """Post invoices, one payer each, in batches of a hundred."""
        moves = self.env["account.move"]
        for start in range(0, count, BATCH):
            size = min(BATCH, count - start)
            payers = (
                self.env["res.partner"]
                .with_context(**QUIET)
                .create(
                    [
                        {
                            "name": f"Betaler {start + number}",
                            "email": f"betaler{start + number}@example.com",
                            "street": "Voorbeeldstraat 1",
                            "city": "Utrecht",
                        }
                        for number in range(size)
                    ]
                )
            )
            batch = (
                self.env["account.move"]
                .with_context(**QUIET)
                .create([self.invoice_values(payer) for payer in payers])
            )
            batch.action_post()
            moves |= batch
            self.env.cr.commit()
        return moves

    def invoice_values(self, payer):
        line = {"name": "Voorschot", "price_unit": 95.0, "tax_ids": [(5, 0, 0)]}
        return {
            "move_type": "out_invoice",
            "partner_id": payer.id,
            "invoice_date": "2025-06-01",
            "invoice_date_due": "2025-06-15",
            "invoice_line_ids": [(0, 0, line)],
        }

    # ------------------------------------------------------------------ measurements

    def first_sync(self, moves):
        self.payt.control("start_counting")
        document = {"filename": "factuur.pdf"}

        def picture(move, *_args, **_kwargs):
            return {**document, "content": b"%PDF-1.4 " + move.name.encode() * 1000}

        started, busy = time.perf_counter(), time.process_time()
        with patch.object(
            type(self.env["account.move"]), "_get_invoice_legal_documents", picture
        ):
            self.env["payt.push"]._push(self.connection)
        elapsed = time.perf_counter() - started
        busy = time.process_time() - busy
        seen = self.payt.control("numbers")
        calls = sum(n for name, n in seen["counts"].items() if "/v1/" in name)
        batches, pages = math.ceil(len(moves) / BATCH), math.ceil(len(moves) / PAGE)
        least = 4 * batches + 2 * pages
        self.check_all_arrived(moves, seen)
        self.result(
            f"first sync of {len(moves)} invoices with PDF: calls",
            f"{calls} (least possible {least})",
            "<= 1.05 x least",
            calls <= least * 1.05 + 2,
        )
        bound = calls / LIMIT * self.options.slowed
        self.result(
            f"first sync: time against the limit of {self.limit}",
            f"{elapsed:.1f} s, limit alone {bound:.1f} s ({bound / elapsed:.0%}); "
            f"own processor time {busy:.1f} s",
            ">= 90 % of the limit used",
            bound / elapsed >= 0.9,
        )
        self.result_of_limit("first sync", seen)

    def result_of_limit(self, name, seen):
        self.result(
            f"{name}: most calls in {self.span}, refused calls",
            f"{seen['busiest_second']}, {seen['refused_by_limit']}",
            f"<= {LIMIT}, 0",
            seen["busiest_second"] <= LIMIT and not seen["refused_by_limit"],
        )

    def check_all_arrived(self, moves, seen):
        assert seen["rows"]["invoices"] == len(moves), seen["rows"]
        assert seen["rows"]["files"] == len(moves), seen["rows"]
        unknown = moves.payt_invoice_ids.filtered(lambda invoice: not invoice.payt_id)
        assert not unknown, f"{len(unknown)} invoices without Payt's id"

    def quiet_poll(self):
        self.env["payt.pull"]._pull_all(self.connection)
        # Ten minutes later: what is read twice on purpose lies behind us.
        for cursor in self.connection.cursor_ids.filtered("watermark"):
            cursor.watermark += timedelta(minutes=10)
        self.payt.control("start_counting")
        self.env["payt.pull"]._pull_all(self.connection)
        calls = sum(self.payt.control("numbers")["counts"].values())
        self.result("quiet poll: calls", calls, "8, one per list", calls <= 8)

    def two_workers(self, seconds):
        """Two processes ask as fast as they may; the database's limiter holds both."""
        database = self.env.cr.dbname
        command = [sys.executable, __file__, "--seconds", str(seconds), "--worker"]
        workers = [
            subprocess.Popen(
                [*command, database],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _number in range(2)
        ]
        for worker in workers:
            worker.stdout.readline()
        self.payt.control("start_counting")
        started = time.perf_counter()
        for worker in workers:
            worker.stdin.write("go\n")
            worker.stdin.flush()
        for worker in workers:
            worker.stdout.readline()
        elapsed = time.perf_counter() - started
        seen = self.payt.control("numbers")
        for worker in workers:
            assert worker.wait(60) == 0
        used = sum(seen["counts"].values()) / elapsed / LIMIT * self.options.slowed
        self.result(
            "two workers: share of the limit used",
            f"{used:.0%}",
            ">= 90 %",
            used >= 0.9,
        )
        self.result_of_limit("two workers", seen)

    def booking(self, moves):
        for move in moves:
            self.payt.control("pay", invoice_number=move.name)
        client = self.connection._get_client()
        self.env["payt.pull"]._pull(self.connection, client, "payments")
        self.env.cr.commit()
        self.env.invalidate_all()
        queries = self.env.cr.sql_log_count
        started = time.perf_counter()
        self.env["payt.transaction"]._process(self.connection)
        self.env.flush_all()
        elapsed = (time.perf_counter() - started) / len(moves)
        queries = (self.env.cr.sql_log_count - queries) / len(moves)
        self.env.cr.commit()
        assert set(moves.mapped("payment_state")) == {"paid"}
        return elapsed, queries

    def wizard(self, moves):
        """What a person would do: the payment wizard, invoice by invoice."""
        self.env.invalidate_all()
        queries = self.env.cr.sql_log_count
        started = time.perf_counter()
        for move in moves:
            self.env["account.payment.register"].with_context(
                active_model="account.move", active_ids=move.ids
            ).create({})._create_payments()
            self.env.flush_all()
        elapsed = (time.perf_counter() - started) / len(moves)
        queries = (self.env.cr.sql_log_count - queries) / len(moves)
        self.env.cr.rollback()
        return elapsed, queries

    def payments(self, moves):
        by_hand = self.wizard(moves[: self.options.wizard])
        paid = moves[self.options.wizard :][: self.options.payments]
        booked = self.booking(paid)
        self.result(
            f"booking {len(paid)} online payments: queries each",
            f"{booked[1]:.1f} (wizard {by_hand[1]:.0f})",
            "<= 18",
            booked[1] <= 18,
        )
        ratio = booked[0] / by_hand[0]
        self.result(
            "booking: time each",
            f"{booked[0] * 1000:.1f} ms (wizard {by_hand[0] * 1000:.0f} ms, "
            f"{ratio:.2f} x)",
            "<= 1/5 of the wizard",
            ratio <= 0.2,
        )

    def run(self):
        self.prepare()
        moves = self.make_invoices(self.options.invoices)
        self.first_sync(moves)
        self.quiet_poll()
        self.payments(moves)
        self.two_workers(self.options.seconds)


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--invoices", type=int, default=10_000)
    parser.add_argument("--slowed", type=float, default=1)
    parser.add_argument("--payments", type=int, default=1_000)
    parser.add_argument("--wizard", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.invoices = max(options.invoices, options.payments + options.wizard)
    return options


def main():
    options = parse_arguments()
    dev = load_dev()
    postgres = dev.Postgres()
    if options.worker:
        return with_environment(dev, postgres, options.worker, ask_for(options.seconds))
    template = dev.ensure_template(postgres, ADDONS)
    with (
        dev.temporary_database(postgres, template, "bench") as database,
        Simulator.running(dev.free_port(), options.slowed) as payt,
    ):

        def measure(env):
            bench = Bench(env, payt, options)
            bench.run()
            return bench.results

        results = with_environment(dev, postgres, database, measure)
    lines = ["| what | measured | goal | reached |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(str(cell) for cell in row)} |" for row in results]
    print("\n" + "\n".join(lines))
    if options.write:
        write_report(options, lines)


def ask_for(seconds):
    """One of two workers: says that it is ready, waits for its start, asks and asks."""

    def ask(env):
        client = env["payt.connection"].search([], limit=1)._get_client()
        print("ready", flush=True)
        sys.stdin.readline()
        stop = time.perf_counter() + seconds
        while time.perf_counter() < stop:
            client.administrations()
        print("done", flush=True)

    return ask


def write_report(options, lines):
    """Replace the section of this limit in the report; keep those of others."""
    mark = f"<!-- slowed {options.slowed:g} -->"
    text = REPORT.read_text() if REPORT.exists() else INTRODUCTION
    load = os.getloadavg()[1]
    section = (
        f"{mark}\n\n## {LIMIT} calls in {span_of(options)}\n\n"
        f"{date.today()}, {os.cpu_count()} processors, load of the machine {load:.1f} "
        "(this run included).\n\n" + "\n".join(lines) + "\n\n<!-- end -->"
    )
    before, found, rest = text.partition(mark)
    if found:
        text = before + section + rest.partition("<!-- end -->")[2]
    else:
        text = f"{text.rstrip()}\n\n{section}\n"
    REPORT.write_text(text)


INTRODUCTION = """# Payt: what the conversation costs

Written by `./dev bench payt --write` (see `benchmarks/payt.py` for what is measured).
The bound is physical: Payt takes ten requests per second and token, so a first sync of
10,000 invoices cannot be faster than its calls allow. PDFs go to pre-signed addresses
and do not count. Where the processor, not the limit, decided how long it took, a second
section with Payt slowed down shows what the connector itself loses.
"""


def with_environment(dev, postgres, database, work):
    """Start Odoo on a database, without its server, and do some work in it."""
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
        result = work(Environment(cr, SUPERUSER_ID, {}))
        cr.rollback()
    import odoo.sql_db

    odoo.sql_db.close_db(database)
    return result


if __name__ == "__main__":
    main()
