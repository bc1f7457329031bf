"""One simulated Payt: its life, what it remembers, its rate limit."""

import pickle
import threading
import time
from collections import Counter, deque
from contextlib import contextmanager

from .api import Api, encode
from .control import Control
from .faults import Faults
from .handler import Handler, Httpd
from .oauth import OAuth
from .site import Site
from .state import PaytState
from .webhooks import Webhooks


class PaytServer(Control):
    """One simulated Payt on its own port.

    :param rate_limit: requests per window and token, 0 = no limit
    :param window: its length in seconds; longer than Payt's one to play it slowed down
    :param record: keep every call and answer for :attr:`recording`
    :param strict: refuse calls that are not as our schema says (422)
    """

    def __init__(
        self,
        port=0,
        host="127.0.0.1",
        rate_limit=10,
        record=False,
        strict=True,
        window=1.0,
    ):
        self.rate_limit = rate_limit
        self.window = window
        self.record = record
        self.strict = strict
        self.lock = threading.RLock()
        handler = type("Handler", (Handler,), {"owner": self})
        self._httpd = Httpd((host, port), handler)
        self.port = self._httpd.server_address[1]
        self.address = f"http://{host}:{self.port}"
        self.state = PaytState(self.address)
        self.api = Api(self.state, self.address)
        self.faults = Faults()
        self.webhooks = Webhooks(self.state, self.lock, encode)
        self.site = Site(self)
        self.stopped = threading.Event()
        self._saved = None
        self._thread = None
        self.reset()

    # ------------------------------------------------------------- life cycle

    def start(self):
        self._thread = threading.Thread(target=self._httpd.serve_forever, daemon=True)
        self._thread.start()
        return self

    def serve_forever(self):
        self._httpd.serve_forever()

    def stop(self):
        if self.stopped.is_set():
            return
        self.stopped.set()
        self.webhooks.close()
        self._httpd.shutdown()
        self._httpd.server_close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_details):
        self.stop()

    def reset(self):
        with self.lock:
            self.state.reset()
            self.faults.clear()
            self.webhooks.reset()
            self.recording = []
            self.counts = Counter()
            self.refused_by_limit = 0
            self.busiest_second = 0
            self._windows = {}
            self.oauth = OAuth()

    @contextmanager
    def locked(self):
        """What Payt knows, while no call changes it."""
        with self.lock:
            yield self.state

    # ------------------------------------------------- between two starts (the demo)

    def save(self, path):
        """Write down what Payt knows, if anything changed; all of it or nothing."""
        with self.lock:
            moment = self.state.latest
            if moment == self._saved:
                return
            content = pickle.dumps(vars(self.state))
        draft = path.with_suffix(".new")
        draft.write_bytes(content)
        draft.replace(path)
        self._saved = moment

    def load(self, path):
        """Take up what :meth:`save` of an earlier start wrote; links point here now."""
        with self.lock:
            base = self.state.public_base
            vars(self.state).update(pickle.loads(path.read_bytes()))
            self.state.public_base = base

    # ------------------------------------------------------------------ limits

    def within_limit(self, token):
        """Count a request in its token's last window; False when it is one too many."""
        now = time.monotonic()
        window = self._windows.setdefault(token, deque())
        while window and window[0] <= now - self.window:
            window.popleft()
        if self.rate_limit and len(window) >= self.rate_limit:
            self.refused_by_limit += 1
            return False
        window.append(now)
        self.busiest_second = max(self.busiest_second, len(window))
        return True
