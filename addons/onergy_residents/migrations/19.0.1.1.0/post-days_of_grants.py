from odoo import SUPERUSER_ID, api


def migrate(cr, version):
    """Let the days of given access be those of the homes, not of the viewer's zone.

    The rules are not updated by themselves (noupdate).
    """
    env = api.Environment(cr, SUPERUSER_ID, {})
    granted = """("grant_ids", "any", [
        ("partner_id", "=", user.partner_id.id), ("state", "=", "active"),
    ])"""
    own = """("partner_id", "child_of", user.commercial_partner_id.id)"""
    for name, domain in (
        ("contract", f"['|', {own}, {granted}]"),
        ("connection", f"[('contract_ids', 'any', ['|', {own}, {granted}])]"),
    ):
        rule = env.ref(f"onergy_residents.rule_{name}_portal", raise_if_not_found=False)
        if rule:
            rule.domain_force = domain
