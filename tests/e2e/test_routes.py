"""Every route of ours against everybody who may try it.

The routes are read from Odoo, not from a list kept here: a new one fails until it is
said who may open it without a login, or which record of a resident to try it with.
"""

import re

import pytest
from portal_routes import STAFF, fill, find_routes, records_of_resident, told

#: Opened without a login: what a visitor with nothing but the address gets.
PUBLIC = {
    "/onergy/accessibility": 200,
    "/onergy/activate": 200,
    "/onergy/activate/password": 303,
    "/onergy/contact": 200,
    "/onergy/death": 200,
    # The link of an e-mail: nothing is said or done without its key.
    "/my/onergy-account/email/confirm": 200,
    "/my/requests/<int:request_id>": 303,
    "/my/requests/<int:request_id>/reply": 303,
    "/my/requests/<int:request_id>/close": 303,
    # Machines: a signature, or the key of a user.
    "/payt/webhook/<string:key>": 404,
    "/onergy/metering/push": 401,
}
STRANGER = """
contract = env["onergy.contract"].search([
    ("state", "=", "running"), ("partner_id.user_ids", "=", False),
    ("partner_id.is_company", "=", False)], order="id desc", limit=1)
"""
# Rows of whatever table that hang on the contract or the person, and what is in them.
TRACES = """
env.cr.execute('''
    SELECT table_name, column_name FROM information_schema.columns
      JOIN information_schema.tables USING (table_schema, table_name)
     WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
       AND table_name ~ '^(onergy|payt)_' AND table_name <> 'onergy_access_log'
       AND column_name IN ('contract_id', 'partner_id') ORDER BY 1, 2''')
owner = {"contract_id": %d, "partner_id": %d}
traces = []
for table, column in env.cr.fetchall():
    env.cr.execute(f'''SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text))
        FROM "{table}" t WHERE "{column}" = %%s''', [owner[column]])
    traces.append((table, column, *env.cr.fetchone()))
print("TRACES", traces)
"""


@pytest.fixture(scope="module")
def records(site):
    with records_of_resident(site) as found:
        yield found


@pytest.fixture(scope="module")
def routes(site):
    return find_routes(site)


class Caller:
    """Asks for addresses with the cookies of a visitor, and follows no redirect."""

    def __init__(self, person):
        self.http, self.site = person.context.request, person.site
        self.token = ""

    def get(self, path):
        return self.http.get(self.site.address + path, max_redirects=0, timeout=120000)

    def post(self, path, **values):
        if not self.token:
            page = self.http.get(self.site.address + "/my/requests/new").text()
            self.token = re.search(r'name="csrf_token"\s+value="([^"]+)"', page)[1]
        return self.http.post(
            self.site.address + path,
            form={**values, "csrf_token": self.token},
            max_redirects=0,
            timeout=120000,
        )


def test_without_a_login(site, visitor, routes, records):
    caller = Caller(visitor())
    wrong = []
    for rule, auth, methods in routes:
        path = fill(rule, records)
        answer = caller.get(path) if "GET" in methods else None
        if auth != "user":
            assert rule in PUBLIC, f"{rule} is open to everybody: say why in PUBLIC"
            if answer and answer.status != PUBLIC[rule]:
                wrong.append((rule, answer.status))
        elif answer and (
            answer.status != 303 or "/web/login" not in answer.headers["location"]
        ):
            wrong.append((rule, answer.status))
    assert not wrong


def test_another_resident_reads_nothing(site, visitor, routes, records):
    """His own pages open; a record of somebody else does not, on any route."""
    login = site.make_resident("vreemde@example.com", "contract.partner_id", STRANGER)
    stranger, owner = visitor(), visitor()
    stranger.login(*login)
    owner.login(*site.logins["resident"])
    name = site.value(f"env['res.partner'].browse({records['partner']}).name")
    stranger, owner = Caller(stranger), Caller(owner)
    wrong = []
    for rule, auth, methods in routes:
        if "GET" not in methods or rule in ("/payt/webhook/<string:key>",):
            continue
        path = fill(rule, records)
        personal = "<int:" in rule and "<int:page>" not in rule
        answers = [stranger.get(path)]
        if not personal and auth == "user":
            # The same page, asked for the home of the other.
            answers.append(stranger.get(f"{path}?contract_id={records['contract']}"))
        for answer in answers:
            refused = answer.status in (303, 403, 404)
            if (personal or path.startswith(STAFF)) and not refused:
                wrong.append((rule, answer.status, answer.url))
            if answer.ok and name in answer.text():
                wrong.append((rule, "shows", name))
        if personal and not path.startswith(STAFF):
            # Else the example proves nothing.
            assert owner.get(path).status == 200, path
        elif path.startswith(STAFF):
            assert owner.get(path).status in (303, 403, 404), path
    assert not wrong


def test_another_resident_changes_nothing(site, visitor, routes, records):
    login = site.make_resident("andere@example.com", "contract.partner_id", STRANGER)
    person = visitor()
    person.login(*login)
    caller = Caller(person)
    look = TRACES % (records["contract"], records["partner"])
    before = told(site, look, "TRACES")
    assert sum(row[2] for row in before) > 20
    wrong = []
    for rule, auth, methods in routes:
        if "POST" not in methods or auth not in ("user", "public"):
            continue
        if rule in PUBLIC and "<int:" not in rule:
            continue
        answer = caller.post(
            fill(rule, records),
            contract_id=str(records["contract"]),
            text="Van een ander",
            description="Van een ander",
            subject="Van een ander",
        )
        if answer.status >= 500:
            wrong.append((rule, answer.status))
    assert not wrong
    assert told(site, look, "TRACES") == before


FILES = """
print("FILES", env["ir.attachment"].search([
    "|", ("res_model", "=like", "onergy.%"), ("res_model", "=like", "payt.%"),
    ("res_field", "in", [False, "photo", "scan", "signed_form"])]).ids)
"""


def test_files_of_another(site, visitor, records):
    """Photos, scans and letters: no other resident gets one, nor a visitor."""
    files = told(site, FILES, "FILES")
    assert records["question_file"] in files and len(files) >= 3
    login = site.make_resident("derde@example.com", "contract.partner_id", STRANGER)
    stranger, owner, nobody = visitor(), visitor(), Caller(visitor())
    stranger.login(*login)
    owner.login(*site.logins["resident"])
    stranger, owner = Caller(stranger), Caller(owner)
    got = [
        (file, who)
        for file in files
        for who, caller in (("stranger", stranger), ("nobody", nobody))
        if caller.get(f"/web/content/{file}").ok
    ]
    assert not got
    # The page of the question links to it with its key: else nobody could read it.
    token = site.value(
        f"env['ir.attachment'].browse({records['question_file']}).access_token"
    )
    path = f"/web/content/{records['question_file']}"
    assert owner.get(f"{path}?access_token={token}").ok
    assert not stranger.get(f"{path}?access_token={token[:-1]}x").ok


def test_pages_of_residents_are_in_no_frame_and_on_no_list(
    site, visitor, routes, records
):
    """Each of them, by what their addresses have in common and not one by one."""
    owner = visitor()
    owner.login(*site.logins["resident"])
    caller, wrong, pages = Caller(owner), [], 0
    for rule, _auth, methods in routes:
        if "GET" not in methods or not rule.startswith("/my"):
            continue
        answer = caller.get(fill(rule, records))
        if not answer.ok or "text/html" not in answer.headers.get("content-type", ""):
            continue
        pages += 1
        told = [
            answer.headers.get(name, "")
            for name in ("x-robots-tag", "x-frame-options", "content-security-policy")
        ]
        if told != ["noindex, nofollow", "SAMEORIGIN", "frame-ancestors 'self'"]:
            wrong.append((rule, *told))
    assert pages > 20
    assert not wrong
