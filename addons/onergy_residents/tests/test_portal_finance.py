from odoo.tests import tagged

from .portal_common import PortalCase


@tagged("post_install", "-at_install")
class TestPortalFinance(PortalCase):
    def test_another_residents_home_is_not_found(self):
        page = self.open_as("resident", "/my/finance")
        self.assertIn('aria-current="page"', page)
        self.open_as("resident", f"/my/finance?contract_id={self.contract.id}")
        for contract in (self.other_contract, self.past_contract):
            self.open_as("resident", f"/my/finance?contract_id={contract.id}", 404)
        self.open_as("resident", "/my/finance?contract_id=1x", 404)
