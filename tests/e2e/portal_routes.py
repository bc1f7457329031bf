"""The routes of our addons as Odoo knows them, and records to try them with."""

import ast
import re
from contextlib import contextmanager

#: Odoo's own pages that we changed: Odoo's tests know who may open them.
ODOO_PAGES = re.compile(r"/my(/home|/account|/address.*)?$")
#: Staff's: no resident gets anything there.
STAFF = ("/onergy/letters/", "/onergy/metering/export/", "/payt/oauth")
#: What to fill in where a route has something to choose.
EXAMPLES = {
    "<int:move_id>/<string:step>": "{move}/date",
    "/my/bill/<int:move_id>": "/my/bill/{bill}",
    "<int:move_id>": "{move}",
    "<int:grant_id>": "{grant}",
    "<int:sheet_id>": "{sheet}",
    "<int:overview_id>": "{overview}",
    "<int:request_id>": "{question}",
    "<int:notice_id>": "{notice}",
    "<int:message_id>/<int:file_id>": "{message}/{file}",
    "<int:wizard_id>": "{wizard}",
    "<int:export_id>": "{export}",
    "<int:page>": "1",
    "<string:kind>": "csv",
    "<string:key>": "wrong",
}
#: Records of the resident of the demo, and of staff; ``found`` holds their ids.
RECORDS = """
import base64
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42"
    "mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==")
partner = env["res.users"].search([("login", "=", %r)]).partner_id
contract = env["onergy.contract"].search(
    [("partner_id", "=", partner.id), ("state", "=", "running")], order="id", limit=1)
mine = [("contract_id", "=", contract.id)]
open_bills = [("move_id.onergy_contract_id", "=", contract.id),
    ("move_id.move_type", "=", "out_invoice"),
    ("move_id.payment_state", "=", "not_paid"), ("status", "!=", "plan")]
file = env["ir.attachment"].create({"name": "brief.txt", "raw": b"Geheim"})
message = env["payt.message"].create({
    "connection_id": env["payt.connection"].search([], limit=1).id,
    "debtor_id": env["payt.debtor"].search([("partner_id", "=", partner.id)],
        limit=1).id, "kind": "out", "subject": "Brief",
    "attachment_ids": [(6, 0, file.ids)]})
file.write({"res_model": message._name, "res_id": message.id})
question = env["onergy.request"].create({"subject": "Koud",
    "partner_id": partner.id, "contract_id": contract.id})
question_file = question._create_attachments([("foto.png", PIXEL)])
question.attachment_ids = question_file
contract.message_post(body="Foto", attachments=[("meter.png", PIXEL)])
found = {
    "partner": partner, "contract": contract,
    "bill": env["account.move"].search([("partner_id", "=", partner.id),
        ("onergy_move_kind", "=", "settlement"), ("state", "=", "posted")], limit=1),
    "move": env["onergy.move"].create({"contract_id": contract.id,
        "kind": "move_out", "date_end": "2027-03-31"}),
    "grant": env["onergy.access.grant"].create({"contract_id": contract.id,
        "name": "Kind", "email": "kind@example.com",
        "partner_id": env["res.partner"].create({"name": "Kind"}).id}),
    "sheet": env["onergy.move.sheet"].create(
        {"name": "woningen.xlsx", "partner_id": partner.id}),
    "overview": env["onergy.month.overview"].search(mine, limit=1),
    "question": question,
    "notice": env["payt.invoice"].search(open_bills, limit=1),
    "message": message, "file": file, "question_file": question_file,
    "wizard": env["onergy.access.invite"].create({}),
    "export": env["onergy.metering.export"].create({}),
}
print("RECORDS", {name: record.id for name, record in found.items()})
MADE = ("move", "grant", "sheet", "question", "message", "file", "export", "wizard")
print("MADE", [(found[name]._name, found[name].id) for name in MADE])
"""
ROUTES = """
print("ROUTES", [
    (rule.rule, rule.endpoint.routing["auth"],
     sorted(rule.endpoint.routing.get("methods") or ["GET", "POST"]))
    for rule in env["ir.http"].routing_map().iter_rules()
    if rule.endpoint.func.__module__.startswith("odoo.addons.onergy_")])
"""
REMOVE = """
for model, record in %r:
    env[model].browse(record).exists().unlink()
"""


def told(site, code, word):
    """What the code prints after ``word``, as Python."""
    return ast.literal_eval(re.search(rf"^{word} (.*)$", site.python(code), re.M)[1])


@contextmanager
def records_of_resident(site):
    """Records of the resident of the demo by name; what was made is removed again."""
    printed = site.python(RECORDS % site.logins["resident"][0])
    found, made = (
        ast.literal_eval(re.search(rf"^{word} (.*)$", printed, re.M)[1])
        for word in ("RECORDS", "MADE")
    )
    try:
        yield found
    finally:
        site.python(REMOVE % (made,))


def find_routes(site):
    """(rule, auth, methods) of each route of our addons."""
    found = [
        route
        for route in told(site, ROUTES, "ROUTES")
        if not ODOO_PAGES.match(route[0])
    ]
    assert len(found) > 50
    return found


def fill(rule, records):
    """The rule as an address with records of the resident in it."""
    for pattern, example in EXAMPLES.items():
        rule = rule.replace(pattern, example)
    assert "<" not in rule, f"EXAMPLES knows nothing to try for {rule}"
    return rule.format_map(records)
