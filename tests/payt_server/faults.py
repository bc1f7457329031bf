"""Misbehaviour on request.

A fault is a dict: ``kind``, ``operation`` (``POST /v1/invoices``; ``*`` for all),
``times`` (how many calls it hits, default 1), and details of its kind.
"""

KINDS = {
    # Before Payt does anything:
    "rate_limit": "429; retry_after in seconds is optional",
    "server_error": "status (default 500), nothing done",
    "cut_before": "the connection breaks, nothing done",
    "slow": "seconds before the answer; the work is done",
    "token_expired": "401 once, as if the token had just expired",
    "missing_scope": "403 that names scope",
    "bad_gateway": "502 with an HTML page",
    # After Payt has done its work:
    "cut_after": "the work is done, the connection breaks before the answer",
    "error_after": "the work is done, the answer is 500",
    "empty": "the work is done, the answer has no body",
    # Other answers than usual:
    "partial": "records whose number is in only (default: the first) are refused",
    "partial_not_found": "the same, keyed by the type of failure",
    "unmapped_error": "an error key that names no record",
    "expired_upload": "the upload address is refused",
    "int_ids": "ids are numbers instead of strings",
    "poison": "500 whenever one of the records numbered in only is among those sent; "
    "stays until cleared",
    "repeat_cursor": "every page gives the same cursor",
}

LASTING = ("poison",)


class Faults:
    """The list of faults still to happen; used under the server's lock."""

    def __init__(self):
        self.pending = []

    def add(self, fault):
        if fault.get("kind") not in KINDS:
            raise ValueError(f"Unknown fault {fault.get('kind')!r}")
        self.pending.append({"operation": "*", "times": 1, **fault})

    def clear(self):
        self.pending.clear()

    def take(self, operation):
        """Return the faults of this call, by kind, and count them down."""
        taken = {}
        for fault in list(self.pending):
            if fault["operation"] not in ("*", operation) or fault["kind"] in taken:
                continue
            taken[fault["kind"]] = fault
            fault["times"] -= fault["kind"] not in LASTING
            if fault["times"] <= 0:
                self.pending.remove(fault)
        return taken
