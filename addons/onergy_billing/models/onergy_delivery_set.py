from odoo import fields, models


class OnergyDeliverySet(models.Model):
    """The device in a dwelling that takes heat from the network; rented by type."""

    _name = "onergy.delivery.set"
    _description = "Type of delivery set"
    _order = "sequence, name"

    name = fields.Char(required=True, translate=True)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)
