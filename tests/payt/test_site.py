"""The debtor's site and the webhooks of the simulator."""

import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests
import samples


@pytest.fixture
def invoice(payt, client):
    samples.load(client, "1")
    return payt.state.find("invoices", invoice_number="INV/1")


def visit(payt, path, **form):
    url = f"{payt.address}{path}"
    answer = requests.post(url, data=form) if form else requests.get(url)
    answer.raise_for_status()
    return answer


@pytest.mark.parametrize(
    ("choice", "open_amount"), [("paid", 0), ("cancelled", 121), ("failed", 121)]
)
def test_a_debtor_pays_or_not(payt, invoice, choice, open_amount):
    bank = visit(payt, f"/i/{invoice['token']}/pay", start="1")
    assert "Simulator" in bank.text
    page = visit(payt, bank.url.removeprefix(payt.address), status=choice)
    assert ("is betaald" in page.text) == (choice == "paid")
    assert invoice["open_amount"] == open_amount


def test_what_a_debtor_types_is_not_run(payt, invoice):
    page = visit(payt, f"/i/{invoice['token']}/comment", text="<script>x</script>")
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text


def test_terms_of_a_plan_add_up(payt, invoice):
    visit(payt, f"/i/{invoice['token']}/plan", terms="6", reason="Te duur")
    (plan,) = payt.state.payment_plans.values()
    assert sum(term["total_amount"] for term in plan["payment_terms"]) == 121
    assert len(plan["payment_terms"]) == 6


def test_an_email_address_is_passed_on(payt, invoice):
    debtor = payt.state.debtors[invoice["debtor_id"]]
    visit(payt, f"/d/{debtor['token']}/email", email="nieuw@example.com")
    assert debtor["debtor_provided_email_address"] == "nieuw@example.com"


def test_paying_everything_splits_the_transaction(payt, client, invoice):
    samples.load(client, "2", amount="10.00")
    debtor = payt.state.debtors[invoice["debtor_id"]]
    bank = visit(payt, f"/d/{debtor['token']}/pay", start="1")
    visit(payt, bank.url.removeprefix(payt.address), status="paid")
    assert all(not row["open_amount"] for row in payt.state.invoices.values())
    parts = [str(row["total_amount"]) for row in payt.state.payments.values()]
    assert sorted(parts) == ["10.00", "121.00"]


def test_a_pushed_open_amount_can_reopen_a_paid_invoice(payt, client, invoice):
    """The trap that the connector must avoid has to exist here."""
    payt.control_pay({"invoice_number": "INV/1"})
    assert not invoice["open_amount"]
    patch = {"invoice_number": "INV/1", "amount_open": "121.00"}
    client.patch_invoices([{**patch, "book_amount_open": "121.00"}])
    assert invoice["open_amount"] == 121


def test_the_collector_finds_a_bank_payment(payt, invoice):
    visit(payt, f"/beheer/{invoice['id']}/bank", start="1")
    assert not invoice["open_amount"]
    (payment,) = payt.state.payments.values()
    assert payment["bank_transaction"]["amount"] == 121


def test_everything_is_kept_between_two_starts(payt, client, invoice, tmp_path):
    payt.control_pay({"invoice_number": "INV/1"})
    payt.save(tmp_path / "state")
    payt.reset()
    assert not payt.state.invoices
    payt.load(tmp_path / "state")
    stored = payt.state.find("invoices", invoice_number="INV/1")
    assert not stored["open_amount"]
    assert payt.state.new_id() not in payt.state.payments


def test_unknown_pages_are_not_found(payt):
    for path in ("/i/none", "/d/none", "/nothing", "/bank/1"):
        assert requests.get(payt.address + path).status_code == 404


@pytest.fixture
def inbox():
    """A receiver of webhooks: a list of (headers, body)."""
    received = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.headers, body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_details):
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield received, f"http://127.0.0.1:{server.server_address[1]}/hook"
    server.shutdown()


def test_webhooks_are_signed_over_the_raw_body(payt, invoice, inbox):
    received, url = inbox
    subscriptions = [{"url": url, "secret": "s3"}]
    payt.webhooks.configure({"subscriptions": subscriptions, "duplicates": 1})
    payt.control_pay({"invoice_number": "INV/1"})
    assert all(made["status"] == 200 for made in payt.webhooks.flush())
    for headers, body in received:
        expected = hmac.new(b"s3", body, hashlib.sha256).hexdigest()
        assert headers["X-PAYT-SIGNATURE"] == expected
    names = [json.loads(body)["event"]["event_name"] for _headers, body in received]
    assert names.count("psp_transaction_successful") == 2
    deliveries = {headers["X-PAYT-DELIVERY"] for headers, _body in received}
    assert len(deliveries) == len(received)
