from dateutil.relativedelta import relativedelta
from werkzeug.exceptions import Forbidden, NotFound

from odoo import fields
from odoo.fields import Domain
from odoo.http import request, route
from odoo.tools import format_date

from odoo.addons.account.controllers.portal import PortalAccount

# Half a year of monthly bills; the page of all bills shows the rest.
BILLS_ON_FINANCE = 6
PAYMENTS_ON_FINANCE = 36


class OnergyPortal(PortalAccount):
    """The residents' pages in Odoo's customer portal."""

    # ------------------------------------------------------------------
    # SHELL
    # ------------------------------------------------------------------

    def _get_portal_contracts(self, shared=False):
        """Return the contracts of the person who is logged in, current ones first.

        The domain repeats what the record rule says for portal users: staff, who
        may read every contract, are not shown other people's homes as their own.

        :param bool shared: also those that somebody else lets him look at. For pages
            that only show the home and its use: no money, nothing to change.
        """
        Contract = request.env["onergy.contract"]
        if not Contract.has_access("read"):
            return Contract
        user = request.env.user
        domain = Domain("partner_id", "child_of", user.commercial_partner_id.id)
        if shared and user._is_portal():
            # The record rule says just this, and is asked anyhow.
            domain = Domain.TRUE
        elif shared:
            domain |= Domain(
                "grant_ids",
                "any",
                [("partner_id", "=", user.partner_id.id), ("state", "=", "active")],
            )
        # Every page reads them: found and read by one query.
        contracts = Contract.search_fetch(domain)
        rank = {"running": 0, "future": 1, "ended": 2}
        return contracts.sorted(lambda contract: rank[contract.state])

    def _get_selected_contract(self, contract_id=None, shared=False, **kw):
        """Return the contract that the page is about, empty if he has none.

        :param contract_id: as it came in the address; without it the current home
        :param bool shared: see ``_get_portal_contracts``
        :raise NotFound: it is not one of his contracts
        """
        contracts = self._get_portal_contracts(shared is True)
        return self._select_contract(contracts, contract_id)

    def _select_contract(self, contracts, contract_id):
        if not contract_id:
            return contracts[:1]
        if not str(contract_id).isdecimal():
            raise NotFound()
        selected = contracts.filtered(lambda contract: contract.id == int(contract_id))
        if not selected:
            raise NotFound()
        return selected

    def _prepare_onergy_values(self, active_tab, contract_id=None, shared=False, **kw):
        """Return what ``portal_layout_onergy`` needs; pages add their own values.

        :param str active_tab: name of the tab that is open, see ``portal_tabs``
        :param contract_id: the home that was chosen, as it came in the address
        :param bool shared: see ``_get_portal_contracts``; what comes in the address is
            text and does not count
        """
        contracts = self._get_portal_contracts(shared is True)
        contract = self._select_contract(contracts, contract_id)
        own = request.env.user.commercial_partner_id
        return {
            # The first test costs no query, and is enough for most.
            "is_shared": bool(contract)
            and contract.partner_id != request.env.user.partner_id
            and contract.commercial_partner_id != own,
            **self._prepare_portal_layout_values(),
            "page_name": f"onergy_{active_tab}",
            "active_tab": active_tab,
            "contracts": contracts,
            "contract": contract,
            "contract_query": f"?contract_id={contract.id}" if contract_id else "",
        }

    def _format_date(self, date):
        return date and format_date(request.env, date, date_format="d MMMM y")

    def _get_masked_account(self, contract, or_any=False):
        """Return the account that is paid from in words, without most of its digits.

        :param or_any: when the contract has none, any other that is known
        """
        # sudo: bank accounts are staff's to read; four digits of his own leave here
        account = contract.sudo().bank_account_id
        if or_any and not account:
            account = request.env.user.commercial_partner_id.sudo().bank_ids[:1]
        if not account:
            return ""
        return request.env._(
            "Account ending in %(digits)s", digits=account._onergy_get_last_digits()
        )

    # ------------------------------------------------------------------
    # HOME
    # ------------------------------------------------------------------

    @route()
    def home(self, **kw):
        response = super().home(**kw)
        values = self._prepare_onergy_values("home", **{**kw, "shared": True})
        if values["contract"]:
            if not values["is_shared"]:
                values.update(self._prepare_glance_values(**values))
            response.qcontext.update(values)
        return response

    def _prepare_glance_values(self, contract, contracts, **kw):
        """Return what the block at the top of the home page shows."""
        partner = request.env.user.partner_id
        company = contract.company_id
        values = {
            "contracts": contracts,
            "currency": company.currency_id,
            "balance": partner._onergy_get_balance(company),
            **self._get_overdue(company),
            **self._prepare_next_advance(contract),
        }
        values["steps"] = self._get_home_steps(contract, values)
        return values

    def _get_home_steps(self, contract, values):
        """Return what asks for the resident's attention, the most pressing first.

        Other addons extend this. Each step is a dict with ``text``, ``url``, ``label``
        (of the button) and ``is_urgent``; ``is_hint`` when nothing has to be done.

        :param dict values: the figures at a glance, see ``_prepare_glance_values``
        """
        steps = []
        if values["overdue_amount"]:
            steps.append(
                {
                    "text": self._get_overdue_text(contract, values),
                    # With several homes the bill may be another home's.
                    "url": "/my/invoices"
                    if len(values["contracts"]) > 1
                    else "/my/finance#onergy_bills",
                    "label": request.env._("See your bills"),
                    "is_urgent": True,
                }
            )
        user = request.env.user
        change = request.env["onergy.email.change"]._get_pending(user)
        if change:
            steps.append(
                {
                    "text": request.env._(
                        "Confirm your e-mail address. We have sent a message to "
                        "%(email)s. Click the button in that message.",
                        email=change.email_new,
                    ),
                    "url": "/my/onergy-account",
                    "label": request.env._("No message received?"),
                    "is_urgent": False,
                }
            )
        elif not user.email:
            steps.append(
                {
                    "text": request.env._(
                        "We do not have your e-mail address. With it you can set a "
                        "new password yourself if you forget yours."
                    ),
                    "url": "/my/onergy-account",
                    "label": request.env._("Add your e-mail address"),
                    "is_urgent": False,
                }
            )
        return steps

    def _get_overdue_text(self, contract, values):
        amount = values["currency"].format(values["overdue_amount"])
        if contract.payment_method == "direct_debit":
            return request.env._(
                "We could not collect %(amount)s from your bank account in time. "
                "Is there enough money in it? Or contact us.",
                amount=amount,
            )
        return request.env._(
            "Not paid in time: %(amount)s. Please pay this as soon as you can.",
            amount=amount,
        )

    # ------------------------------------------------------------------
    # FINANCE
    # ------------------------------------------------------------------

    @route("/my/finance", type="http", auth="user", website=True, readonly=True)
    def portal_my_finance(self, **kw):
        return request.render(
            "onergy_residents.portal_my_finance", self._prepare_finance_values(**kw)
        )

    def _prepare_finance_values(self, **kw):
        values = self._prepare_onergy_values("finance", **kw)
        contract = values["contract"]
        if not contract:
            return values
        partner = request.env.user.partner_id
        company = contract.company_id
        domain = self._get_bills_domain(contract)
        Move = request.env["account.move"]
        return {
            **values,
            "currency": company.currency_id,
            "balance": partner._onergy_get_balance(company),
            "debtor_number": partner.commercial_partner_id.debtor_number,
            "masked_account": self._get_masked_account(contract),
            # sudo: the supplier's account number is on every bill
            "company_account": company.sudo().partner_id.bank_ids[:1].acc_number,
            "advances": contract.advance_ids.sorted("date_from", reverse=True),
            "current_advance": contract._get_advance(
                fields.Date.context_today(contract)
            ),
            "bills": Move.search(
                domain, order="invoice_date desc, id desc", limit=BILLS_ON_FINANCE
            ),
            "bill_count": Move.search_count(domain),
            "payments": partner._onergy_get_payments(company, PAYMENTS_ON_FINANCE),
            **self._get_overdue(company),
            **self._prepare_next_advance(contract),
        }

    def _get_bills_domain(self, contract):
        """Return the bills of this home and those that belong to none in particular."""
        return (
            self._get_invoices_domain("out")
            & Domain(
                "partner_id", "child_of", request.env.user.commercial_partner_id.id
            )
            & Domain("company_id", "=", contract.company_id.id)
            & Domain("onergy_contract_id", "in", [contract.id, False])
        )

    def _get_overdue(self, company):
        """Return what should have been paid by now, over all homes of the resident."""
        today = fields.Date.context_today(request.env.user)
        ((total, count),) = request.env["account.move"]._read_group(
            Domain("partner_id", "child_of", request.env.user.commercial_partner_id.id)
            & Domain("company_id", "=", company.id)
            & Domain("state", "=", "posted")
            & Domain("move_type", "=", "out_invoice")
            & Domain("payment_state", "in", ["not_paid", "partial"])
            & Domain("invoice_date_due", "<", today),
            aggregates=["amount_residual_signed:sum", "__count"],
        )
        return {
            "overdue_amount": company.currency_id.round(total or 0),
            "overdue_count": count,
        }

    def _prepare_next_advance(self, contract):
        """Return date and amount of the next advance, false when none is to come.

        A bill that has been sent and is not yet due counts; else the first day of the
        next month on which the contract runs.
        """
        today = fields.Date.context_today(contract)
        bill = request.env["account.move"].search(
            self._get_bills_domain(contract)
            & Domain("onergy_move_kind", "=", "advance")
            & Domain("payment_state", "in", ["not_paid", "partial"])
            & Domain("invoice_date_due", ">=", today),
            order="invoice_date_due",
            limit=1,
        )
        if bill:
            date, amount = bill.invoice_date_due, bill.amount_residual
        else:
            date = max(today + relativedelta(months=1, day=1), contract.date_start)
            amount = contract._get_advance(date).amount
            if contract.date_end and contract.date_end < date:
                date = amount = False
        return {"next_advance_date": amount and date, "next_advance_amount": amount}

    # ------------------------------------------------------------------
    # BILLS
    # ------------------------------------------------------------------

    def _prepare_my_invoices_values(self, *args, **kwargs):
        values = super()._prepare_my_invoices_values(*args, **kwargs)
        contracts = self._get_portal_contracts()
        if contracts:
            values.update(
                active_tab="finance", contracts=contracts, contract=contracts[:1]
            )
        return values

    def _invoice_get_page_view_values(self, invoice, access_token, **kwargs):
        values = super()._invoice_get_page_view_values(invoice, access_token, **kwargs)
        values["is_resident"] = bool(self._get_portal_contracts())
        if values["is_resident"]:
            values.update(active_tab="finance", no_breadcrumbs=True)
        return values

    # ------------------------------------------------------------------
    # ODOO'S OWN ADDRESS PAGES
    # ------------------------------------------------------------------
    # They would let a resident rename the payer of a contract and change the e-mail
    # address without confirmation. Residents have /my/data and /my/onergy-account.

    @route()
    def account(self, **kwargs):
        if self._get_portal_contracts():
            return request.redirect("/my/data")
        return super().account(**kwargs)

    @route()
    def my_addresses(self, **query_params):
        if self._get_portal_contracts():
            return request.redirect("/my/data")
        return super().my_addresses(**query_params)

    @route()
    def portal_address(self, *args, **kwargs):
        if self._get_portal_contracts():
            return request.redirect("/my/data")
        return super().portal_address(*args, **kwargs)

    def _create_or_update_address(self, partner_sudo, **kwargs):
        if self._get_portal_contracts():
            raise Forbidden()
        return super()._create_or_update_address(partner_sudo, **kwargs)

    @route()
    def address_archive(self, partner_id):
        if self._get_portal_contracts():
            raise Forbidden()
        return super().address_archive(partner_id)
