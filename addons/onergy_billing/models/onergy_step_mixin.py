from odoo import api, models
from odoo.exceptions import AccessError


class OnergyStepMixin(models.AbstractModel):
    """What one person prepares and another approves, each with a button.

    Whoever may change a record could else write that somebody approved it.
    """

    _name = "onergy.step.mixin"
    _description = "Steps that are taken by buttons"

    #: Names of the fields that only buttons and jobs change.
    _guarded = frozenset()

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._check_guarded(vals)
        return super().create(vals_list)

    def write(self, vals):
        self._check_guarded(vals)
        return super().write(vals)

    @api.model
    def _check_guarded(self, vals):
        """Refuse to take a step otherwise than by its button.

        :raises AccessError: one of the guarded fields is among the values
        """
        if not self.env.su and self._guarded & vals.keys():
            raise AccessError(self.env._("Each step is taken by its button only."))

    def _write_step(self, vals):
        """Write what the buttons change, for who may change the record at all."""
        self.check_access("write")
        self.sudo().write(vals)  # sudo: nobody may write these by hand
