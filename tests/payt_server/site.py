"""What a debtor sees, and a page to play the collector. Plain HTML, in Dutch.

Everything a visitor typed is escaped. The pages say on top that this is a simulator.
"""

from datetime import date, timedelta
from html import escape

from .state import PHASES, money

STYLE = """
:root { color-scheme: light; }
body { font: 1.125rem/1.5 system-ui, sans-serif; margin: 0; color: #1b1b1b;
  background: #f6f6f3; }
.sim { background: #7a2900; color: #fff; padding: .5rem 1rem; font-weight: 600; }
main { max-width: 44rem; margin: 0 auto; padding: 1rem; }
section { background: #fff; border: 1px solid #cfcfc8; border-radius: .5rem;
  padding: 1rem; margin: 1rem 0; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 0; }
table { width: 100%; border-collapse: collapse; }
th, td { text-align: left; padding: .4rem .5rem .4rem 0; vertical-align: top; }
tr + tr { border-top: 1px solid #e3e3dd; }
.amount { text-align: right; white-space: nowrap; }
label { display: block; font-weight: 600; margin: .75rem 0 .25rem; }
input, textarea, select { font: inherit; width: 100%; box-sizing: border-box;
  padding: .5rem; border: 1px solid #6b6b6b; border-radius: .25rem; }
button { font: inherit; font-weight: 600; padding: .65rem 1.1rem;
  margin: .75rem .5rem 0 0;
  border: 2px solid #0b4f6c; border-radius: .25rem; background: #0b4f6c; color: #fff;
  cursor: pointer; }
button.second { background: #fff; color: #0b4f6c; }
a { color: #0b4f6c; }
@media (max-width: 40rem) { .manage tr, .manage td { display: block; }
  .manage .amount { text-align: left; } }
:focus-visible { outline: 3px solid #d95d00; outline-offset: 2px; }
.done { border-left: .4rem solid #1c6b2d; }
"""
TRIES = {
    "cancelled": "U hebt de betaling geannuleerd. Er is niets betaald.",
    "failed": "De betaling is niet gelukt. Er is niets betaald.",
    "charged_back": "Uw betaling is teruggeboekt. De factuur staat weer open.",
    "refunded": "Uw betaling is terugbetaald. De factuur staat weer open.",
}
STATUS = {
    "paid": "Betaald",
    "plan": "Betalingsregeling",
    "paused": "Stilgezet",
    "open": "Open",
}
PHASE_LABELS = {
    "sent": "Verstuurd",
    "pre_reminder": "Vooraankondiging",
    "reminder_1": "1e herinnering",
    "reminder_2": "2e herinnering",
    "reminder_3": "3e herinnering",
    "reminder_4": "4e herinnering",
    "final_reminder": "Laatste herinnering",
    "collectable": "Over te dragen",
    "debt_collection": "Incasso",
    "pre_summons": "Vooraankondiging aanmaning",
    "summons_1": "1e aanmaning",
    "summons_2": "2e aanmaning",
    "summons_3": "3e aanmaning",
    "summons_4": "4e aanmaning",
    "notice_of_default": "Ingebrekestelling",
    "pre_judicial": "Laatste kans voor de rechter",
    "bailiff": "Deurwaarder",
}


def euro(amount):
    text = f"{amount:,.2f}".replace(",", " ").replace(".", ",").replace(" ", ".")
    return f"€\N{NO-BREAK SPACE}{text}"


def day(text):
    """Return a day of the API as people in the Netherlands write it."""
    return f"{date.fromisoformat(text):%d-%m-%Y}"


def page(title, content):
    return (
        '<!doctype html><html lang="nl"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} – Simulator</title><style>{STYLE}</style></head>"
        '<body><div class="sim" role="note">Simulator: dit is geen echte betaalsite. '
        "Er wordt geen geld overgemaakt.</div>"
        f"<main><h1>{escape(title)}</h1>{content}</main></body></html>"
    )


def status_of(invoice):
    if not invoice["open_amount"]:
        return STATUS["paid"]
    if invoice.get("active_payment_plan_id"):
        return STATUS["plan"]
    if invoice.get("paused_at"):
        return STATUS["paused"]
    reached = [
        label
        for phase, label in PHASE_LABELS.items()
        if phase != "sent" and invoice.get(PHASES[phase][0])
    ]
    return reached[-1] if reached else STATUS["open"]


class Site:
    def __init__(self, server):
        self.server = server

    @property
    def state(self):
        return self.server.state

    def handle(self, method, path, form):
        """Return (kind, content); kind is page, redirect, pdf or missing."""
        parts = [part for part in path.split("/") if part]
        head = parts[0] if parts else "index"
        handler = getattr(self, f"_{method.lower()}_{head}", None)
        found = handler(parts[1:], form) if handler else None
        return found or (
            "missing",
            page("Niet gevonden", "<p>Deze pagina is er niet.</p>"),
        )

    @staticmethod
    def consent(action):
        return page(
            "Toegang geven",
            "<section><p>Odoo vraagt toegang tot de administratie ‘Simulator’.</p>"
            f'<form method="post" action="{escape(action)}">'
            "<button>Toegang geven</button></form></section>",
        )

    def _by_token(self, table, parts):
        return self.state.find(table, token=parts[0]) if parts else None

    # ----------------------------------------------------------------- pages

    def _get_index(self, _parts, _form):
        mails = "".join(
            f"<li>Aan {escape(mail['to'])}: "
            f'<a href="{escape(mail["url"])}">{escape(mail["subject"])}</a></li>'
            for mail in self.state.mailbox
        )
        return "page", page(
            "Payt nagebootst",
            '<section><p><a href="/beheer">Naar het beheer</a></p></section>'
            f"<section><h2>Verstuurde e-mail</h2><ul>{mails or '<li>Nog geen</li>'}"
            "</ul></section>",
        )

    def _get_d(self, parts, _form):
        debtor = self._by_token("debtors", parts)
        if not debtor:
            return None
        invoices = [
            row
            for row in self.state.invoices.values()
            if row["debtor_id"] == debtor["id"] and row["open_amount"]
        ]
        rows = "".join(
            f'<tr><td><a href="/i/{row["token"]}">{escape(row["invoice_number"])}</a>'
            f"</td><td>{day(row['due_date'])}</td>"
            f'<td class="amount">{euro(row["open_amount"])}</td></tr>'
            for row in invoices
        )
        total = sum((row["open_amount"] for row in invoices), money(0))
        pay = (
            f'<form method="post" action="/d/{debtor["token"]}/pay">'
            f"<button>Alles betalen: {euro(total)}</button></form>"
            if total > 0
            else "<p>U heeft geen open facturen.</p>"
        )
        address = debtor.get("debtor_provided_email_address") or ""
        given = '<p role="status">Dit adres is doorgegeven.</p>' if address else ""
        return "page", page(
            f"Facturen van {debtor['name']}",
            "<section><h2>Open facturen</h2><table><thead><tr>"
            '<th scope="col">Factuur</th><th scope="col">Betalen voor</th>'
            '<th scope="col" class="amount">Open</th></tr>'
            f"</thead><tbody>{rows}</tbody></table>{pay}</section>"
            f"<section><h2>Uw e-mailadres</h2>{given}"
            f'<form method="post" action="/d/{debtor["token"]}/email">'
            '<label for="email">Nieuw e-mailadres</label>'
            f'<input id="email" name="email" type="email" value="{escape(address)}" '
            'autocomplete="email"><button class="second">E-mailadres doorgeven</button>'
            "</form></section>",
        )

    def _get_i(self, parts, _form):
        invoice = self._by_token("invoices", parts)
        if not invoice:
            return None
        if parts[1:] == ["pdf"]:
            content = self.state.files.get(invoice.get("checksum"))
            return ("pdf", content) if content else None
        return "page", page(
            f"Factuur {invoice['invoice_number']}",
            self._invoice_summary(invoice)
            + self._invoice_pay(invoice)
            + self._invoice_conversation(invoice)
            + self._invoice_plan(invoice),
        )

    def _invoice_summary(self, invoice):
        debtor = self.state.debtors[invoice["debtor_id"]]
        document = (
            f'<p><a href="/i/{invoice["token"]}/pdf">Factuur bekijken (PDF)</a></p>'
            if invoice.get("checksum")
            else ""
        )
        costs = ""
        if invoice["administration_costs_open"]:
            costs = (
                '<tr><th scope="row">Kosten</th><td class="amount">'
                f"{euro(invoice['administration_costs_open'])}</td></tr>"
            )
        return (
            "<section><table>"
            f'<tr><th scope="row">Voor</th><td>{escape(debtor["name"])}</td></tr>'
            f'<tr><th scope="row">Status</th><td>{status_of(invoice)}</td></tr>'
            '<tr><th scope="row">Betalen voor</th>'
            f"<td>{day(invoice['due_date'])}</td></tr>"
            '<tr><th scope="row">Bedrag</th>'
            f'<td class="amount">{euro(invoice["total_amount"])}</td></tr>{costs}'
            '<tr><th scope="row">Nog te betalen</th>'
            f'<td class="amount">{euro(invoice["open_amount"])}</td></tr></table>'
            f'{document}<p><a href="/d/{debtor["token"]}">Al uw open facturen</a></p>'
            "</section>"
        )

    def _last_try(self, invoice):
        """Tell somebody who comes back from his bank how that went."""
        tries = [
            row["status"]
            for row in self.state.psp_transactions.values()
            if invoice["id"] in row["invoice_ids"]
        ]
        text = TRIES.get(tries[-1]) if tries else None
        return f'<p role="status"><strong>{text}</strong></p>' if text else ""

    def _invoice_pay(self, invoice):
        if invoice["open_amount"] <= 0:
            return (
                '<section class="done"><h2>Betaald</h2>'
                "<p>Bedankt, deze factuur is betaald.</p></section>"
            )
        return (
            f"<section><h2>Nu betalen</h2>{self._last_try(invoice)}"
            f'<form method="post" action="/i/{invoice["token"]}/pay">'
            f"<button>Betalen met iDEAL | Wero: {euro(invoice['open_amount'])}</button>"
            "</form></section>"
        )

    def _invoice_conversation(self, invoice):
        messages = "".join(
            f"<li><strong>{'U' if row['sender_type'] == 'debtor' else 'Wij'}:</strong> "
            f"{escape(row.get('content') or '')}{_attachments(row)}</li>"
            for row in self.state.messages.values()
            if row.get("invoice_id") == invoice["id"]
        )
        listed = f"<ul>{messages}</ul>" if messages else ""
        return (
            f"<section><h2>Vraag of opmerking</h2>{listed}"
            f'<form method="post" action="/i/{invoice["token"]}/comment">'
            '<label for="text">Uw bericht</label>'
            '<textarea id="text" name="text" rows="4" required></textarea>'
            '<button class="second">Bericht versturen</button></form></section>'
        )

    def _invoice_plan(self, invoice):
        if invoice["open_amount"] <= 0 or invoice.get("active_payment_plan_id"):
            return ""
        if any(
            invoice["id"] in plan["invoice_ids"]
            and plan.get("proposed_at")
            and not (plan.get("rejected_at") or plan.get("deactivated_at"))
            for plan in self.state.payment_plans.values()
        ):
            return (
                '<section class="done"><h2>In delen betalen</h2><p>Uw voorstel is '
                "verstuurd. U hoort of het goed is.</p></section>"
            )
        return (
            "<section><h2>In delen betalen</h2>"
            f'<form method="post" action="/i/{invoice["token"]}/plan">'
            '<label for="terms">In hoeveel maanden wilt u betalen?</label>'
            '<select id="terms" name="terms"><option>2</option><option>3</option>'
            "<option>4</option><option>6</option></select>"
            '<label for="reason">Waarom wilt u in delen betalen?</label>'
            '<input id="reason" name="reason" required>'
            '<button class="second">Regeling voorstellen</button></form></section>'
        )

    def _get_p(self, parts, _form):
        plan = self._by_token("payment_plans", parts)
        if not plan:
            return None
        rows = "".join(
            f"<tr><td>{day(term['due_date'])}</td>"
            f'<td class="amount">{euro(term["total_amount"])}</td></tr>'
            for term in plan["payment_terms"]
        )
        answer = "Actief" if plan["active"] else "Nog niet actief"
        return "page", page(
            "Betalingsregeling",
            f"<section><p>{answer}</p><table>{rows}</table></section>",
        )

    def _get_bank(self, parts, _form):
        transaction = self.state.psp_transactions.get(parts[0]) if parts else None
        if not transaction:
            return None
        return "page", page(
            "Uw bank (nagebootst)",
            f"<section><p>U betaalt {euro(transaction['amount'])} met iDEAL | Wero.</p>"
            f'<form method="post" action="/bank/{transaction["id"]}">'
            '<button name="status" value="paid">Betaling gelukt</button>'
            '<button class="second" name="status" value="cancelled">Annuleren</button>'
            '<button class="second" name="status" value="failed">Betaling mislukt'
            "</button>"
            "</form></section>",
        )

    def _get_beheer(self, _parts, _form):
        options = "".join(
            f'<option value="{phase}">{label}</option>'
            for phase, label in PHASE_LABELS.items()
        )
        rows = "".join(
            f"<tr>{self._manage_cell(row)}"
            f'<td class="amount">{euro(row["open_amount"])}</td><td>'
            f'<form method="post" action="/beheer/{row["id"]}/fase">'
            f'<label for="f{row["id"]}">Fase</label>'
            f'<select id="f{row["id"]}" name="phase">{options}</select>'
            '<button class="second">Fase zetten</button></form>'
            f"{self._bank_form(row)}</td></tr>"
            for row in self.state.invoices.values()
            if row["open_amount"]
        )
        settled = [
            f"<tr>{self._manage_cell(row)}</tr>"
            for row in self.state.invoices.values()
            if not row["open_amount"]
        ]
        paid = "".join(
            f"<tr><td>{', '.join(self._numbers(row))}</td>"
            f'<td class="amount">{euro(row["amount"])}</td><td>'
            f'<form method="post" action="/beheer/{row["id"]}/terug">'
            '<button class="second" name="status" value="charged_back">Storneren'
            '</button><button class="second" name="status" value="refunded">'
            "Terugbetalen</button>"
            "</form></td></tr>"
            for row in self.state.psp_transactions.values()
            if row["status"] == "paid"
        )
        return "page", page(
            "Beheer",
            '<section><h2>Betalingen</h2><table class="manage">'
            f"{paid}</table></section>"
            '<section><h2>Open facturen</h2><table class="manage">'
            f"{rows}</table></section>"
            f"<section><details><summary>{len(settled)} betaalde facturen</summary>"
            f"<table>{''.join(settled)}</table></details></section>"
            '<section><form method="post" action="/beheer/alle/verstuur">'
            "<button>Facturen versturen</button></form></section>",
        )

    def _numbers(self, transaction):
        return [
            escape(self.state.invoices[number]["invoice_number"])
            for number in transaction["invoice_ids"]
        ]

    def _manage_cell(self, invoice):
        debtor = self.state.debtors[invoice["debtor_id"]]
        return (
            f'<td><a href="/i/{invoice["token"]}">{escape(invoice["invoice_number"])}'
            f"</a><br>{escape(debtor['name'])}<br>{status_of(invoice)}</td>"
        )

    @staticmethod
    def _bank_form(invoice):
        if invoice["open_amount"] <= 0:
            return ""
        return (
            f'<form method="post" action="/beheer/{invoice["id"]}/bank">'
            '<button class="second">Per bank betaald</button></form>'
        )

    # --------------------------------------------------------------- actions

    def _post_i(self, parts, form):
        invoice = self._by_token("invoices", parts)
        action = parts[1] if len(parts) > 1 else ""
        if not invoice or action not in ("pay", "comment", "plan"):
            return None
        if action == "pay":
            transaction = self.state.start_payment([invoice])
            return "redirect", f"/bank/{transaction['id']}"
        if action == "comment" and form.get("text"):
            self.state.comment(invoice, form["text"])
        if action == "plan":
            self.state.plan(
                [invoice],
                _terms(invoice["open_amount"], int(form.get("terms") or 2)),
                reason=form.get("reason"),
            )
        return "redirect", f"/i/{invoice['token']}"

    def _post_d(self, parts, form):
        debtor = self._by_token("debtors", parts)
        action = parts[1] if len(parts) > 1 else ""
        if not debtor:
            return None
        if action == "email":
            self.state.change_email(debtor, form.get("email"))
        if action == "pay":
            invoices = [
                row
                for row in self.state.invoices.values()
                if row["debtor_id"] == debtor["id"] and row["open_amount"] > 0
            ]
            if invoices:
                transaction = self.state.start_payment(invoices)
                return "redirect", f"/bank/{transaction['id']}"
        return "redirect", f"/d/{debtor['token']}"

    def _post_bank(self, parts, form):
        transaction = self.state.psp_transactions.get(parts[0]) if parts else None
        status = form.get("status")
        if not transaction or status not in ("paid", "cancelled", "failed"):
            return None
        self.state.finish_payment(transaction, status)
        invoice = self.state.invoices[transaction["invoice_ids"][0]]
        return "redirect", f"/i/{invoice['token']}"

    def _post_beheer(self, parts, form):
        target, action = (*parts, "", "")[:2]
        if action == "fase" and form.get("phase") in PHASES:
            self.state.advance(self.state.invoices[target], form["phase"])
        elif action == "terug" and form.get("status") in ("charged_back", "refunded"):
            self.state.take_back(
                self.state.psp_transactions[target], form["status"], "MD06"
            )
        elif action == "bank" and target in self.state.invoices:
            invoice = self.state.invoices[target]
            self.state.match_bank(invoice, invoice["open_amount"])
        elif action == "verstuur":
            self.state.send_unsent()
        else:
            return None
        return "redirect", "/beheer"


def _attachments(message):
    names = ", ".join(message.get("attachments") or [])
    return f" <em>(bijlage: {escape(names)})</em>" if names else ""


def _terms(amount, count):
    """Equal parts to the cent, the remainder in the first, one month apart."""
    part = (amount / count).quantize(money(0))
    first = amount - part * (count - 1)
    today = date.today()
    return [
        (
            first if number == 0 else part,
            (today + timedelta(days=30 * (number + 1))).isoformat(),
        )
        for number in range(count)
    ]
