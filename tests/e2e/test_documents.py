"""The paper side: letters with codes and long invoices, as PDF over real HTTP."""

import io
import re
import subprocess

from pypdf import PdfReader

PREPARE_LETTERS = """
manager = env["res.users"].search([("login", "=", {login!r})])
partners = env["onergy.contract"].search(
    [("state", "=", "running"), ("role", "=", "owner_occupier"),
     ("partner_id.user_ids", "=", False)], limit=3).partner_id
wizard = env["onergy.access.invite"].with_user(manager).create(
    {{"partner_ids": partners.ids, "delivery": "letter"}})
action = wizard.action_invite()
"""
VERIFY = "bool(env['onergy.access.code']._verify({login!r}, {code!r}, '192.0.2.1'))"
LONG_INVOICE = """
partner = env["res.users"].search([("login", "=", {login!r})]).partner_id
sample = env["account.move"].search(
    [("move_type", "=", "out_invoice"), ("invoice_line_ids.tax_ids", "!=", False)],
    limit=1).invoice_line_ids[0]
move = env["account.move"].create({{
    "move_type": "out_invoice", "partner_id": partner.id,
    "invoice_line_ids": [
        (0, 0, {{"name": f"Regel {{number:03d}}", "price_unit": 1.0,
                 "tax_ids": sample.tax_ids.ids, "account_id": sample.account_id.id}})
        for number in range(1, 161)],
}})
move.action_post()
"""


def pdf_text(response):
    assert response.ok, f"HTTP {response.status}"
    assert response.headers["content-type"].startswith("application/pdf")
    return [
        page.extract_text() for page in PdfReader(io.BytesIO(response.body())).pages
    ]


def keep_picture(response, artifacts, name):
    """Render the first page for a person to look at, where poppler is there."""
    path = artifacts / f"{name}.pdf"
    path.write_bytes(response.body())
    try:
        subprocess.run(
            ["pdftoppm", "-png", "-r", "70", "-l", "2", path, artifacts / name],
            check=True,
        )
    except FileNotFoundError:
        return


def test_letters_carry_codes_that_work(site, visitor, artifacts):
    manager = visitor()
    login, password = site.logins["manager"]
    manager.login(login, password)
    (url,) = site.values("action['url']", given=PREPARE_LETTERS.format(login=login))
    response = manager.context.request.get(site.address + url)
    pages = pdf_text(response)
    keep_picture(response, artifacts, "brief")
    assert len(pages) == 3, "one page for each resident"
    for text in pages:
        code = re.search(r"\b[0-9A-Z]{4}(?:[-\s][0-9A-Z]{4}){3}\b", text)[0]
        name = re.search(r"Inlognaam\W*(\d+)", text)[1]
        assert site.value(VERIFY.format(login=name, code=code)) == "True"
    again = manager.context.request.get(site.address + url)
    assert again.status == 410, "codes are printed once"


def test_a_long_invoice_prints_to_its_last_line(site, visitor, artifacts):
    login, password = site.logins["resident"]
    (move,) = site.values("move.id", given=LONG_INVOICE.format(login=login))
    resident = visitor()
    resident.login(login, password)
    response = resident.context.request.get(
        f"{site.address}/my/invoices/{move}?report_type=pdf&download=true"
    )
    pages = pdf_text(response)
    keep_picture(response, artifacts, "factuur")
    assert len(pages) >= 5
    assert "Regel 001" in pages[0]
    assert "Regel 160" in pages[-1] or "Regel 160" in pages[-2]
    for number, text in enumerate(pages, 1):
        assert re.search(rf"{number}\s*/\s*{len(pages)}\b", text), f"page {number}"


def test_another_residents_invoice_stays_closed(site, visitor):
    (move,) = site.values(
        "move.id", given=LONG_INVOICE.format(login=site.logins["resident"][0])
    )
    other = visitor()
    other.login(*site.logins["past resident"])
    response = other.context.request.get(
        f"{site.address}/my/invoices/{move}?report_type=pdf&download=true"
    )
    assert not response.headers["content-type"].startswith("application/pdf")
    assert response.url.rstrip("/").endswith("/my")


BILLS = """
bills = env["onergy.settlement"].search(
    [("state", "=", "posted"), ("original_id", "=", False)], order="id")
by_tariff = bills.filtered(lambda s: s.complex_id.regime == "warmtewet")
year = by_tariff.filtered(lambda s: s.part == "all" and len(s.line_ids) > 6)[0]
moved = by_tariff.filtered(lambda s: s.is_final and s._has_exchange())[0]
owner = by_tariff.filtered(lambda s: s.part == "owner")[0]
costs = bills.filtered("cost_share_id")[0]
advance = year.advance_ids[0].move_id
"""
LAST_WORDS = "consuwijzer"


def print_bills(site, visitor, *names):
    """{name: texts of the pages}, as the manager prints them."""
    moves = site.values(
        *(
            f"{name}.move_id.id" if name != "advance" else "advance.id"
            for name in names
        ),
        given=BILLS,
    )
    manager = visitor()
    manager.login(*site.logins["manager"])
    return {
        name: manager.context.request.get(
            f"{site.address}/report/pdf/account.account_invoices/{move}",
            timeout=120_000,
        )
        for name, move in zip(names, moves, strict=True)
    }


def test_bills_print_with_header_footer_and_page_numbers(site, visitor, artifacts):
    responses = print_bills(site, visitor, "year", "moved", "owner", "costs", "advance")
    texts = {}
    for name, response in responses.items():
        pages = texts[name] = pdf_text(response)
        keep_picture(response, artifacts, f"rekening-{name}")
        for number, text in enumerate(pages, 1):
            assert re.search(rf"{number}\s*/\s*{len(pages)}\b", text), (name, number)
            assert "Lindedam" in text, f"{name}: no header on page {number}"
    assert {name: len(pages) for name, pages in texts.items()} == {
        "year": 2,
        "moved": 2,
        "owner": 1,
        "costs": 2,
        "advance": 1,
    }
    for name in ("year", "moved", "owner", "advance"):
        assert LAST_WORDS in texts[name][-1].lower(), name
    # What explains the amount stands together on the first page.
    first = texts["year"][0]
    for words in ("Jaarafrekening", "U betaalt nog", "Vastrecht", "Samen"):
        assert words in first, words
    assert len(set(re.findall(r"\b6[89]\d{6}\b", " ".join(texts["moved"])))) == 2
