"""What the cross-addon tests share: a real PostgreSQL, Odoo, mail server and browser.

Everything that starts a process is a context manager of ./dev, so that a test runs
just what a developer runs.
"""

import importlib.machinery
import importlib.util
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))


def _load_dev():
    loader = importlib.machinery.SourceFileLoader("dev", str(ROOT / "dev"))
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader("dev", loader)
    )
    loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def dev():
    """The functions of ./dev."""
    return _load_dev()


@pytest.fixture(scope="session")
def postgres(dev):
    server = dev.Postgres()
    # ./dev test hands its server over by PGHOST; a bare pytest run starts its own.
    if not os.environ.get("PGHOST"):
        server.ensure()
    return server


@pytest.fixture(scope="session")
def artifacts(dev):
    """Where screenshots and caught mails are kept for a person to look at."""
    folder = dev.ARTIFACTS / "e2e"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
