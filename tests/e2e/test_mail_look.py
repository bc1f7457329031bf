"""Every mail of ours has one look, in Dutch and in English."""

import json
import re

import pytest

# For each kind of record that we mail about: one of the demo, or one made here.
SAMPLES = """
contract = env["res.users"].search(
    [("login", "=", {login!r})]).partner_id.onergy_contract_ids[:1]
partner = contract.partner_id
today = __import__("datetime").date.today()
SAMPLES = {{
    "account.move": lambda: env["onergy.settlement"].search(
        [("move_id", "!=", False)], limit=1).move_id,
    "onergy.access.code": lambda: next(iter(
        env["onergy.access.code"].sudo()._issue(partner, "letter"))),
    "onergy.access.grant": lambda: env["onergy.access.grant"].create(
        {{"contract_id": contract.id, "partner_id": partner.id,
          "name": "Wie meekijkt", "email": "kijker@example.com", "date_from": today}}),
    "onergy.advance": lambda: contract.advance_ids[:1],
    "onergy.alert": lambda: env["onergy.alert"].search([], limit=1),
    "onergy.email.change": lambda: env["onergy.email.change"].create(
        {{"user_id": partner.user_ids.id, "email_old": partner.email,
          "email_new": "nieuw@example.com"}}),
    "onergy.erasure": lambda: env["onergy.erasure"].create(
        {{"partner_id": partner.id, "answer": "Dit is ons antwoord."}}),
    "onergy.mandate": lambda: env["onergy.mandate"].search(
        [("state", "=", "active")], limit=1),
    "onergy.month.overview": lambda: env["onergy.month.overview"].search([], limit=1),
    "onergy.move": lambda: env["onergy.move"].create(
        {{"contract_id": contract.id, "date_end": today, "new_street": "Kade 5",
          "new_zip": "4321 AB", "new_city": "Nieuwdorp"}}),
    "onergy.notice.delivery": lambda: env["onergy.notice.delivery"].search([], limit=1),
    "onergy.request": lambda: env["onergy.request"].search(
        [("channel", "=", "portal")], limit=1),
}}
"""
# Rendered just as they are sent; nothing of it is kept.
RENDER = """
import json
env.company.write({{"phone": "030 123 45 67", "street": "Kade 1", "zip": "1234 AB",
                    "city": "Lindedam"}})
data = env["ir.model.data"].search(
    [("model", "=", "mail.template"), ("module", "=like", "onergy%")])
rendered, records = [], {{}}
for line in data:
    template = env["mail.template"].browse(line.res_id)
    if template.model not in records:
        records[template.model] = SAMPLES[template.model]()
    record = records[template.model]
    assert record, template.model
    for lang in {langs!r}:
        record = record.with_context(lang=lang)
        for payer in record._mail_get_partners()[record.id].sudo() | partner:
            payer.lang = lang
            payer.user_ids.lang = lang
        if "lang" in record._fields:
            record.lang = lang
        template = template.with_context(
            onergy_codes={{record.id: "7K3M-9QXT-4BVD-2HWN"}})
        template.lang = lang
        mail = env["mail.mail"].browse(template.send_mail(record.id))
        rendered.append({{
            "template": line.complete_name, "lang": lang, "subject": mail.subject,
            "layout": template.email_layout_xmlid, "body": mail.body_html}})
env.cr.rollback()
print("MAILS", json.dumps(rendered))
"""
PHONE = "030 123 45 67"
CLOSING = {"nl_NL": "Met vriendelijke groet", "en_US": "Kind regards"}
LANGS = ("nl_NL", "en_US")
#: What shows that a text was left in the other language.
WORDS = {
    "nl_NL": re.compile(r"\b(the|you|your|we have|is over)\b"),
    "en_US": re.compile(r"\b(het|uw|wij|wilt|hebt)\b"),
}
NOTICE = "onergy_residents.mail_template_notice"
PICTURES = (
    "onergy_residents.mail_template_move_received",
    "onergy_residents.mail_template_mandate_new",
    "onergy_residents.mail_template_access_code",
    "onergy_metering.mail_template_month_overview",
    "onergy_billing.mail_template_settlement",
)


@pytest.fixture(scope="module")
def mails(site):
    code = SAMPLES.format(login=site.logins["resident"][0]) + RENDER.format(langs=LANGS)
    printed = site.python(code)
    return json.loads(re.search(r"MAILS (.*)", printed)[1])


def text_of(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>|&nbsp;", " ", html)).strip()


def test_one_layout(mails):
    """Logo, closing and the ways to ask and complain: once in each mail."""
    assert len(mails) >= 2 * 18
    for mail in mails:
        about = (mail["template"], mail["lang"])
        body = mail["body"]
        assert mail["layout"] == "onergy_residents.mail_layout", about
        assert f'lang="{mail["lang"].replace("_", "-")}"' in body, about
        for part in ("/logo.png", "/onergy/contact?category=complaint", PHONE):
            assert part in body, (about, part)
        assert body.count(CLOSING[mail["lang"]]) == 1, about
        # An address without its site leads nowhere in a mail.
        assert not re.findall(r'(?:href|src)="/', body), about


def test_everything_is_filled_in_and_translated(mails):
    for mail in mails:
        about = (mail["template"], mail["lang"])
        text = text_of(mail["body"])
        for rest in ("{{", "}}", "object.", "t-out", "False", "None"):
            assert rest not in text, (about, rest)
            assert rest not in mail["subject"], (about, rest)
        assert mail["subject"].strip(), about
        if about == (NOTICE, "en_US"):
            continue  # what staff wrote themselves is in one language
        left = WORDS[mail["lang"]].findall(f"{mail['subject']} {text}".lower())
        assert not left, (about, left, text)
        if mail["template"].endswith("access_code"):
            assert "7K3M-9QXT-4BVD-2HWN" in text
    subjects = {(mail["template"], mail["subject"]) for mail in mails}
    assert len(subjects) > len(mails) - 3, "subjects are not translated"


@pytest.mark.parametrize("width", ["1280", "390"])
def test_as_it_is_read(mails, visitor, width):
    """On a phone as well: nothing scrolls sideways."""
    reader = visitor(width)
    reader.go("/web/login")
    for mail in mails:
        if mail["lang"] != "nl_NL" or mail["template"] not in PICTURES:
            continue
        reader.page.set_content(mail["body"], wait_until="load")
        reader.picture(f"mail-{mail['template'].split('mail_template_')[1]}")
        reader.assert_fits()
