from odoo import fields, models


class OnergyConnection(models.Model):
    _inherit = "onergy.connection"

    delivery_set_id = fields.Many2one(
        "onergy.delivery.set",
        "Rented delivery set",
        tracking=True,
        help="Empty: nothing is rented.",
    )

    def _get_service_set(self):
        """What is supplied, in the words of a tariff; empty for cooling only."""
        self.ensure_one()
        if self.service_heating and self.service_hot_water:
            return "heating_hot_water"
        if self.service_heating:
            return "heating"
        return "hot_water" if self.service_hot_water else False

    def _get_billed_components(self, part="all"):
        """Components that a payer of this connection is billed for.

        :param part: a key of :data:`~.const.PARTS`
        """
        self.ensure_one()
        if part == "owner":
            return ["delivery_set"] if self.delivery_set_id else []
        components = []
        if self._get_service_set():
            components += ["heat", "standing"]
        components.append("metering")
        if self.delivery_set_id and part == "all":
            components.append("delivery_set")
        if self.service_cooling:
            components.append("cooling")
        return components
