"""Delivery of webhooks: signed, repeated, and out of order when asked."""

import hashlib
import hmac
import json
import random
import threading
import time
import uuid

import requests

MAX_ATTEMPTS = 10
TIMEOUT = 10


class Webhooks:
    """Subscriptions of one administration and the events still to deliver.

    ``automatic``: a thread delivers as events happen; else :meth:`flush` does.
    """

    def __init__(self, state, lock, encode):
        self._state = state
        self._lock = lock
        self._encode = encode
        self.subscriptions = []
        self.duplicates = 0
        self.shuffle = False
        self.automatic = False
        self.deliveries = []
        self._random = random.Random(1)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def configure(self, values):
        """``subscriptions``: list of {url, secret}; duplicates; shuffle; automatic."""
        for key in ("subscriptions", "duplicates", "shuffle", "automatic"):
            if key in values:
                setattr(self, key, values[key])

    def reset(self):
        self.configure(
            {"subscriptions": [], "duplicates": 0, "shuffle": False, "automatic": False}
        )
        self.deliveries = []

    def flush(self):
        """Deliver everything that is waiting; returns the deliveries made."""
        with self._lock:
            events, self._state.events = self._state.events, []
            jobs = [
                (subscription, event)
                for event in events
                for subscription in self.subscriptions
                if subscription.get("active", True)
                for _copy in range(1 + self.duplicates)
            ]
            if self.shuffle:
                self._random.shuffle(jobs)
        made = [self._deliver(*job) for job in jobs]
        self.deliveries += made
        return made

    def close(self):
        self._stop.set()

    def _run(self):
        while not self._stop.wait(0.2):
            if self.automatic and self._state.events:
                self.flush()

    def _deliver(self, subscription, event):
        body = json.dumps({"event": self._encode(event)}).encode()
        secret = subscription["secret"].encode()
        headers = {
            "Content-Type": "application/json",
            "X-PAYT-SIGNATURE": hmac.new(secret, body, hashlib.sha256).hexdigest(),
            "X-PAYT-ADMINISTRATION-IDENTIFIER": "7001",
        }
        status = 0
        attempts = MAX_ATTEMPTS if self.automatic else 1
        for attempt in range(attempts):
            headers["X-PAYT-DELIVERY"] = str(uuid.uuid4())
            try:
                status = requests.post(
                    subscription["url"], data=body, headers=headers, timeout=TIMEOUT
                ).status_code
            except requests.RequestException:
                status = 0
            if status == 200 or self._stop.is_set():
                break
            if attempt + 1 < attempts:
                time.sleep(min(0.1 * 2**attempt, 5))
        else:
            if self.automatic:
                # As Payt does after ten attempts: the webhook is switched off.
                subscription["active"] = False
        return {"event": event["event_name"], "id": event["id"], "status": status}
