from odoo import fields, models


class PaytCursor(models.Model):
    """How far a list of Payt has been read."""

    _name = "payt.cursor"
    _description = "Payt watermark"
    _order = "connection_id, resource"
    _rec_name = "resource"

    connection_id = fields.Many2one(
        "payt.connection", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(
        related="connection_id.company_id", store=True, index=True
    )
    resource = fields.Char(required=True)
    watermark = fields.Datetime(
        help="The newest change that was seen. It moves only when a whole list has "
        "been read, and not at all when the list was empty."
    )
    last_run = fields.Datetime()
    last_try = fields.Datetime(help="The last time it was read or refused.")
    last_count = fields.Integer("Rows in the last run")
    unmatched_count = fields.Integer(
        "Not ours", help="Rows of the last run that belong to no record in Odoo."
    )
    last_error = fields.Char()

    _resource_uniq = models.UniqueIndex("(connection_id, resource)")
