"""What tests and the demo can make happen from outside; README.md lists it."""

import requests

from .api import encode
from .state import TABLES


class Control:
    """The actions of :class:`.server.PaytServer` that stand for people and time."""

    def control(self, action, values):
        """What tests and the demo can make happen from outside; see README.md."""
        handler = getattr(self, f"control_{action}", None)
        if handler is None:
            return 404, {"error": f"unknown action {action}"}
        try:
            return 200, handler(values) or {}
        except (KeyError, ValueError, StopIteration) as error:
            return 422, {"error": f"{type(error).__name__}: {error}"}

    def _invoice(self, values):
        with self.lock:
            invoice = self.state.find(
                "invoices", invoice_number=values["invoice_number"]
            )
        if not invoice:
            raise KeyError(values["invoice_number"])
        return invoice

    def control_reset(self, _values):
        self.reset()

    def control_fault(self, values):
        with self.lock:
            self.faults.add(values)

    def control_webhooks(self, values):
        self.webhooks.configure(values)

    def control_flush(self, _values):
        return {"deliveries": self.webhooks.flush()}

    def control_pay(self, values):
        with self.lock:
            invoice = self._invoice(values)
            transaction = self.state.start_payment(
                [invoice],
                values.get("method", "ideal"),
                [values["amount"]] if values.get("amount") else None,
            )
            self.state.finish_payment(transaction, values.get("status", "paid"))
            return {"id": transaction["id"]}

    def control_take_back(self, values):
        with self.lock:
            self.state.take_back(
                self.state.psp_transactions[values["id"]],
                values.get("status", "charged_back"),
                values.get("reversal_code"),
            )

    def control_match_bank(self, values):
        """Payt's own bank matching finds a payment of an invoice."""
        with self.lock:
            payment = self.state.match_bank(self._invoice(values), values["amount"])
            return {"id": payment["id"]}

    def control_phase(self, values):
        with self.lock:
            self.state.advance(
                self._invoice(values), values["phase"], values.get("costs")
            )

    def control_comment(self, values):
        with self.lock:
            self.state.comment(self._invoice(values), values["text"])

    def control_start_counting(self, _values):
        with self.lock:
            self.counts.clear()
            self._windows.clear()
            self.busiest_second = self.refused_by_limit = 0

    def control_numbers(self, _values):
        with self.lock:
            return {
                "counts": dict(self.counts),
                "busiest_second": self.busiest_second,
                "refused_by_limit": self.refused_by_limit,
                "rows": {
                    "files": len(self.state.files),
                    **{table: len(getattr(self.state, table)) for table in TABLES},
                },
            }

    def control_send_unsent(self, _values):
        with self.lock:
            self.state.send_unsent()
            return {"mailbox": encode(self.state.mailbox)}

    def control_state(self, _values):
        with self.lock:
            return {
                "invoices": encode(list(self.state.invoices.values())),
                "payment_plans": encode(list(self.state.payment_plans.values())),
                "payments": encode(list(self.state.payments.values())),
                "messages": encode(list(self.state.messages.values())),
                "psp_transactions": encode(list(self.state.psp_transactions.values())),
                "counts": dict(self.counts),
                "busiest_second": self.busiest_second,
                "refused_by_limit": self.refused_by_limit,
            }


def control(address, action, **values):
    """Call a running simulator's control from another process; returns its answer."""
    answer = requests.post(f"{address}/_control/{action}", json=values, timeout=30)
    answer.raise_for_status()
    return answer.json()
