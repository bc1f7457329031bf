from odoo.http import request

from odoo.addons.onergy_residents.controllers.notice import OnergyPortalNotice


class OnergyBillingNotice(OnergyPortalNotice):
    """What a resident gets back for an outage, beside its notice."""

    def _prepare_notice_values(self, contract, notices):
        values = super()._prepare_notice_values(contract, notices)
        currency = contract.company_id.currency_id
        due = request.env["onergy.notice"]._get_compensations(notices, contract)
        remarks = {
            notice_id: [self._get_compensation_text(currency.format(amount), is_paid)]
            for notice_id, (amount, is_paid) in due.items()
        }
        return {**values, "notice_remarks": remarks}

    def _get_compensation_text(self, amount, is_paid):
        if is_paid:
            return request.env._(
                "You got %(amount)s for this outage. It is on your bill.",
                amount=amount,
            )
        return request.env._(
            "You get %(amount)s for this outage. It comes on your next bill, within "
            "six months. You do not have to ask for it.",
            amount=amount,
        )
