from collections import defaultdict
from decimal import Decimal

from odoo import Command, models
from odoo.tools import SQL, format_list

from ..engine import Cost, NothingMetered, Share, allocate
from ..engine.meters import worst
from .onergy_billing_run import BATCH
from .onergy_settlement_calculator import Period

#: Addresses that a message names at most.
MANY = 5


class OnergyCostStatement(models.Model):
    """Sharing the costs out: once per statement, for all its bills."""

    _inherit = "onergy.cost.statement"

    def _share_out(self):
        """Make the shares anew.

        :return: what is missing, as texts; no shares are made then
        """
        self.ensure_one()
        # sudo: shares are worked out, nobody writes them himself
        statement = self.sudo().with_company(self.company_id)
        periods = statement._get_periods()
        problems = [
            *statement._get_line_problems(),
            *statement._get_home_problems(periods),
        ]
        if not periods:
            problems.append(
                self.env._("Nobody pays for a dwelling of this complex on these days.")
            )
        if problems:
            return problems
        uses = []
        for start in range(0, len(periods), BATCH):
            uses += self.env["onergy.settlement.calculator"]._get_uses(
                periods[start : start + BATCH]
            )
        problems = [error for _uses, _snapshot, error in uses if error]
        if problems:
            return problems
        try:
            statement._replace_shares(periods, uses)
        except NothingMetered as error:
            return [
                self.env._(
                    "Nothing was metered to share %(cost)s out by. Make its fixed part "
                    "100 %%.",
                    cost=self.line_ids.browse(error.cost.key).name,
                )
            ]
        return []

    def _get_periods(self):
        """The days of each contract in these days, in a fixed order."""
        contracts = self.env["onergy.contract"].search(
            [
                ("complex_id", "=", self.complex_id.id),
                ("date_start", "<=", self.date_to),
                "|",
                ("date_end", "=", False),
                ("date_end", ">=", self.date_from),
            ],
            order="connection_id, date_start, id",
        )
        return [
            Period(
                contract,
                max(contract.date_start, self.date_from),
                min(contract.date_end or self.date_to, self.date_to),
            )
            for contract in contracts
        ]

    # -- what is missing -----------------------------------------------------------

    def _get_line_problems(self):
        if not self.line_ids:
            yield self.env._("Fill in the costs first.")
        rates = self.env["onergy.vat.rate"]
        for rate in set(self.line_ids.mapped("vat_rate")) - {0.0}:
            rates._get_tax(self.company_id, rate)  # tells itself what is missing

    def _get_home_problems(self, periods):
        homes = self.env["onergy.connection"].union(
            *(period.contract.connection_id for period in periods)
        )
        unknown = homes.filtered(lambda home: not home.floor_area)
        has_fixed = any(line.fixed_percent for line in self.line_ids)
        if unknown and has_fixed and self.fixed_key == "area":
            yield self.env._(
                "The floor area is not known of: %(homes)s",
                homes=self._list_homes(unknown),
            )
        if unpaid := self._get_unpaid_homes():
            yield self.env._(
                "Nobody pays on some of these days for: %(homes)s. Give the owner a "
                "contract for the days that a dwelling was empty.",
                homes=self._list_homes(unpaid),
            )

    def _list_homes(self, homes):
        names = homes[:MANY].mapped("name")
        if len(homes) > MANY:
            names.append(self.env._("%(count)s more", count=len(homes) - MANY))
        return format_list(self.env, names)

    def _get_unpaid_homes(self):
        """Connections with a day of supply in these days that no contract covers."""
        self.env.flush_all()
        rows = self.env.execute_query(
            SQL(
                """
                SELECT h.id
                  FROM onergy_connection h
                  JOIN onergy_contract c ON c.connection_id = h.id AND c.active
                 WHERE h.complex_id = %(complex)s AND h.active
                 GROUP BY h.id
                HAVING sum(GREATEST(0, LEAST(c.date_end, %(last)s)
                                    - GREATEST(c.date_start, %(first)s) + 1))
                       < %(last)s - GREATEST(
                           %(first)s, COALESCE(h.supply_start, min(c.date_start))) + 1
                """,
                complex=self.complex_id.id,
                first=self.date_from,
                last=self.date_to,
            )
        )
        return self.env["onergy.connection"].browse(row[0] for row in rows)

    # -- shares --------------------------------------------------------------------

    def _replace_shares(self, periods, uses):
        exact = self.env["onergy.tariff"]._to_decimal
        costs = [
            Cost(
                line.id,
                exact(line.amount, 2),
                exact(line.fixed_percent, 2),
                line.component,
            )
            for line in self.line_ids
        ]
        shares = [
            Share(
                period.contract.id,
                self._get_weight(period),
                {name: use for name, (use, _basis) in found.items()},
            )
            for period, (found, *_rest) in zip(periods, uses, strict=True)
        ]
        amounts = defaultdict(list)
        for (line_id, contract_id), parts in allocate(costs, shares).items():
            amounts[contract_id].append((line_id, *parts))
        values = [
            self._prepare_share(period, share, *found[:2], amounts[share.key])
            for period, share, found in zip(periods, shares, uses, strict=True)
        ]
        self._write_shares(values)

    def _write_shares(self, values):
        """Keep the shares that bills refer to; those of nobody any more become zero."""
        known = {share.contract_id.id: share for share in self.share_ids}
        self.share_ids.amount_ids.unlink()
        for vals in values:
            if vals["contract_id"] in known:
                known.pop(vals["contract_id"]).write(vals)
                vals.clear()
        self.env["onergy.cost.share"].create([vals for vals in values if vals])
        gone = self.share_ids.browse([share.id for share in known.values()])
        billed = self.env["onergy.settlement"].search(
            [("cost_share_id", "in", gone.ids)]
        )
        gone.write({"fixed_amount": 0.0, "metered_amount": 0.0, "amount": 0.0})
        (gone - billed.cost_share_id).unlink()

    def _prepare_share(self, period, share, uses, snapshot, amounts):
        fixed = sum((fixed for _line, fixed, _metered in amounts), Decimal(0))
        metered = sum((metered for _line, _fixed, metered in amounts), Decimal(0))
        return {
            "statement_id": self.id,
            "contract_id": share.key,
            "date_from": period.start,
            "date_to": period.end,
            "days": (period.end - period.start).days + 1,
            "weight": float(share.weight),
            "use_heat": float(share.use["heat"]),
            "use_cooling": float(share.use["cooling"]),
            "basis": worst(basis for _use, basis in uses.values()),
            "snapshot": snapshot,
            "fixed_amount": float(fixed),
            "metered_amount": float(metered),
            "amount": float(fixed + metered),
            "amount_ids": [
                Command.create(
                    {
                        "line_id": line_id,
                        "fixed_amount": float(fixed),
                        "metered_amount": float(metered),
                    }
                )
                for line_id, fixed, metered in amounts
            ],
        }

    def _get_weight(self, period):
        """What the fixed part is reckoned by: days, or m² times days."""
        days = Decimal((period.end - period.start).days + 1)
        if self.fixed_key == "equal":
            return days
        exact = self.env["onergy.tariff"]._to_decimal
        return days * exact(period.contract.connection_id.floor_area, 1)

    def _get_wholes(self):
        """What everybody together is reckoned by and pays.

        :return: dict with ``weight``, ``heat`` and ``cooling`` (GJ), and the euros of
            each part of a cost by (``fixed`` or ``metered``, cost id), all Decimal
        """
        self.ensure_one()
        exact = self.env["onergy.tariff"]._to_decimal
        ((weight, heat, cooling),) = self.env["onergy.cost.share"]._read_group(
            [("statement_id", "=", self.id), ("amount_ids", "!=", False)],
            aggregates=["weight:sum", "use_heat:sum", "use_cooling:sum"],
        )
        wholes = {
            "weight": exact(weight or 0, 3),
            "heat": exact(heat or 0, 3),
            "cooling": exact(cooling or 0, 3),
        }
        for line, fixed, metered in self.env["onergy.cost.amount"]._read_group(
            [("share_id.statement_id", "=", self.id)],
            ["line_id"],
            ["fixed_amount:sum", "metered_amount:sum"],
        ):
            wholes["fixed", line.id] = exact(fixed, 2)
            wholes["metered", line.id] = exact(metered, 2)
        return wholes
