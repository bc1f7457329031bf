"""What we send and accept, against our schema and against Payt's own description.

Payt's OpenAPI document is not ours to ship. When it lies beside the project the
comparison runs; without it only our own schema is used.
"""

import json
from datetime import datetime
from pathlib import Path

import jsonschema
import pytest
import samples
from payt_server import schema

OPENAPI = Path(__file__).resolve().parents[2].parent / "shared/payt/openapi3.json"
PREFIX = "#/components/"
# Fields whose type Payt describes differently from how it writes them elsewhere, or
# where its document shows one object for what is a list.
LIST_ANSWERS = {"POST /v1/files"}


@pytest.fixture(scope="module")
def openapi():
    if not OPENAPI.exists():
        pytest.skip("Payt's openapi3.json is not beside the project")
    return json.loads(OPENAPI.read_text())


def resolve(openapi, node):
    """Inline references, wherever they are."""
    if isinstance(node, list):
        return [resolve(openapi, item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = openapi["components"]
        for part in node["$ref"].removeprefix(PREFIX).split("/"):
            target = target[part]
        return resolve(openapi, target)
    return {key: resolve(openapi, value) for key, value in node.items()}


def payt_operation(openapi, operation):
    method, path = operation.split(" ")
    return resolve(openapi, openapi["paths"][path][method.lower()])


def payt_body(spec, form):
    content = spec["requestBody"]["content"]
    kind = "application/x-www-form-urlencoded" if form else "application/json"
    return content[kind]["schema"]


def payt_answer(spec):
    for status in ("200", "201"):
        answer = spec["responses"].get(status)
        if answer and answer.get("content"):
            return answer["content"]["application/json"]["schema"]
    return None


def unwrap(node):
    return unwrap(node["allOf"][0]) if "allOf" in node else node


def differences(ours, theirs, path, direction):
    """Yield what our schema says that Payt's does not.

    :param direction: ``send``: whatever Payt demands we must always send;
        ``accept``: whatever we rely on Payt must promise
    """
    theirs = unwrap(theirs)
    if ours.get("type") == "array":
        if theirs.get("type") != "array":
            yield f"{path}: Payt has no list here"
            return
        yield from differences(ours["items"], theirs["items"], f"{path}[]", direction)
    elif "properties" in ours:
        yield from object_differences(ours, theirs, path, direction)
    elif "type" in ours and ours["type"] != theirs.get("type"):
        yield f"{path}: {ours['type']} here, {theirs.get('type')} at Payt"


def object_differences(ours, theirs, path, direction):
    known = theirs.get("properties", {})
    mine, demanded = set(ours.get("required", [])), set(theirs.get("required", []))
    if direction == "send" and demanded - mine:
        yield f"{path}: Payt demands {sorted(demanded - mine)}"
    if direction == "accept" and mine - demanded:
        yield f"{path}: Payt does not promise {sorted(mine - demanded)}"
    for name, ours_below in ours["properties"].items():
        if name not in known:
            yield f"{path}.{name}: unknown at Payt"
        else:
            yield from differences(ours_below, known[name], f"{path}.{name}", direction)


@pytest.mark.parametrize("operation", schema.OPERATIONS)
def test_our_schema_says_what_payt_says(openapi, operation):
    spec = payt_operation(openapi, operation)
    ours = schema.OPERATIONS[operation]
    found = []
    body = schema.body_schema(operation)
    if body is not None:
        theirs = payt_body(spec, "form" in ours)
        found += differences(body, theirs, "body", "send")
    answer = schema.answer_schema(operation)
    if answer is not None:
        theirs = payt_answer(spec)
        if operation in LIST_ANSWERS:
            answer = answer["items"]
        found += differences(answer, theirs, "answer", "accept")
    parameters = {
        parameter["name"]: parameter.get("required", False)
        for parameter in spec.get("parameters", [])
        if parameter["in"] == "query"
    }
    mine = ours.get("query", [])
    unknown = {name.rstrip("!") for name in mine} - set(parameters)
    demanded = {name for name, required in parameters.items() if required}
    missing = demanded - {name[:-1] for name in mine if name.endswith("!")}
    assert (found, unknown, missing) == ([], set(), set())


# ------------------------------------------------------- a conversation, call by call


def hold_conversation(payt, client):
    """Make every call that the connector makes at least once."""
    client.administrations()
    client.upsert_contacts([samples.contact()])
    client.upsert_debtors([samples.debtor()])
    checksum = samples.upload_pdf(client)
    document = {"checksum": checksum, "filename": "1.pdf"}
    client.upsert_invoices(
        [samples.invoice("1", document=document), samples.invoice("2")]
    )
    client.upsert_invoices([samples.invoice("3", "-10.00")])
    client.upsert_vat_rates([samples.VAT_RATE])
    client.upsert_invoices([samples.invoice("4", invoice_lines=[samples.LINE])])
    payt.control_match_bank({"invoice_number": "INV/4", "amount": "20.00"})
    client.patch_invoices(
        [
            {
                "invoice_number": "INV/1",
                "amount_open": "100.00",
                "book_amount_open": "100.00",
            }
        ]
    )
    client.block_invoices(["db-invoice-1", "db-invoice-404"])
    client.resume_invoices(["db-invoice-1"])
    paid = payt.control_pay({"invoice_number": "INV/1"})
    payt.control_take_back({"id": paid["id"], "reversal_code": "MD06"})
    payt.control_phase({"invoice_number": "INV/2", "phase": "debt_collection"})
    payt.control_comment({"invoice_number": "INV/2", "text": "Klopt dit?"})
    client.send_message(
        {"invoice_identifier": "db-invoice-2"}, {"subject": "Ja", "body": "Dat klopt."}
    )
    client.send_message(
        {"debtor_identifier": "db-partner-1"}, {"subject": "Dag", "body": "Hallo."}
    )
    client.send_message(
        {"debtor_identifier": "db-partner-1"},
        {"subject": "Bijlage", "body": "Zie bijlage."},
        [("brief.pdf", samples.PDF, "application/pdf")],
    )
    client.mark_messages_read(list(payt.state.messages))
    terms = [{"amount": 60.5, "due_date": "2026-12-31"}]
    plan = client.create_plan(terms, ["db-invoice-2"])
    for decision in ("deactivate", "approve", "reject"):
        client.decide_plan(plan["id"], decision)
    mandate = {
        "bank_account_name": "Bewoner 1",
        "bank_account_number": "NL02ABNA0123456789",
        "provider_code": "twikey",
        "mandate_reference": "M-1",
        "debtor_code": "D1",
    }
    client.create_mandates([mandate])
    add_what_only_payt_makes(payt)
    read_everything(client)
    client.delete_mandates(["M-1"])
    list(client.iterate("psp_mandates/deleted", deleted_after=datetime(2026, 1, 1)))


def add_what_only_payt_makes(payt):
    with payt.locked() as state:
        invoice = state.find("invoices", invoice_number="INV/2")
        state.insert(
            "notes",
            {
                "content": "Gebeld",
                "invoice_id": invoice["id"],
                "debtor_id": invoice["debtor_id"],
                "user": {"id": "1", "name": "Sim", "email_address": "s@example.com"},
                "created_at": state.now(),
            },
        )
        gone = state.find("invoices", invoice_number="INV/3")
        state.delete(
            "invoices",
            gone,
            invoice_number="INV/3",
            origin_identifier="db-invoice-3",
            debtor_id=gone["debtor_id"],
        )


def read_everything(client):
    for name, spec in schema.OPERATIONS.items():
        if "page" not in spec or name == "GET /v1/administrations":
            continue
        resource = name.removeprefix("GET /v1/")
        if resource.endswith("/deleted"):
            list(client.iterate(resource, deleted_after=datetime(2026, 1, 1)))
        else:
            list(client.iterate(resource))
            fields = schema.field_names(spec["page"])
            list(client.iterate(resource, fields=fields))


@pytest.fixture
def conversation(payt, client):
    hold_conversation(payt, client)
    return payt.recording


def test_every_call_and_answer_fits_our_schema(conversation):
    used = set()
    for entry in conversation:
        used.add(entry["operation"])
        schema.check_call(entry["operation"], entry["query"], entry["body"])
        schema.check_answer(entry["operation"], entry["status"], entry["answer"])
    assert used == set(schema.OPERATIONS)


def test_every_call_and_answer_fits_payts_own_description(openapi, conversation):
    for entry in conversation:
        operation = entry["operation"]
        spec = payt_operation(openapi, operation)
        allowed = {
            parameter["name"]
            for parameter in spec.get("parameters", [])
            if parameter["in"] == "query"
        }
        assert set(entry["query"]) <= allowed, operation
        if entry["body"] is not None:
            form = entry["content_type"] != "application/json"
            jsonschema.validate(entry["body"], payt_body(spec, form))
        answer = payt_answer(spec)
        if answer is None:
            assert entry["answer"] is None, operation
        elif operation in LIST_ANSWERS:
            for item in entry["answer"]:
                jsonschema.validate(item, answer)
        else:
            jsonschema.validate(entry["answer"], answer)


def test_the_schema_can_refuse(payt, client):
    """A check that never fails would prove nothing."""
    good = {"administration_id": "7001", "invoices": [samples.invoice()]}
    schema.check_call("POST /v1/invoices", {}, good)
    for change in ({"amount_total": "121"}, {"amount_open": 121.0}, {"unknown": "x"}):
        bad = {**good, "invoices": [{**samples.invoice(), **change}]}
        with pytest.raises(jsonschema.ValidationError):
            schema.check_call("POST /v1/invoices", {}, bad)
    with pytest.raises(jsonschema.ValidationError):
        schema.check_call("GET /v1/invoices", {}, None)
    with pytest.raises(jsonschema.ValidationError):
        schema.check_call("DELETE /v1/invoices", {}, None)
