#!/usr/bin/env python3
"""How fast readings come in and go out, as ratios measured in one run.

    ./dev bench readings [--part month --part day ...] [--write]

Parts: ``month`` (files of a month of 10,000 meters, against the floor and Odoo's own
ways), ``day`` (day files of 200,000 meters), ``growth`` (ten times the rows),
``reads`` (one meter and all meters among five million readings, the resident's page,
Excel). Without ``--part`` all of them, in about a quarter of an hour.

The floor is what PostgreSQL needs for the same rows without any check: COPY into a
staging table, then INSERT into a table with the same columns and only the unique
covering index. Rounds are interleaved. What is compared is processor time of client
and server together, so that other work on the machine weighs on nothing; rows per
second by the clock (best round) stand beside it. ``--write`` puts the tables into
docs/performance.md.
"""

import argparse
import contextlib
import importlib.machinery
import importlib.util
import json
import os
import platform
import sys
from pathlib import Path

from support.imports import Imports
from support.measure import Results
from support.reads import Reads, export_readings

ROOT = Path(__file__).resolve().parent.parent
ADDONS = ["onergy_residents", "onergy_metering"]
PARTS = ("month", "day", "growth", "reads")


def load_dev():
    """The ``dev`` command as a module: it knows the database and the settings."""
    loader = importlib.machinery.SourceFileLoader("onergy_dev", str(ROOT / "dev"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[loader.name] = module
    loader.exec_module(module)
    return module


@contextlib.contextmanager
def environment(dev, postgres, database):
    """The superuser's environment on a database."""
    command = dev.odoo_command(postgres, "-d", database)
    arguments = [str(part) for part in command[command.index("--config") :]]
    # Odoo's own start-up; the rest of it can only be imported afterwards.
    import odoo.init  # noqa: F401
    import odoo.sql_db
    from odoo.api import SUPERUSER_ID, Environment
    from odoo.modules.registry import Registry
    from odoo.tools import config

    config.parse_config(
        [*arguments, "--no-http", "--log-level=warn"], setup_logging=True
    )
    try:
        with Registry(database).cursor() as cr:
            yield Environment(cr, SUPERUSER_ID, {})
            cr.rollback()
    finally:
        Registry.delete(database)
        odoo.sql_db.close_db(database)


def run_part(part, options, dev, postgres, env, results):
    """Measure one part; return what else the document should show, as Markdown."""
    if part == "month":
        imports = Imports(env, options.meters, results)
        return imports.run_month(options.rows, options.rounds)
    elif part == "day":
        return Imports(env, options.day_meters, results).run_day(options.rounds)
    elif part == "growth":
        days = max(1, options.rows // options.meters)
        Imports(env, options.meters, results).run_growth(days, 10 * days)
    elif part == "reads":
        reads = Reads(env, options.read_meters, results)
        reads.measure_meter()
        reads.measure_all()
        reads.measure_page(dev, postgres)
        reads.measure_excel(__file__)
    return ""


def write_document(sections):
    """Replace the section of each part that was measured."""
    path = ROOT / "docs" / "performance.md"
    text = path.read_text() if path.exists() else "# Performance\n"
    for part, content in sections.items():
        begin, end = f"<!-- readings: {part} -->", f"<!-- /readings: {part} -->"
        if begin not in text:
            text = f"{text.rstrip()}\n\n{begin}\n{end}\n"
        head, rest = text.split(begin)
        tail = rest.split(end)[1]
        text = f"{head}{begin}\n\n{content}\n\n{end}{tail}"
    path.write_text(text)


def describe(part, options, results, extra):
    title = {
        "month": "Readings: files of a month",
        "day": "Readings: the day file of a large supplier",
        "growth": "Readings: ten times the rows",
        "reads": "Readings: pages, totals, Excel",
    }[part]
    note = (
        f"Written by `./dev bench readings --part {part} --write`: median of "
        f"{options.rounds} interleaved rounds, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores shared with other work. Rows per second and shares "
        "of the floor are by processor time of client and server together."
    )
    parts = [f"## {title}", note, results.markdown(), extra]
    return "\n\n".join(filter(None, parts))


def start_child(name, database):
    """One export of this benchmark, in a process of its own."""
    dev = load_dev()
    with environment(dev, dev.Postgres(), database) as env:
        print(json.dumps(export_readings(env, name)), flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", action="append", choices=PARTS)
    parser.add_argument("--rows", type=int, default=300_000, help="of a month file")
    parser.add_argument("--meters", type=int, default=10_000)
    parser.add_argument("--day-meters", type=int, default=200_000)
    parser.add_argument("--read-meters", type=int, default=7_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return start_child(*options.child)
    dev = load_dev()
    postgres = dev.Postgres()
    template = dev.ensure_template(postgres, ADDONS)
    sections = {}
    for part in options.part or PARTS:
        print(part, flush=True)
        results = Results()
        with (
            dev.temporary_database(postgres, template, "bench") as database,
            environment(dev, postgres, database) as env,
        ):
            extra = run_part(part, options, dev, postgres, env, results)
        sections[part] = describe(part, options, results, extra)
    if options.write:
        write_document(sections)
    else:
        print("\n\n".join(sections.values()))


if __name__ == "__main__":
    main()
