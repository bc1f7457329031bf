from werkzeug.exceptions import NotFound

from odoo.http import request, route

from odoo.addons.portal.controllers.portal import CustomerPortal


class OnergyPortal(CustomerPortal):
    """The residents' pages in Odoo's customer portal."""

    # ------------------------------------------------------------------
    # SHELL
    # ------------------------------------------------------------------

    def _get_portal_contracts(self):
        """Return the contracts of the person who is logged in, current ones first.

        The domain repeats what the record rule says for portal users: staff, who
        may read every contract, are not shown other people's homes as their own.
        """
        Contract = request.env["onergy.contract"]
        if not Contract.has_access("read"):
            return Contract
        contracts = Contract.search(
            [("partner_id", "child_of", request.env.user.commercial_partner_id.id)]
        )
        rank = {"running": 0, "future": 1, "ended": 2}
        return contracts.sorted(lambda contract: rank[contract.state])

    def _get_selected_contract(self, contract_id=None, **kw):
        """Return the contract that the page is about, empty if he has none.

        :param contract_id: as it came in the address; without it the current home
        :raise NotFound: it is not one of his contracts
        """
        return self._select_contract(self._get_portal_contracts(), contract_id)

    def _select_contract(self, contracts, contract_id):
        if not contract_id:
            return contracts[:1]
        if not str(contract_id).isdecimal():
            raise NotFound()
        selected = contracts.filtered(lambda contract: contract.id == int(contract_id))
        if not selected:
            raise NotFound()
        return selected

    def _prepare_onergy_values(self, active_tab, contract_id=None, **kw):
        """Return what ``portal_layout_onergy`` needs; pages add their own values.

        :param str active_tab: name of the tab that is open, see ``portal_tabs``
        :param contract_id: the home that was chosen, as it came in the address
        """
        contracts = self._get_portal_contracts()
        contract = self._select_contract(contracts, contract_id)
        return {
            **self._prepare_portal_layout_values(),
            "page_name": f"onergy_{active_tab}",
            "active_tab": active_tab,
            "contracts": contracts,
            "contract": contract,
            "contract_query": f"?contract_id={contract.id}" if contract_id else "",
        }

    # ------------------------------------------------------------------
    # FINANCE
    # ------------------------------------------------------------------

    @route("/my/finance", type="http", auth="user", website=True, readonly=True)
    def portal_my_finance(self, **kw):
        return request.render(
            "onergy_residents.portal_my_finance", self._prepare_finance_values(**kw)
        )

    def _prepare_finance_values(self, **kw):
        return self._prepare_onergy_values("finance", **kw)
