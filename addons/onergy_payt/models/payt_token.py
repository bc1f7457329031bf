from odoo import fields, models


class PaytToken(models.Model):
    """The tokens of a connection and the next free moment to send.

    A table of its own: both change in transactions of their own while the connection
    itself may be locked. No group may read it; the code does so as superuser.
    """

    _name = "payt.token"
    _description = "Payt token"
    _log_access = False
    _rec_name = "connection_id"

    connection_id = fields.Many2one(
        "payt.connection", required=True, index=True, ondelete="cascade"
    )
    access_token = fields.Char(copy=False, groups="base.group_system")
    refresh_token = fields.Char(copy=False, groups="base.group_system")
    expires_at = fields.Float(
        digits=(16, 3),
        groups="base.group_system",
        help="Seconds since 1970; 0 means that the token does not expire.",
    )
    next_slot = fields.Float(
        digits=(16, 6),
        default=0.0,
        groups="base.group_system",
        help="Seconds since 1970: the first moment that no request has taken yet.",
    )

    _connection_uniq = models.UniqueIndex("(connection_id)")
