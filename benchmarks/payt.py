"""What the conversation with Payt costs, against the least that it could cost.

    ./dev bench payt [--invoices 10000] [--payments 1000] [--wizard 50] [--seconds 15]

Payt is the simulator of tests/payt_server, on the same machine and with Payt's limit
of ten requests per second. The pictures of invoices are made up: making PDFs is not
what is measured. Times compare within one run only.
"""

import argparse
import importlib.machinery
import importlib.util
import math
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).resolve().parent.parent
ADDONS = ["onergy_residents", "onergy_payt"]
LIMIT = 10
RATE = 9.5
BATCH, PAGE = 100, 500
QUIET = {"tracking_disable": True, "mail_create_nolog": True, "mail_notrack": True}

sys.path.insert(0, str(ROOT / "tests"))


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
                "requests_per_second": RATE,
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
        self.payt.counts.clear()
        self.payt.busiest_second = self.payt.refused_by_limit = 0
        document = {"filename": "factuur.pdf"}

        def picture(move, *_args, **_kwargs):
            return {**document, "content": b"%PDF-1.4 " + move.name.encode() * 1000}

        started = time.perf_counter()
        with patch.object(
            type(self.env["account.move"]), "_get_invoice_legal_documents", picture
        ):
            self.env["payt.push"]._push(self.connection)
        elapsed = time.perf_counter() - started
        calls = sum(n for name, n in self.payt.counts.items() if "/v1/" in name)
        batches, pages = math.ceil(len(moves) / BATCH), math.ceil(len(moves) / PAGE)
        least = 4 * batches + 2 * pages
        self.check_all_arrived(moves)
        self.result(
            f"first sync of {len(moves)} invoices with PDF: calls",
            f"{calls} (least possible {least})",
            "<= 1.05 x least",
            calls <= least * 1.05 + 2,
        )
        bound = calls / LIMIT
        self.result(
            "first sync: time against the rate limit",
            f"{elapsed:.1f} s, limit alone {bound:.1f} s ({bound / elapsed:.0%})",
            ">= 90 % of the limit used",
            bound / elapsed >= 0.9,
        )
        self.result(
            "first sync: busiest second, refused calls",
            f"{self.payt.busiest_second}, {self.payt.refused_by_limit}",
            f"<= {LIMIT}, 0",
            self.payt.busiest_second <= LIMIT and not self.payt.refused_by_limit,
        )

    def check_all_arrived(self, moves):
        assert len(self.payt.state.invoices) == len(moves)
        assert len(self.payt.state.files) == len(moves)
        unknown = moves.payt_invoice_ids.filtered(lambda invoice: not invoice.payt_id)
        assert not unknown, f"{len(unknown)} invoices without Payt's id"

    def quiet_poll(self):
        self.env["payt.pull"]._pull_all(self.connection)
        # Ten minutes later: what is read twice on purpose lies behind us.
        for cursor in self.connection.cursor_ids.filtered("watermark"):
            cursor.watermark += timedelta(minutes=10)
        self.payt.counts.clear()
        self.env["payt.pull"]._pull_all(self.connection)
        calls = self.payt.counts.total()
        self.result("quiet poll: calls", calls, "8, one per list", calls <= 8)

    def two_workers(self, seconds):
        """Two workers ask as fast as they may; both use the database's limiter."""
        self.payt.counts.clear()
        self.payt.busiest_second = self.payt.refused_by_limit = 0
        self.payt._windows.clear()
        clients = [self.connection._get_client() for _number in range(2)]
        stop = time.perf_counter() + seconds

        def work(client):
            while time.perf_counter() < stop:
                client.administrations()

        threads = [threading.Thread(target=work, args=(c,)) for c in clients]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        elapsed = time.perf_counter() - started
        used = self.payt.counts.total() / elapsed / LIMIT
        self.result(
            "two workers: share of the limit used",
            f"{used:.0%}",
            ">= 90 %",
            used >= 0.9,
        )
        self.result(
            "two workers: busiest second, refused calls",
            f"{self.payt.busiest_second}, {self.payt.refused_by_limit}",
            f"<= {LIMIT}, 0",
            self.payt.busiest_second <= LIMIT and not self.payt.refused_by_limit,
        )

    def booking(self, moves):
        with self.payt.locked() as state:
            for move in moves:
                stored = state.find("invoices", invoice_number=move.name)
                state.finish_payment(state.start_payment([stored]), "paid")
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


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--invoices", type=int, default=10_000)
    parser.add_argument("--payments", type=int, default=1_000)
    parser.add_argument("--wizard", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=15)
    options = parser.parse_args()
    options.invoices = max(options.invoices, options.payments + options.wizard)
    dev = load_dev()
    postgres = dev.Postgres()
    template = dev.ensure_template(postgres, ADDONS)
    with dev.temporary_database(postgres, template, "bench") as database:
        results = run(dev, postgres, database, options)
    print("\n| what | measured | goal | reached |\n|---|---|---|---|")
    for row in results:
        print(f"| {' | '.join(str(cell) for cell in row)} |")


def run(dev, postgres, database, options):
    command = dev.odoo_command(postgres, "-d", database)
    arguments = [str(part) for part in command[command.index("--config") :]]
    # Odoo's own start-up; the rest of it can only be imported afterwards.
    from payt_server import PaytServer

    import odoo.init  # noqa: F401
    from odoo.api import SUPERUSER_ID, Environment
    from odoo.modules.registry import Registry
    from odoo.tools import config

    config.parse_config(
        [*arguments, "--no-http", "--log-level=warn"], setup_logging=True
    )
    with (
        PaytServer(rate_limit=LIMIT) as payt,
        Registry(database).cursor() as cr,
    ):
        bench = Bench(Environment(cr, SUPERUSER_ID, {}), payt, options)
        bench.run()
        cr.rollback()
    import odoo.sql_db

    odoo.sql_db.close_db(database)
    return bench.results


if __name__ == "__main__":
    main()
