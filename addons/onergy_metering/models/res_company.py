from odoo import fields, models


class ResCompany(models.Model):
    _inherit = "res.company"

    onergy_keep_daily_months = fields.Integer(
        "Months to keep daily values",
        default=24,
        help="Older days and the readings they came from are removed once the bill of "
        "that year has been posted. Use per month stays.",
    )

    _onergy_keep_daily_enough = models.Constraint(
        "CHECK (onergy_keep_daily_months >= 13)",
        "Keep daily values for at least 13 months: each day is compared with the same "
        "day a year before.",
    )

    # On the server's disk: whoever sets it decides what the server reads.
    onergy_reading_folder = fields.Char("Watched folder", groups="base.group_system")
    onergy_reading_settle = fields.Integer(
        "Seconds a file must be unchanged", default=30, groups="base.group_system"
    )
    onergy_overview_from = fields.Date(
        "Monthly overview from",
        default=lambda self: fields.Date.context_today(self).replace(day=1),
        help="First month of which residents get an overview; empty: none is made.",
    )
    onergy_advice_body = fields.Text(
        "Advice on saving energy",
        default="Milieu Centraal, www.milieucentraal.nl",
        translate=True,
    )
    onergy_consumer_body = fields.Text(
        "Consumer information",
        default="ACM ConsuWijzer, www.consuwijzer.nl, 088 070 70 70",
        translate=True,
    )
    onergy_dispute_body = fields.Text(
        "Disputes",
        default="Geschillencommissie Energie, www.degeschillencommissie.nl",
        translate=True,
    )
    onergy_estimate_days = fields.Integer(
        "Estimate silent meters for days",
        default=30,
        help="Days without a reading are estimated from days like them, for so long. "
        "0: never by itself.",
    )
    onergy_watched_on = fields.Date(
        readonly=True,
        copy=False,
        groups="base.group_system",
        export_string_translation=False,
        help="Day on which the daily rules last began.",
    )

    def _onergy_get_retention(self):
        return [
            (
                self.env._("Your heat use per day"),
                self.env._("%(count)s months", count=self.onergy_keep_daily_months),
            ),
            *super()._onergy_get_retention(),
        ]
