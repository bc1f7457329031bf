"""Small things that tests and their fixtures use."""

import importlib.machinery
import importlib.util
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@cache
def load_dev():
    """Import ./dev, which has no .py in its name."""
    loader = importlib.machinery.SourceFileLoader("dev", str(ROOT / "dev"))
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader("dev", loader)
    )
    loader.exec_module(module)
    return module


def html_of(message):
    """Return what the reader of an e-mail sees, as HTML where there is any."""
    return message.get_body(preferencelist=("html", "plain")).get_content()


def link_in(message, pattern):
    """Return the first link of a message that matches."""
    links = re.findall(r'href="([^"]+)"', html_of(message).replace("&amp;", "&"))
    return next(link for link in links if re.search(pattern, link))
