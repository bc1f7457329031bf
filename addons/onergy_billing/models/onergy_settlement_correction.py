from odoo import Command, models
from odoo.tools import format_date

from ..engine import Bill, difference
from .const import QUIET
from .onergy_settlement_calculator import Period


class OnergySettlement(models.Model):
    """Corrections: the difference between what was billed and what should be."""

    _inherit = "onergy.settlement"

    def _get_billed(self):
        """The original and all corrections of it that were posted."""
        self.ensure_one()
        return self | self.correction_ids.filtered(lambda s: s.state == "posted")

    def _create_corrections(self, run, with_readings):
        """Make the difference between what was billed and what should be.

        Advances that were invoiced or credited after the bill are settled with it.
        Nothing is made where nothing differs, so that doing it twice does it once.

        :param with_readings: use the readings as they are now, not as they were
        """
        originals = self.filtered(
            lambda s: (
                s.state == "posted"
                and not s.original_id
                and not s.correction_ids.filtered(
                    lambda c: c.state in ("ready", "blocked")
                )
            )
        )
        periods = [
            Period(
                s.contract_id,
                s.date_from,
                s.date_to,
                None if with_readings else s.snapshot,
                s.part,
            )
            for s in originals
        ]
        results = self.env["onergy.settlement.calculator"]._calculate(periods)
        values = []
        for original, result in zip(originals, results, strict=True):
            vals = self._prepare_correction(run, original, result)
            if vals:
                values.append(vals)
        return self.with_context(**QUIET).create(values)

    def _prepare_correction(self, run, original, result):
        vals = {
            "run_id": run.id,
            "original_id": original.id,
            "contract_id": original.contract_id.id,
            "part": original.part,
            "partner_id": original.partner_id.id,
            "date_from": original.date_from,
            "date_to": original.date_to,
            "is_final": original.is_final,
            "snapshot": result.snapshot,
        }
        if result.errors:
            return {**vals, "state": "blocked", "errors": "\n".join(result.errors)}
        billed = original._get_billed()
        lines = difference(result.bill.lines, billed.line_ids._to_engine())
        bill = Bill(tuple(lines), result.bill.advances)
        if not lines and not any(part.total or part.vat for part in bill.invoiced):
            return None
        vals.update(self._prepare_amounts(bill))
        # The difference, as the amounts: those of all bills add up to the use.
        exact = self.env["onergy.tariff"]._to_decimal
        use, _loose = self._get_use(result)
        use -= exact(sum(billed.mapped("use")), 3)
        if use:
            vals["reading_ids"] = self._prepare_readings(result)
        return {
            **vals,
            "state": "ready",
            "use": float(use),
            "line_ids": self._prepare_lines(bill),
            "advance_ids": self._prepare_advances(result),
        }

    def _take_back(self, credit):
        """Write down that a posted bill was credited as a whole.

        Kept as a correction with the opposite of all of it, so that the books of each
        day stay what they were; what it had settled is free again. A run of
        corrections then bills these days anew.

        :param credit: the posted ``account.move`` that took the bill back
        """
        self.ensure_one()
        self.correction_ids.filtered(
            lambda s: s.state in ("ready", "blocked")
        ).action_cancel()
        self.with_context(**QUIET).create(self._prepare_taking_back(credit))
        self.advance_ids.write({"is_final": False})
        self.outage_payment_ids.unlink()
        self.message_post(
            body=self.env._(
                "The bill was credited by %(credit)s. To bill these days again, make "
                "a run of corrections of bills with supply from %(day)s.",
                credit=credit.display_name,
                day=format_date(self.env, self.date_from),
            )
        )

    def _prepare_taking_back(self, credit):
        amounts = {
            name: -self[name] for name in (*self._prepare_amounts(Bill(())), "use")
        }
        opposite = ("amount", "vat_amount", "quantity")
        return {
            "run_id": self.run_id.id,
            "original_id": (self.original_id or self).id,
            "contract_id": self.contract_id.id,
            "part": self.part,
            "partner_id": self.partner_id.id,
            "date_from": self.date_from,
            "date_to": self.date_to,
            "is_final": self.is_final,
            "snapshot": self.snapshot,
            "state": "posted",
            "move_id": credit.id,
            **amounts,
            "line_ids": [
                Command.create(
                    {
                        **line.copy_data({"settlement_id": False})[0],
                        **{name: -line[name] for name in opposite},
                        "amount_before": line.amount,
                    }
                )
                for line in self.line_ids
            ],
        }
