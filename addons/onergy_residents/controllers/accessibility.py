from odoo.http import Controller, request, route

from ..http_headers import FRAME_HEADERS


class OnergyAccessibility(Controller):
    @route(
        "/onergy/accessibility",
        type="http",
        auth="public",
        website=True,
        readonly=True,
        methods=["GET"],
    )
    def accessibility(self):
        """What the pages promise to people who read, hear or type otherwise."""
        return request.render(
            "onergy_residents.accessibility_statement", headers=FRAME_HEADERS
        )
