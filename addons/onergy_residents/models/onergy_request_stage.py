from odoo import fields, models


class OnergyRequestStage(models.Model):
    """A column of the requests board.

    ``state`` ties it to a meaning: what the resident reads and what an answer or a
    reply does to a request depend on the state, never on a stage's name.
    """

    _name = "onergy.request.stage"
    _description = "Request stage"
    _order = "sequence, id"

    name = fields.Char(required=True, translate=True)
    sequence = fields.Integer(default=10)
    fold = fields.Boolean(
        "Folded on the board", help="Show this column folded on the board."
    )
    state = fields.Selection(
        [
            ("new", "Received"),
            ("open", "In progress"),
            ("answered", "Answered"),
            ("closed", "Closed"),
        ],
        "What it means",
        required=True,
        default="open",
        help="Received and In progress: the resident waits for us. Answered: we wait "
        "for the resident. Closed: finished.",
    )
