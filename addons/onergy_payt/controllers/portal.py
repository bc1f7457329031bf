from werkzeug.exceptions import NotFound

from odoo import fields
from odoo.fields import Domain
from odoo.http import request, route
from odoo.tools import formatLang, plaintext2html

from odoo.addons.onergy_residents.controllers.portal import OnergyPortal

TIMELINE_ON_FINANCE = 3
TIMELINE_LENGTH = 200
MAX_TEXT = 4000
MAX_REASON = 500
# More than a person writes; less than a machine wants to.
MAX_MESSAGES_PER_DAY = 20
NOTICES_ON_FINANCE = 24
MAX_NOTICES = 240


class PaytPortal(OnergyPortal):
    """Payt on the residents' page with bills, and the conversation (timeline)."""

    # ------------------------------------------------------------------
    # FINANCE
    # ------------------------------------------------------------------

    def _prepare_finance_values(self, payt=None, **kw):
        values = super()._prepare_finance_values(**kw)
        contract = values.get("contract")
        if not contract:
            return values
        notices = request.env["payt.invoice"].search(
            self._get_payt_domain(contract), limit=MAX_NOTICES
        )
        still_open = notices.filtered(
            lambda notice: notice.move_id.payment_state in ("not_paid", "partial")
        )
        only_open = payt == "open"
        return {
            **values,
            "payt_has_any": bool(notices),
            "payt_only_open": only_open,
            "payt_open_count": len(still_open),
            "payt_notices": (still_open if only_open else notices)[:NOTICES_ON_FINANCE],
            "payt_reversed": still_open.filtered("reversal_date"),
            "payt_of_bills": self._get_payt_of_bills,
            "payt_plans": self._get_asked_plans(still_open),
            "payt_can_ask_plan": self._get_payt_connection(contract).plan_max_terms > 1,
            "payt_plan_asked": kw.get("plan") == "asked",
            "timeline": self._get_timeline(contract, TIMELINE_ON_FINANCE),
        }

    def _prepare_my_invoices_values(self, *args, **kwargs):
        values = super()._prepare_my_invoices_values(*args, **kwargs)
        values["payt_of_bills"] = self._get_payt_of_bills
        return values

    def _get_payt_of_bills(self, bills):
        """Return what Payt says of each bill, as dict id of the bill → notice."""
        found = request.env["payt.invoice"].search(
            [("move_id", "in", [bill.id for bill in bills])]
        )
        return {notice.move_id.id: notice for notice in found}

    def _get_payt_domain(self, contract):
        """Return the domain of the bills of this home that Payt follows."""
        moves = self._get_bills_domain(contract)
        return Domain(
            "partner_id", "child_of", request.env.user.commercial_partner_id.id
        ) & Domain("move_id", "any", moves)

    # ------------------------------------------------------------------
    # TIMELINE
    # ------------------------------------------------------------------

    def _get_timeline(self, contract, limit=TIMELINE_LENGTH):
        """Return the conversation, newest first."""
        return request.env["payt.message"].search(
            Domain("company_id", "=", contract.company_id.id)
            & Domain(
                "partner_id", "child_of", request.env.user.commercial_partner_id.id
            )
            & Domain("kind", "in", ["in", "out"]),
            limit=limit,
        )

    @route("/my/timeline", type="http", auth="user", website=True, readonly=True)
    def portal_my_timeline(self, **kw):
        return self._render_timeline(**kw)

    def _render_timeline(self, done=None, error=None, typed=None, **kw):
        values = self._prepare_onergy_values("finance", **kw)
        contract = values["contract"]
        connection = self._get_payt_connection(contract)
        return request.render(
            "onergy_payt.portal_my_timeline",
            {
                **values,
                "timeline": contract and self._get_timeline(contract),
                "can_write": bool(connection),
                "paper_fee": connection.paper_fee,
                "fee_currency": connection.currency_id,
                "done": done if done in ("message", "paper", "advance") else None,
                "error": error,
                "typed": typed or {},
                "bills": contract
                and request.env["payt.invoice"].search(
                    self._get_payt_domain(contract), limit=NOTICES_ON_FINANCE
                ),
                "page_name": "onergy_timeline",
            },
        )

    @route(
        "/my/timeline/file/<int:message_id>/<int:file_id>",
        type="http",
        auth="user",
        website=True,
        readonly=True,
    )
    def portal_timeline_file(self, message_id, file_id, **kw):
        """Hand out what we sent along with a message to this resident."""
        message = request.env["payt.message"].search(
            [("id", "=", message_id), ("kind", "in", ["in", "out"])]
        )
        # sudo: residents may not read attachments; whose message it is was checked
        file = message.sudo().attachment_ids.filtered(lambda file: file.id == file_id)
        if not file:
            raise NotFound()
        stream = request.env["ir.binary"]._get_stream_from(file)
        return stream.get_response(as_attachment=True)

    @route(
        "/my/timeline/message",
        type="http",
        auth="user",
        website=True,
        methods=["POST"],
    )
    def portal_timeline_message(self, text="", invoice_id=None, **kw):
        contract = self._get_timeline_contract(kw)
        invoice = self._get_own_invoice(contract, invoice_id)
        text = text.strip()
        if not text or len(text) > MAX_TEXT:
            return self._render_timeline(
                error="text", typed={"text": text, "invoice_id": invoice.id}, **kw
            )
        if self._is_too_much(contract):
            return self._render_timeline(error="often", typed={"text": text}, **kw)
        subject = (
            request.env._("About bill %(number)s", number=invoice.move_id.name)
            if invoice
            else request.env._("Message of a resident")
        )
        self._keep_message(contract, subject, text, invoice)
        return self._timeline_done("message", kw)

    @route(
        "/my/timeline/paper", type="http", auth="user", website=True, methods=["POST"]
    )
    def portal_timeline_paper(self, **kw):
        """The first standard request: go on sending bills on paper."""
        contract = self._get_timeline_contract(kw)
        fee = self._get_payt_connection(contract).paper_fee
        text = request.env._("I want to keep getting my bills on paper.")
        if fee:
            amount = formatLang(
                request.env, fee, currency_obj=contract.company_id.currency_id
            )
            text = request.env._(
                "%(wish)s I know that this costs %(amount)s per bill.",
                wish=text,
                amount=amount,
            )
        subject = request.env._("Bills on paper")
        if self._is_too_much(contract):
            return self._render_timeline(error="often", **kw)
        self._make_request(contract, "post", subject, text)
        self._keep_message(contract, subject, text)
        return self._timeline_done("paper", kw)

    @route(
        "/my/timeline/advance", type="http", auth="user", website=True, methods=["POST"]
    )
    def portal_timeline_advance(self, amount="", **kw):
        """The second standard request: another amount per month."""
        contract = self._get_timeline_contract(kw)
        wanted = self._parse_payt_amount(amount)
        if not wanted:
            return self._render_timeline(error="amount", typed={"amount": amount}, **kw)
        if self._is_too_much(contract):
            return self._render_timeline(error="often", **kw)
        text = request.env._(
            "I want to pay %(amount)s per month.",
            amount=formatLang(
                request.env, wanted, currency_obj=contract.company_id.currency_id
            ),
        )
        subject = request.env._("Change my monthly advance")
        self._make_request(contract, "advance", subject, text)
        self._keep_message(contract, subject, text)
        return self._timeline_done("advance", kw)

    # ------------------------------------------------------------------
    # PAYMENT PLAN
    # ------------------------------------------------------------------

    @route(
        "/my/plan/<int:notice_id>",
        type="http",
        auth="user",
        website=True,
        methods=["GET"],
        readonly=True,
    )
    def portal_my_plan(self, notice_id, **kw):
        notice, contract = self._get_notice_for_plan(notice_id)
        return self._render_plan(notice, contract)

    def _render_plan(self, notice, contract, error=None, typed=None):
        # sudo: amounts and dates that the resident himself is offered
        plans = request.env["payt.plan"].sudo()
        choices = []
        for count in self._get_plan_counts(contract):
            terms = plans._make_terms(notice, count)
            amount, when = terms[-1][0], terms[0][1]["due_date"]
            choices.append({"count": count, "amount": amount, "first": when})
        return request.render(
            "onergy_payt.portal_my_plan",
            {
                **self._prepare_onergy_values("finance", contract_id=contract.id),
                "notice": notice,
                "choices": choices,
                "error": error,
                "typed": typed or {},
                "page_name": "onergy_plan",
            },
        )

    @route(
        "/my/plan/<int:notice_id>",
        type="http",
        auth="user",
        website=True,
        methods=["POST"],
    )
    def portal_plan_ask(self, notice_id, terms="", reason="", **kw):
        """Keep the proposal; staff decides, Payt hears of it when they approve."""
        notice, contract = self._get_notice_for_plan(notice_id)
        reason, typed = reason.strip(), {"terms": terms, "reason": reason}
        counts = [str(count) for count in self._get_plan_counts(contract)]
        if terms not in counts:
            return self._render_plan(notice, contract, "terms", typed)
        if not reason or len(reason) > MAX_REASON:
            return self._render_plan(notice, contract, "reason", typed)
        # sudo: residents may not write plans; whose bill it is was checked
        request.env["payt.plan"].sudo()._propose(notice.sudo(), int(terms), reason)
        query = f"?plan=asked&contract_id={contract.id}"
        return request.redirect(f"/my/finance{query}#onergy_payt")

    def _get_notice_for_plan(self, notice_id):
        """Return (notice, contract) of an open bill that a plan may be asked for."""
        notice = request.env["payt.invoice"].search(
            [
                ("id", "=", notice_id),
                (
                    "partner_id",
                    "child_of",
                    request.env.user.commercial_partner_id.id,
                ),
                ("move_id.move_type", "=", "out_invoice"),
                ("move_id.payment_state", "in", ("not_paid", "partial")),
                ("status", "!=", "plan"),
            ]
        )
        contract = notice.move_id.onergy_contract_id
        contract = contract or self._get_selected_contract()
        if (
            not notice
            or not contract
            or self._get_asked_plans(notice)
            or not self._get_plan_counts(contract)
        ):
            raise NotFound()
        return notice, contract

    def _get_plan_counts(self, contract):
        return range(2, self._get_payt_connection(contract).plan_max_terms + 1)

    def _get_asked_plans(self, notices):
        """Return the undecided proposals, as dict id of the notice → plan."""
        # sudo: only whether there is one leaves here
        plans = (
            request.env["payt.plan"]
            .sudo()
            .search(
                [
                    ("state", "=", "proposed"),
                    ("asked_invoice_ids", "in", notices.ids),
                ]
            )
        )
        return {notice.id: plan for plan in plans for notice in plan.asked_invoice_ids}

    # ------------------------------------------------------------------
    # HELPERS
    # ------------------------------------------------------------------

    def _get_payt_connection(self, contract):
        """Return the supplier's connection, empty when there is none."""
        # sudo: residents may not read connections; harmless settings leave here
        return (
            request.env["payt.connection"]
            .sudo()
            .search([("company_id", "=", contract.company_id.id)], limit=1)
            if contract
            else request.env["payt.connection"]
        )

    def _get_timeline_contract(self, parameters):
        contract = self._get_selected_contract(**parameters)
        if not contract or not self._get_payt_connection(contract):
            raise NotFound()
        return contract

    def _get_own_invoice(self, contract, invoice_id):
        Invoice = request.env["payt.invoice"]
        if not invoice_id:
            return Invoice
        if not str(invoice_id).isdecimal():
            raise NotFound()
        invoice = Invoice.search(
            self._get_payt_domain(contract) & Domain("id", "=", int(invoice_id))
        )
        if not invoice:
            raise NotFound()
        return invoice

    def _is_too_much(self, contract):
        since = fields.Datetime.subtract(fields.Datetime.now(), days=1)
        count = request.env["payt.message"].search_count(
            Domain("partner_id", "child_of", request.env.user.commercial_partner_id.id)
            & Domain("company_id", "=", contract.company_id.id)
            & Domain("kind", "=", "in")
            & Domain("create_date", ">", since)
        )
        return count >= MAX_MESSAGES_PER_DAY

    def _keep_message(self, contract, subject, text, invoice=None):
        # sudo: residents may only read; who he is was checked by the caller
        connection = self._get_payt_connection(contract)
        debtor = (
            request.env["payt.debtor"]
            .sudo()
            ._for_partners(connection, request.env.user.commercial_partner_id)[
                request.env.user.commercial_partner_id.sudo()
            ]
        )
        # sudo: as above
        request.env["payt.message"].sudo()._receive(debtor, subject, text, invoice)

    def _make_request(self, contract, category, subject, text):
        # sudo: as above
        record = (
            request.env["onergy.request"]
            .sudo()
            .create(
                {
                    "subject": subject,
                    "description": plaintext2html(text),
                    "category": category,
                    "channel": "portal",
                    "partner_id": request.env.user.partner_id.id,
                    "contract_id": contract.id,
                    "company_id": contract.company_id.id,
                }
            )
        )
        record._send_acknowledgement()

    def _parse_payt_amount(self, text):
        """Return the amount that a person typed (12,50 or 12.50 or € 12), or None."""
        cleaned = str(text).replace("€", "").replace(" ", "").replace(",", ".")
        try:
            amount = round(float(cleaned), 2)
        except ValueError:
            return None
        return amount if 0 < amount < 10000 else None

    def _timeline_done(self, what, parameters):
        query = f"?done={what}"
        if str(parameters.get("contract_id") or "").isdecimal():
            query += f"&contract_id={parameters['contract_id']}"
        return request.redirect(f"/my/timeline{query}")
