from odoo import fields, models


class OnergyMoveForget(models.Model):
    """What a move says of people goes in time; who paid until when stays."""

    _inherit = "onergy.move"

    forgotten = fields.Boolean(
        "Personal data removed", readonly=True, copy=False, groups="base.group_user"
    )

    def _get_undo_problems(self):
        problems = super()._get_undo_problems()
        # sudo: whoever undoes a move may know that it is too late
        if self.sudo().forgotten:
            problems.append(self.env._("What there was before it is no longer kept."))
        return problems

    def _forget(self):
        """Remove what these moves say of anybody, with their chatter. As superuser."""
        self.with_context(tracking_disable=True).write(
            {
                "new_street": False,
                "new_zip": False,
                "new_city": False,
                "new_country_id": False,
                "date_death": False,
                "contact_name": False,
                "contact_email": False,
                "contact_phone": False,
                "note": False,
                "undo_values": False,
                "forgotten": True,
            }
        )
        self._forget_next()
        self.activity_ids.unlink()

    def _forget_next(self):
        """Remove what was told of who comes next, and what was said about it."""
        moves = self.with_context(tracking_disable=True)
        moves.write({"next_name": False, "next_email": False, "next_phone": False})
        moves.message_ids.unlink()
