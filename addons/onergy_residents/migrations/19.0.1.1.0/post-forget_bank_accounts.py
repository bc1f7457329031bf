from odoo import SUPERUSER_ID, api


def migrate(cr, version):
    """Forget the account numbers of who was made anonymous before.

    They were only archived.
    """
    env = api.Environment(cr, SUPERUSER_ID, {"tracking_disable": True})
    partners = env["res.partner"].with_context(active_test=False)
    partners.search([("onergy_anonymised", "=", True)])._onergy_forget_bank_accounts()
