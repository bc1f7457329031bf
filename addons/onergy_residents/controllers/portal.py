from odoo.addons.portal.controllers.portal import CustomerPortal


class OnergyPortal(CustomerPortal):
    """The residents' pages in Odoo's customer portal."""
