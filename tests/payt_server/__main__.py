"""Start the simulator: ``python -m payt_server --port 8220``."""

import argparse

from .server import CLIENT_ID, CLIENT_SECRET, STATIC_TOKEN, PaytServer
from .state import ADMINISTRATION


def main():
    parser = argparse.ArgumentParser(prog="payt_server", description=__doc__)
    parser.add_argument("--port", type=int, default=8220)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--rate-limit", type=int, default=10, help="requests per second, 0 = none"
    )
    parser.add_argument("--webhook-url", help="where to send webhooks, signed")
    parser.add_argument("--webhook-secret", default="simulator-webhook-secret")
    options = parser.parse_args()
    server = PaytServer(options.port, options.host, options.rate_limit)
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
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.webhooks.close()


if __name__ == "__main__":
    main()
