"""Makes the client importable without Odoo and starts the simulator."""

import importlib.util
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
CLIENT = TESTS.parent / "addons" / "onergy_payt" / "client"

if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))


def _load_client():
    spec = importlib.util.spec_from_file_location(
        "payt_client", CLIENT / "__init__.py", submodule_search_locations=[str(CLIENT)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["payt_client"] = module
    spec.loader.exec_module(module)


if "payt_client" not in sys.modules:
    _load_client()


@pytest.fixture(scope="session")
def running_payt():
    from payt_server import PaytServer

    with PaytServer(record=True) as server:
        yield server


@pytest.fixture
def payt(running_payt):
    """A simulator without memory of earlier tests and without a rate limit."""
    running_payt.reset()
    running_payt.rate_limit = 0
    return running_payt


@pytest.fixture
def naps():
    """The pauses a client took, in seconds, without anyone waiting for them."""
    return []


@pytest.fixture
def client(payt, naps):
    from payt_client import PaytClient, StaticToken
    from payt_server.oauth import STATIC_TOKEN

    return PaytClient(
        payt.address,
        "7001",
        StaticToken(STATIC_TOKEN),
        version="19.0.1.0.0",
        timeout=(1, 1),
        sleep=naps.append,
        jitter=lambda: 0.5,
    )
