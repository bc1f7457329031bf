from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL


class OnergyAccessLog(models.Model):
    """Which member of staff looked at which resident's data, once per hour.

    Written by ``onergy.logged.mixin`` only, in one statement; nobody edits it.
    """

    _name = "onergy.access.log"
    _description = "View of a resident's data"
    _log_access = False
    _order = "moment desc, id desc"
    _rec_name = "moment"

    moment = fields.Datetime("Hour", required=True, readonly=True)
    user_id = fields.Many2one(
        "res.users", "Who", required=True, readonly=True, index=True, ondelete="cascade"
    )
    partner_id = fields.Many2one(
        "res.partner",
        "Resident",
        required=True,
        readonly=True,
        index=True,
        ondelete="cascade",
    )
    company_id = fields.Many2one("res.company", readonly=True, index=True)
    res_model = fields.Char("Kind", required=True, readonly=True)
    res_id = fields.Many2oneReference(
        "Number of the record", model_field="res_model", required=True, readonly=True
    )
    how = fields.Selection(
        [("form", "Opened"), ("export", "Exported")], required=True, readonly=True
    )
    what = fields.Char(compute="_compute_what")

    _once_per_hour = models.UniqueIndex("(user_id, res_model, res_id, how, moment)")

    def _compute_what(self):
        names = {
            model.model: model.name
            for model in self.env["ir.model"]
            .sudo()  # sudo: names of models are no secret
            .search([("model", "in", list(set(self.mapped("res_model"))))])
        }
        for line in self:
            line.what = names.get(line.res_model, line.res_model)

    # Neither goes on to the ORM: the log is written by _note alone.
    def create(self, vals_list):  # pylint: disable=method-required-super
        raise UserError(self._get_immutable_message())

    def write(self, vals):  # pylint: disable=method-required-super
        raise UserError(self._get_immutable_message())

    @api.ondelete(at_uninstall=False)
    def _unlink_never(self):
        raise UserError(self._get_immutable_message())

    @api.model
    def _get_immutable_message(self):
        return self.env._("The log of views cannot be changed.")

    @api.model
    def _note(self, records, partners, how):
        """Note that this user sees ``records``; contacts that are no payer are not.

        :param partners: the resident of each record, in the same order
        :param str how: ``form`` or ``export``
        """
        if not records:
            return
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO onergy_access_log
                       (moment, user_id, partner_id, company_id, res_model, res_id, how)
                SELECT date_trunc('hour', now() AT TIME ZONE 'UTC'), %(user)s,
                       seen.partner_id, payer.company_id, %(model)s, seen.res_id,
                       %(how)s
                  FROM unnest(%(records)s, %(partners)s) AS seen(res_id, partner_id)
                 CROSS JOIN LATERAL (
                    SELECT company_id FROM onergy_contract
                     WHERE partner_id = seen.partner_id
                     ORDER BY date_start DESC LIMIT 1
                 ) payer
                ON CONFLICT DO NOTHING
                """,
                user=self.env.uid,
                model=records._name,
                how=how,
                records=list(records.ids),
                partners=[partner.id for partner in partners],
            )
        )
