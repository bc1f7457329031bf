from ipaddress import ip_address, ip_network

from odoo import api, fields, models
from odoo.exceptions import ValidationError


class PaytConnection(models.Model):
    """From where Payt may call us."""

    _inherit = "payt.connection"

    webhook_sources = fields.Char(
        "Webhooks only from",
        copy=False,
        groups="base.group_system",
        help="Internet addresses or networks, with commas between them. Empty = from "
        "anywhere: the signature is what counts. Behind a proxy this needs Odoo's "
        "proxy mode, else every webhook seems to come from the proxy.",
    )

    @api.constrains("webhook_sources")
    def _check_webhook_sources(self):
        for connection in self:
            for text in connection._get_webhook_sources():
                try:
                    ip_network(text, strict=False)
                except ValueError:
                    raise ValidationError(
                        self.env._(
                            "“%s” is no internet address or network. Write it as "
                            "192.0.2.1 or 192.0.2.0/24.",
                            text,
                        )
                    ) from None

    def _get_webhook_sources(self):
        self.ensure_one()
        texts = (self.webhook_sources or "").split(",")
        return [text.strip() for text in texts if text.strip()]

    def _is_webhook_source(self, address):
        """Whether a webhook from this internet address is listened to."""
        sources = self._get_webhook_sources()
        if not sources:
            return True
        try:
            caller = ip_address(address or "")
        except ValueError:
            return False
        caller = getattr(caller, "ipv4_mapped", None) or caller
        return any(caller in ip_network(text, strict=False) for text in sources)
