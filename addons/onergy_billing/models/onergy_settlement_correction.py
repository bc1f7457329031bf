from odoo import Command, api, models
from odoo.tools import SQL, format_date

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

    def _is_billed(self):
        """Whether the days of an original are on a bill that was not credited."""
        self.ensure_one()
        bills = self | self.correction_ids.filtered(
            lambda s: s.is_anew and s.state == "posted"
        )
        return bool(bills - self.correction_ids.takes_back_id)

    @api.model
    def _get_unbilled_condition(self, day=None):
        """SQL condition: the days of the original ``s`` were billed and credited again.

        A bill that was credited as a whole counts until the date of its credit note;
        one that was made in its place counts from its own date.

        :param day: how things stood at the end of this day; empty: now
        """
        until = SQL("AND m.date <= %s", day) if day else SQL()
        return SQL(
            """
            s.original_id IS NULL AND s.state = 'posted'
            AND s.id IN (SELECT original_id FROM onergy_settlement
                          WHERE takes_back_id IS NOT NULL)
            AND EXISTS (SELECT 1 FROM account_move m WHERE m.id = s.move_id %(until)s)
            AND NOT EXISTS (
                SELECT 1 FROM onergy_settlement bill
                  JOIN account_move m ON m.id = bill.move_id
                 WHERE (bill.id = s.id OR (bill.original_id = s.id AND bill.is_anew))
                   AND bill.state = 'posted' %(until)s
                   AND NOT EXISTS (
                       SELECT 1 FROM onergy_settlement back
                         JOIN account_move m ON m.id = back.move_id
                        WHERE back.takes_back_id = bill.id %(until)s))
            """,
            until=until,
        )

    def _create_corrections(self, run, with_readings):
        """Make the difference between what was billed and what should be.

        Advances that were invoiced or credited after the bill are settled with it.
        Nothing is made where nothing differs, so that doing it twice does it once. What
        was credited as a whole is billed anew.

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
        calculator = self.env["onergy.settlement.calculator"]
        results = calculator._calculate(periods)
        anew = {
            index: periods[index]
            for index, original in enumerate(originals)
            if original.part != "owner" and not original._is_billed()
        }
        before = calculator._get_comparisons(anew)
        average = calculator._get_averages(anew)
        values = []
        for index, original in enumerate(originals):
            vals = self._prepare_correction(run, original, results[index])
            if vals and vals.get("is_anew") and vals["state"] == "ready":
                vals.update(
                    self._prepare_anew(
                        results[index], before.get(index), average.get(index)
                    )
                )
            if vals:
                values.append(vals)
        return self.with_context(**QUIET).create(values)

    def _prepare_anew(self, result, before, average):
        """What a bill tells besides what is to be paid, when it is made anew."""
        use, loose = self._get_use(result)
        values = self._prepare_use(use, loose, before, average)
        contract = result.period.contract
        tariffs = self.env["onergy.tariff"]._get_tariffs(contract.complex_id)
        advice = self._get_advice(contract, result.period, result.bill, tariffs)
        return {
            **{name: value for name, value in values.items() if name != "use"},
            "cost_share_id": result.share.id if result.share else False,
            "advance_advice": float(advice),
        }

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
            "is_anew": not original._is_billed(),
            "snapshot": result.snapshot,
        }
        if result.errors:
            return {**vals, "state": "blocked", "errors": "\n".join(result.errors)}
        billed = original._get_billed()
        lines = difference(result.bill.lines, billed.line_ids._to_engine())
        bill = Bill(tuple(lines), result.bill.advances)
        is_same = not lines and not any(p.total or p.vat for p in bill.invoiced)
        if is_same and not vals["is_anew"]:
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
        day stay what they were; what it had settled is free again. Its days are due
        again, and the next run bills them anew.

        :param credit: the posted ``account.move`` that took the bill back
        """
        self.ensure_one()
        self.correction_ids.filtered(
            lambda s: s.state in ("ready", "blocked")
        ).action_cancel()
        self.with_context(**QUIET).create(self._prepare_taking_back(credit))
        self.advance_ids.write({"is_final": False})
        self.outage_payment_ids.unlink()
        self.message_post(body=self._get_taken_back_text(credit))

    def _get_taken_back_text(self, credit):
        """What happened, and how these days are billed again."""
        values = {
            "credit": credit.display_name,
            "day": format_date(self.env, self.date_from),
        }
        if self.original_id and not self.is_anew:
            return self.env._(
                "The bill was credited by %(credit)s. To make this correction again, "
                "make a run of corrections of bills with supply from %(day)s.",
                **values,
            )
        return self.env._(
            "The bill was credited by %(credit)s. Its days are on the list of due "
            "bills again; the next run bills them anew.",
            **values,
        )

    def _prepare_taking_back(self, credit):
        amounts = {
            name: -self[name] for name in (*self._prepare_amounts(Bill(())), "use")
        }
        opposite = ("amount", "vat_amount", "quantity")
        return {
            # In no run: none made it, and it is not one of the bills that one made.
            "original_id": (self.original_id or self).id,
            "takes_back_id": self.id,
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
