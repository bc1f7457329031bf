from odoo import api, models


class IrHttp(models.AbstractModel):
    _inherit = "ir.http"

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
