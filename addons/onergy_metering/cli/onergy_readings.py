import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from odoo import SUPERUSER_ID
from odoo.api import Environment
from odoo.cli.command import Command
from odoo.modules.registry import Registry
from odoo.tools import config


class OnergyReadings(Command):
    """Import files with meter readings, for a backfill.

    Each file is one import and one transaction; a file that was imported before
    changes nothing. Ends with status 1 when a file could not be read.
    """

    name = "onergy_readings"
    epilog = """
    Examples:
        odoo onergy_readings -c odoo.conf -d heat 2024/*.csv.gz
        odoo onergy_readings -c odoo.conf -d heat --profile plain history.csv
    """

    def __init__(self):
        super().__init__()
        self.parser.add_argument("-c", "--config", help="configuration file")
        self.parser.add_argument("-d", "--database", help="name of the database")
        self.parser.add_argument(
            "--company", help="name of the company (default: the only one)"
        )
        self.parser.add_argument(
            "--profile", help="code or name of the profile (default: found by content)"
        )
        self.parser.add_argument("files", nargs="+", type=Path, metavar="FILE")

    def run(self, cmdargs):
        options = self.parser.parse_args(cmdargs)
        arguments = ["--no-http"]
        if options.config:
            arguments += ["-c", options.config]
        if options.database:
            arguments += ["-d", options.database]
        config.parse_config(arguments, setup_logging=True)
        names = config["db_name"]
        if len(names or []) != 1:
            self.parser.error("Name one database with -d.")
        with Registry(names[0]).cursor() as cr:
            env = Environment(cr, SUPERUSER_ID, {})
            failed = self._import_files(env, options)
        if failed:
            sys.exit(1)

    def _import_files(self, env, options):
        company = self._find_company(env, options.company)
        profile = self._find_profile(env, options.profile)
        failed = 0
        for path in options.files:
            with ExitStack() as stack:
                try:
                    stream = stack.enter_context(path.open("rb"))
                except OSError as error:
                    sys.stderr.write(f"{path}: {error.strerror}\n")
                    failed += 1
                    continue
                written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                record = env["onergy.reading.import"]._import_stream(
                    stream,
                    path.name,
                    "cli",
                    company,
                    profile,
                    received=written.replace(tzinfo=None),
                )
            env.cr.commit()  # pylint: disable=invalid-commit
            failed += record.state == "failed"
            sys.stdout.write(f"{path}: {record.summary}\n")
        return failed

    def _find_company(self, env, name):
        domain = [("name", "=", name)] if name else []
        companies = env["res.company"].search(domain)
        if len(companies) != 1:
            self.parser.error("Name one company with --company.")
        return companies

    def _find_profile(self, env, name):
        profiles = env["onergy.reading.profile"]
        if not name:
            return profiles
        found = profiles.search(
            [
                "&",
                ("state", "=", "active"),
                "|",
                ("code", "=", name),
                ("name", "=", name),
            ]
        )
        if len(found) != 1:
            self.parser.error(f"There is no profile {name!r} in use.")
        return found
