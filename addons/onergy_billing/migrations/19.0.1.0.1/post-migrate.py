from odoo import SUPERUSER_ID, api


def migrate(cr, version):
    """Prices are judged on each day they hold; days of an outage are Dutch ones."""
    env = api.Environment(cr, SUPERUSER_ID, {})
    env["onergy.tariff.line"].search([])._recheck_caps()
    outages = env["onergy.outage"].search([])
    env.add_to_compute(outages._fields["pay_before"], outages)
    outages.flush_recordset(["pay_before"])
