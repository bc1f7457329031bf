"""The client against the simulator: answers, refusals, and every kind of trouble."""

import logging
import threading
from datetime import UTC, datetime, timedelta

import pytest
import samples
from hypothesis import given
from hypothesis import strategies as st
from payt_client import (
    BulkResult,
    ClientCredentialsTokens,
    MemoryTokenStore,
    PaytAuthError,
    PaytClient,
    PaytConnectionError,
    PaytNotFoundError,
    PaytPermissionError,
    PaytProtocolError,
    PaytRateLimitError,
    PaytServerError,
    PaytUnclearOutcomeError,
    PaytUploadExpiredError,
    PaytValidationError,
    RefreshTokens,
    SpacedLimiter,
    StaticToken,
    TokenState,
    authorize_url,
    exchange_code,
    file_checksum,
)
from payt_server.oauth import CLIENT_ID, CLIENT_SECRET, STATIC_TOKEN


def test_an_invoice_arrives_with_its_pdf(payt, client):
    client.upsert_contacts([samples.contact()])
    client.upsert_debtors([samples.debtor()])
    checksum = samples.upload_pdf(client)
    document = {"checksum": checksum, "filename": "INV-1.pdf"}
    result = client.upsert_invoices([samples.invoice(document=document)])
    assert (result.count, result.errors) == (1, {})
    stored = payt.state.find("invoices", invoice_number="INV/1")
    assert payt.state.files[stored["checksum"]] == samples.PDF
    assert str(stored["open_amount"]) == "121.00"


def test_a_known_file_is_not_uploaded_again(payt, client):
    samples.upload_pdf(client)
    samples.upload_pdf(client)
    assert payt.counts["PUT upload"] == 1


def test_sending_twice_changes_nothing(payt, client):
    for _round in range(2):
        samples.load(client, "1")
    assert len(payt.state.invoices) == len(payt.state.debtors) == 1
    assert len(payt.state.contacts) == 1


def test_all_pages_are_read(payt, client):
    client._page_size = 2
    samples.load(client, *"12345")
    rows = list(client.iterate("invoices", fields=["id", "invoice_number"]))
    assert [row["invoice_number"] for row in rows] == [f"INV/{n}" for n in "12345"]
    assert payt.counts["GET /v1/invoices"] == 3


def test_only_what_changed_is_read(payt, client):
    samples.load(client, "1", "2")
    seen = max(row["updated_at"] for row in payt.state.invoices.values())
    assert not list(client.iterate("invoices", updated_after=seen))
    payt.control_phase({"invoice_number": "INV/2", "phase": "reminder_1"})
    changed = list(client.iterate("invoices", updated_after=seen))
    assert [row["invoice_number"] for row in changed] == ["INV/2"]


def test_a_repeating_cursor_is_an_error_not_an_endless_loop(payt, client):
    client._page_size = 1
    samples.load(client, "1", "2")
    payt.faults.add({"kind": "repeat_cursor", "times": 99})
    with pytest.raises(PaytProtocolError, match="repeats"):
        list(client.iterate("invoices"))


# ------------------------------------------------------------------------- trouble


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "rate_limit"},
        {"kind": "server_error", "status": 503},
        {"kind": "bad_gateway"},
        {"kind": "cut_before"},
        {"kind": "cut_after"},
        {"kind": "error_after"},
        {"kind": "slow", "seconds": 1.3},
    ],
    ids=lambda fault: fault["kind"],
)
def test_a_repeatable_call_survives_passing_trouble(payt, client, naps, fault):
    samples.load(client, "1")
    payt.faults.add({"operation": "POST /v1/invoices", **fault})
    result = client.upsert_invoices([samples.invoice("2")])
    assert not result.errors
    assert len(payt.state.invoices) == 2
    assert payt.counts["POST /v1/invoices"] == 3
    assert naps == [1.0]


def test_pauses_double_and_then_the_error_is_raised(payt, client, naps):
    payt.faults.add({"kind": "server_error", "times": 99})
    with pytest.raises(PaytServerError) as caught:
        client.administrations()
    assert naps == [1.0, 2.0, 4.0]
    assert caught.value.transient


def test_jitter_moves_the_pause_by_half(payt, client, naps):
    client._jitter = iter([0.0, 0.999, 0.5]).__next__
    payt.faults.add({"kind": "server_error", "times": 3})
    client.administrations()
    assert naps == pytest.approx([0.5, 2.998, 4.0])


def test_retry_after_in_seconds_is_honoured(payt, client, naps):
    payt.faults.add({"kind": "rate_limit", "retry_after": 7})
    client.administrations()
    assert naps == [7.0]


def test_retry_after_as_a_date_is_honoured(payt, client, naps):
    moment = datetime.now(UTC) + timedelta(seconds=9)
    date = moment.strftime("%a, %d %b %Y %H:%M:%S GMT")
    payt.faults.add({"kind": "rate_limit", "retry_after": date})
    client.administrations()
    assert 7 < naps[0] <= 9


def test_a_long_retry_after_is_left_to_the_caller(payt, client, naps):
    payt.faults.add({"kind": "rate_limit", "retry_after": 300})
    with pytest.raises(PaytRateLimitError) as caught:
        client.administrations()
    assert caught.value.retry_after == 300
    assert naps == []


def test_a_long_retry_after_holds_for_every_worker(payt, naps):
    now = [100.0]
    limiter = SpacedLimiter(10, clock=lambda: now[0])
    workers = [
        PaytClient(
            payt.address,
            "7001",
            StaticToken(STATIC_TOKEN),
            limiter=limiter,
            sleep=naps.append,
        )
        for _number in range(2)
    ]
    payt.faults.add({"kind": "rate_limit", "retry_after": 300})
    for worker in workers:
        with pytest.raises(PaytRateLimitError) as caught:
            worker.administrations()
        assert caught.value.retry_after == pytest.approx(300, abs=1)
    # The second one did not even ask, and nobody slept for minutes.
    assert payt.counts["GET /v1/administrations"] == 1
    assert naps == []
    now[0] += 301
    assert workers[1].administrations()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, PaytValidationError),
        (404, PaytNotFoundError),
        (422, PaytValidationError),
        (301, PaytProtocolError),
    ],
)
def test_a_refusal_is_not_repeated(payt, client, naps, status, error):
    payt.faults.add({"kind": "server_error", "status": status})
    with pytest.raises(error) as caught:
        client.upsert_invoices([samples.invoice()])
    assert not caught.value.transient
    assert naps == []


def test_a_missing_permission_is_named(payt, client):
    payt.faults.add({"kind": "missing_scope", "scope": "messages:write"})
    with pytest.raises(PaytPermissionError) as caught:
        client.administrations()
    assert caught.value.scope == "messages:write"


def test_an_empty_answer_is_fine(payt, client):
    samples.load(client, "1")
    payt.faults.add({"kind": "empty", "operation": "POST /v1/invoices"})
    result = client.upsert_invoices([samples.invoice("2")])
    assert (result.count, result.errors) == (None, {})
    assert len(payt.state.invoices) == 2


@pytest.mark.parametrize("kind", ["cut_after", "error_after", "slow"])
def test_a_message_with_unclear_outcome_is_not_sent_again(payt, client, naps, kind):
    samples.load(client, "1")
    payt.faults.add(
        {"kind": kind, "operation": "POST /v1/messages", "seconds": 1.3, "times": 9}
    )
    with pytest.raises(PaytUnclearOutcomeError) as caught:
        client.send_message(
            {"invoice_identifier": "db-invoice-1"}, {"subject": "a", "body": "b"}
        )
    assert not caught.value.transient
    assert payt.counts["POST /v1/messages"] == 1
    assert naps == []


def test_a_message_that_was_refused_for_speed_is_sent_once(payt, client):
    samples.load(client, "1")
    payt.faults.add({"kind": "rate_limit", "operation": "POST /v1/messages"})
    client.send_message(
        {"invoice_identifier": "db-invoice-1"}, {"subject": "a", "body": "b"}
    )
    assert len(payt.state.messages) == 1


def test_a_server_that_is_not_there_is_a_passing_trouble_for_messages_too(naps):
    client = PaytClient(
        "http://127.0.0.1:9", "7001", StaticToken("t"), sleep=naps.append, attempts=2
    )
    with pytest.raises(PaytConnectionError):
        client.send_message({"invoice_identifier": "x"}, {"subject": "a", "body": "b"})
    assert len(naps) == 1


def test_an_expired_upload_address_is_told_apart(payt, client):
    payt.faults.add({"kind": "expired_upload", "operation": "PUT upload"})
    with pytest.raises(PaytUploadExpiredError):
        samples.upload_pdf(client)
    samples.upload_pdf(client)
    assert payt.state.files


def test_the_upload_does_not_carry_our_token(payt, client):
    # The simulator refuses an upload with an Authorization header, as S3 does.
    samples.upload_pdf(client)
    assert file_checksum(samples.PDF) in payt.state.files


def test_ids_as_numbers_do_not_break_paging(payt, client):
    client._page_size = 1
    samples.load(client, "1", "2")
    payt.faults.add({"kind": "int_ids", "times": 9})
    rows = list(client.iterate("invoices", fields=["id"]))
    assert [type(row["id"]) for row in rows] == [int, int]


# ---------------------------------------------------------------- per-record errors


@pytest.mark.parametrize("kind", ["partial", "partial_not_found"])
def test_one_refused_record_does_not_hide_the_others(payt, client, kind):
    samples.load(client, "1")
    payt.faults.add({"kind": kind, "operation": "POST /v1/invoices", "only": ["INV/3"]})
    result = client.upsert_invoices([samples.invoice(number) for number in "234"])
    names = {f"INV/{number}": int(number) for number in "234"}
    outcome = result.attribute(names)
    assert list(outcome.errors) == [3]
    assert not outcome.unmapped
    assert {row["invoice_number"] for row in payt.state.invoices.values()} == {
        "INV/1",
        "INV/2",
        "INV/4",
    }


def test_an_error_that_names_no_record_is_reported_as_such(payt, client):
    samples.load(client)
    payt.faults.add({"kind": "unmapped_error", "operation": "POST /v1/invoices"})
    result = client.upsert_invoices([samples.invoice("1")])
    outcome = result.attribute({"INV/1": 1})
    assert not outcome.errors
    assert outcome.unmapped == [
        "internal: Something went wrong with one of the records"
    ]


def test_odd_error_shapes_are_read():
    result = BulkResult.from_payload(
        {"count": 1, "errors": {"A": "text", "B": ["one", "two"]}, "warnings": None}
    )
    outcome = result.attribute({"A": 1, "B": 2})
    assert outcome.errors == {1: ["text"], 2: ["one", "two"]}
    assert BulkResult.from_payload({"errors": ["x"]}).attribute({}).unmapped


def test_a_warning_belongs_to_its_record(payt, client):
    samples.load(client, "1")
    changed = samples.invoice("1", due_date="2027-01-01")
    outcome = client.upsert_invoices([changed]).attribute({"INV/1": 1})
    assert outcome.warnings == {1: ["due_date cannot be changed"]}


# --------------------------------------------------------------------------- login


def oauth_client(payt, provider, naps):
    return PaytClient(payt.address, "7001", provider, sleep=naps.append)


def test_a_wrong_static_token_fails_at_once(payt, naps):
    with pytest.raises(PaytAuthError):
        oauth_client(payt, StaticToken("wrong"), naps).administrations()
    assert payt.counts["GET /v1/administrations"] == 1


def test_client_credentials_are_fetched_once(payt, naps):
    provider = ClientCredentialsTokens(
        f"{payt.address}/oauth/token", CLIENT_ID, CLIENT_SECRET, MemoryTokenStore()
    )
    client = oauth_client(payt, provider, naps)
    client.administrations()
    client.administrations()
    assert payt.counts["POST /oauth/token"] == 1


def consented(payt):
    url, state = authorize_url(payt.address, CLIENT_ID, "http://odoo/back")
    assert state in url
    payt.oauth.codes["code"] = "http://odoo/back"
    return exchange_code(
        f"{payt.address}/oauth/token",
        (CLIENT_ID, CLIENT_SECRET),
        "code",
        "http://odoo/back",
    )


def refresh_provider(payt, store):
    return RefreshTokens(f"{payt.address}/oauth/token", CLIENT_ID, CLIENT_SECRET, store)


def test_a_consent_becomes_a_token(payt, naps):
    store = MemoryTokenStore(consented(payt))
    client = oauth_client(payt, refresh_provider(payt, store), naps)
    assert client.administrations()
    assert payt.counts["POST /oauth/token"] == 1


def test_an_expired_token_is_renewed_and_the_rotated_one_kept(payt, naps):
    store = MemoryTokenStore(consented(payt))
    client = oauth_client(payt, refresh_provider(payt, store), naps)
    for _round in range(3):
        payt.faults.add(
            {"kind": "token_expired", "operation": "GET /v1/administrations"}
        )
        assert client.administrations()
    assert store.state.refresh_token == payt.oauth.refresh_token
    assert payt.counts["POST /oauth/token"] == 4


def test_a_token_about_to_expire_is_renewed_beforehand(payt, naps):
    payt.oauth.seconds = 60
    store = MemoryTokenStore(consented(payt))
    client = oauth_client(payt, refresh_provider(payt, store), naps)
    payt.oauth.seconds = 7200
    client.administrations()
    assert payt.counts["GET /v1/administrations"] == 1
    assert payt.counts["POST /oauth/token"] == 2


def test_workers_share_one_refresh(payt):
    state = consented(payt)
    state.access_token = "gone"
    store = MemoryTokenStore(state)
    failures = []

    def work():
        try:
            oauth_client(payt, refresh_provider(payt, store), []).administrations()
        except PaytAuthError as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert payt.counts["POST /oauth/token"] == 2


def test_a_used_refresh_token_ends_in_an_error_a_person_can_act_on(payt, naps):
    consented(payt)
    store = MemoryTokenStore(TokenState("old", "used before", None))
    with pytest.raises(PaytAuthError):
        oauth_client(payt, refresh_provider(payt, store), naps).administrations()


def test_a_token_endpoint_in_trouble_is_passing(payt, naps):
    store = MemoryTokenStore(consented(payt))
    store.state.expires_at = 0
    payt.faults.add({"kind": "server_error", "operation": "POST /oauth/token"})
    with pytest.raises(PaytServerError) as caught:
        oauth_client(payt, refresh_provider(payt, store), naps).administrations()
    assert caught.value.transient


# ----------------------------------------------------------------- limits, secrets


def test_the_limiter_spaces_requests_across_threads():
    now = [100.0]
    limiter = SpacedLimiter(8, clock=lambda: now[0])
    waits = [limiter.reserve() for _number in range(4)]
    assert waits == pytest.approx([0, 0.125, 0.25, 0.375])
    limiter.hold(2)
    assert limiter.reserve() == pytest.approx(2.0)
    now[0] += 10
    assert limiter.reserve() == 0


@given(st.lists(st.floats(0, 0.5), min_size=12, max_size=60))
def test_no_second_holds_more_requests_than_payt_allows(delays):
    """However long the work between two requests takes."""
    now, sent = [0.0], []
    limiter = SpacedLimiter(9.5, clock=lambda: now[0])
    for delay in delays:
        now[0] += delay
        now[0] += limiter.reserve()
        sent.append(now[0])
    for moment in sent:
        assert sum(moment <= other < moment + 1 for other in sent) <= 10


def test_the_client_waits_as_long_as_the_limiter_says(payt, naps):
    limiter = SpacedLimiter(8, clock=lambda: 100.0)
    client = PaytClient(
        payt.address,
        "7001",
        StaticToken(STATIC_TOKEN),
        limiter=limiter,
        sleep=naps.append,
    )
    for _number in range(3):
        client.administrations()
    assert naps == pytest.approx([0.125, 0.25])


def test_no_secret_reaches_the_log(payt, client, caplog):
    caplog.set_level(logging.DEBUG, logger="payt_client")
    payt.faults.add({"kind": "server_error", "times": 2})
    samples.load(client, "1")
    samples.upload_pdf(client)
    payt.faults.add({"kind": "cut_before", "operation": "PUT upload", "times": 9})
    with pytest.raises(PaytConnectionError) as caught:
        samples.upload_pdf(client, b"%PDF another")
    assert caught.value.__suppress_context__
    texts = [record.getMessage() for record in caplog.records] + [str(caught.value)]
    assert texts
    for text in texts:
        assert STATIC_TOKEN not in text
        assert "/uploads/" not in text
        assert "example.com" not in text
    assert "simulator" not in repr(TokenState("simulator", "simulator"))


def test_the_user_agent_names_the_connector_and_its_version(client):
    assert client._session.headers["User-Agent"] == "onergy_payt/19.0.1.0.0 (Odoo)"


def test_attachments_go_along_as_parts(payt, client):
    samples.load(client, "1")
    client.send_message(
        {"invoice_identifier": "db-invoice-1"},
        {"subject": "Bijlage", "body": "Zie de brief – graag lezen"},
        [("brief.pdf", samples.PDF, "application/pdf")],
    )
    (message,) = payt.state.messages.values()
    assert message["content"] == "Zie de brief – graag lezen"
    assert message["attachments"] == ["brief.pdf"]
    assert payt.state.attachments["brief.pdf"] == samples.PDF


def test_an_impatient_client_tries_once(payt, client, naps):
    payt.faults.add({"kind": "server_error", "times": 2})
    with pytest.raises(PaytServerError):
        client.impatient().administrations()
    assert not naps
    assert payt.counts.total() == 1
