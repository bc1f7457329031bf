from odoo import api, fields, models

from .onergy_outage import to_dutch_day


class OnergyNotice(models.Model):
    """An outage that residents are told of is also one they may be paid for."""

    _inherit = "onergy.notice"

    outage_id = fields.Many2one(
        "onergy.outage",
        "Registered outage",
        copy=False,
        check_company=True,
        index="btree_not_null",
        groups="onergy_residents.group_customer_service,"
        "onergy_residents.group_accountant",
    )

    def action_register_outage(self):
        """Open the outage of this notice in the register, made of it the first time.

        The register works out what residents are due; the notice keeps its hours.
        """
        self.ensure_one()
        if not self.outage_id:
            self.outage_id = self.env["onergy.outage"].create(
                self._prepare_outage_values()
            )
        return {
            "type": "ir.actions.act_window",
            "res_model": "onergy.outage",
            "res_id": self.outage_id.id,
            "view_mode": "form",
        }

    def _prepare_outage_values(self):
        self.ensure_one()
        is_announced = self.kind == "planned" and self.date_published
        return {
            "name": self.name,
            "company_id": self.company_id.id,
            # One complex: what is due depends on its earlier outages.
            "complex_id": self.complex_ids[:1].id,
            "connection_ids": self.connection_ids.ids,
            "date_start": self.date_start,
            "date_end": self.date_solved,
            "announced_on": is_announced and to_dutch_day(self, self.date_published),
        }

    def write(self, vals):
        result = super().write(vals)
        if {"date_start", "date_solved"} & vals.keys():
            self._sync_outage()
        return result

    def _sync_outage(self):
        """Let the register know when it began and when it was over."""
        # sudo: metering staff who close a notice may not write the register
        for record in self.sudo().filtered("outage_id"):
            if not record.outage_id.payment_ids:
                record.outage_id.write(
                    {"date_start": record.date_start, "date_end": record.date_solved}
                )

    @api.model
    def _get_compensations(self, notices, contract):
        """Return what the resident of a contract gets for each notice's outage.

        :return: {id of the notice: (amount, whether it is on a bill already)}
        """
        # sudo: the register is not for residents; only his own amount leaves here
        notices, contract = notices.sudo(), contract.sudo()
        result = {}
        for notice in notices:
            outage = notice.outage_id
            if outage.amount and outage._hits(contract):
                is_paid = contract in outage.payment_ids._filter_paid().contract_id
                result[notice.id] = (outage.amount, is_paid)
        return result
