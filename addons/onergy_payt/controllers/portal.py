from odoo.addons.onergy_residents.controllers.portal import OnergyPortal


class PaytPortal(OnergyPortal):
    """Payt on the residents' page with bills."""
