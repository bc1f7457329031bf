from odoo import api, models
from odoo.http import request

from ..http_headers import SECURITY_HEADERS


class IrHttp(models.AbstractModel):
    _inherit = "ir.http"

    @classmethod
    def _post_dispatch(cls, response):
        """Every page of the portal, ours or not: in no frame, on no robot's list."""
        result = super()._post_dispatch(response)
        path = request.httprequest.path
        is_ours = path == "/my" or path.startswith("/my/")
        if is_ours and response.mimetype == "text/html":
            for name, value in SECURITY_HEADERS.items():
                response.headers.setdefault(name, value)
        return result

    @api.model
    def get_frontend_session_info(self):
        """Let a resident's walk along the pages go on at the next page.

        Odoo tells the backend only whether tours are on, and forgets one that was
        started anywhere else.
        """
        info = super().get_frontend_session_info()
        user = self.env.user
        if user._is_portal():
            # sudo: residents may not read the settings of users
            info["tour_enabled"] = user.sudo().tour_enabled
        return info
