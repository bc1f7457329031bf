"""Each addon alone can be installed, updated and removed, and leaves Odoo healthy."""

import re
import subprocess

import pytest
from support import load_dev

ADDONS = load_dev().our_addons()[0]
COMPLAINT = re.compile(r"^\S+ \S+ \d+ (WARNING|ERROR|CRITICAL) \S+ \S+: (.*)", re.M)
# Said by Odoo itself whatever is installed.
KNOWN = re.compile(r"Running as user 'root'")


def odoo(dev, postgres, *arguments, subcommand=()):
    """Run an Odoo command to its end and return what it complained about."""
    command = dev.odoo_command(postgres, *arguments, subcommand=subcommand)
    result = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        cwd=dev.ROOT,
        check=False,
    )
    log = result.stdout + result.stderr
    assert not result.returncode, log[-3000:]
    return [text for _level, text in COMPLAINT.findall(log) if not KNOWN.search(text)]


def tables(postgres, database):
    return set(
        postgres.sql(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'", database
        ).split("\n")
    )


def columns(postgres, database):
    return set(
        postgres.sql(
            "SELECT table_name || '.' || column_name FROM information_schema.columns "
            "WHERE table_schema = 'public'",
            database,
        ).split("\n")
    )


def functions(postgres, database):
    return set(
        postgres.sql(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
            database,
        ).split("\n")
    )


# Table and what names a row of it: all that an addon may bring besides tables.
ROWS = {
    "ir_act_report_xml": "report_name",
    "ir_act_server": "id",
    "ir_act_window": "id",
    "ir_config_parameter": "key",
    "ir_cron": "id",
    "ir_filters": "id",
    "ir_model": "model",
    "ir_model_access": "id",
    "ir_rule": "id",
    "ir_sequence": "code",
    "ir_ui_menu": "id",
    "ir_ui_view": "key",
    "mail_activity_type": "id",
    "mail_template": "id",
    "res_groups": "id",
    "web_tour_tour": "name",
}


def rows(postgres, database):
    """Return what is set up in a database, as ``table: name``."""
    existing = tables(postgres, database)
    return {
        f"{table}: {name}"
        for table, column in ROWS.items()
        if table in existing
        for name in postgres.sql(
            f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL", database
        ).split("\n")
    }


@pytest.mark.parametrize("addon", ADDONS)
def test_install_update_uninstall(dev, postgres, addon):
    base = dev.ensure_base_template(postgres)
    needed = [name for name in dev.with_dependencies([addon]) if name != addon]
    template = dev.ensure_template(postgres, needed) if needed else base
    with dev.temporary_database(postgres, template, "install") as database:
        before = columns(postgres, database)
        known_functions = functions(postgres, database)
        known_rows = rows(postgres, database)
        options = ("-d", database, "--stop-after-init", "--no-http")
        assert not odoo(dev, postgres, *options, "-i", addon)
        assert columns(postgres, database) - before, "the addon installed nothing"
        assert not odoo(dev, postgres, *options, "-u", addon)
        odoo(dev, postgres, "-d", database, addon, subcommand=("module", "uninstall"))
        state = postgres.sql(
            f"SELECT state FROM ir_module_module WHERE name = '{addon}'", database
        )
        assert state == "uninstalled"
        left = columns(postgres, database) - before
        assert not left, f"columns left behind: {sorted(left)[:10]}"
        left = functions(postgres, database) - known_functions
        assert not left, f"functions left behind: {sorted(left)}"
        left = rows(postgres, database) - known_rows
        assert not left, f"left behind: {sorted(left)}"
        # Odoo still starts and updates what is left.
        assert not odoo(dev, postgres, *options, "-u", "portal")
