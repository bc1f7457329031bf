"""What the cross-addon tests share: a real PostgreSQL, Odoo, mail server and browser.

Everything that starts a process is a context manager of ./dev, so that a test runs
just what a developer runs.
"""

import os

import pytest
from playwright.sync_api import sync_playwright
from support import load_dev


@pytest.fixture(scope="session")
def dev():
    """The functions of ./dev."""
    return load_dev()


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


@pytest.fixture(scope="session")
def chromium(dev):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=dev.find_chromium(),
            args=[
                "--no-sandbox",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-quic",
            ],
        )
        yield browser
        browser.close()
