"""A simulator of Payt for demos and tests: ``python -m payt_server --port 8220``.

It answers like Payt's REST API v1, sends signed webhooks, shows a small site to
debtors, and misbehaves on request. It is never part of an installed addon.
"""

from .server import PaytServer

__all__ = ["PaytServer"]
