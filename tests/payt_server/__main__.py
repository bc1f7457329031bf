"""Start the simulator: ``python -m payt_server --port 8220``."""

import argparse
import contextlib
import os
import threading
from pathlib import Path

from .oauth import CLIENT_ID, CLIENT_SECRET, STATIC_TOKEN
from .server import PaytServer
from .state import ADMINISTRATION


def main():
    parser = argparse.ArgumentParser(prog="payt_server", description=__doc__)
    parser.add_argument("--port", type=int, default=8220)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--rate-limit", type=int, default=10, help="requests per window, 0 = none"
    )
    parser.add_argument(
        "--window", type=float, default=1.0, help="seconds that the limit is for"
    )
    parser.add_argument("--webhook-url", help="where to send webhooks, signed")
    parser.add_argument("--webhook-secret", default="simulator-webhook-secret")
    parser.add_argument(
        "--state", type=Path, help="file to keep everything in between two starts"
    )
    parser.add_argument(
        "--stop-with-parent",
        action="store_true",
        help="end when the process that started this one does",
    )
    options = parser.parse_args()
    server = PaytServer(
        options.port, options.host, options.rate_limit, window=options.window
    )
    if options.state and options.state.exists():
        server.load(options.state)
    if options.webhook_url:
        server.webhooks.configure(
            {
                "subscriptions": [
                    {"url": options.webhook_url, "secret": options.webhook_secret}
                ],
                "automatic": True,
            }
        )
    print(f"Payt simulator on {server.address}", flush=True)
    print(f"  administration  {ADMINISTRATION}")
    print(f"  API token       {STATIC_TOKEN}")
    print(f"  OAuth client    {CLIENT_ID} / {CLIENT_SECRET}")
    print(f"  webhook secret  {options.webhook_secret}", flush=True)
    parent = os.getppid() if options.stop_with_parent else None
    threading.Thread(target=watch, args=(server, options.state, parent)).start()
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    server.stop()


def watch(server, path, parent):
    """Keep what changes, and stop when the parent has gone."""
    while not server.stopped.wait(1):
        if path:
            server.save(path)
        if parent and os.getppid() != parent:
            server.stop()
    if path:
        server.save(path)


if __name__ == "__main__":
    main()
