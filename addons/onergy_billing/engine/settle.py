"""From priced lines to the amount to pay, with VAT."""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from .money import net_of, spread

ZERO = Decimal("0.00")


@dataclass(frozen=True)
class Advance:
    """An advance that was invoiced, paid or not; a credited one is negative."""

    day: date
    net: Decimal
    vat: Decimal
    vat_rate: Decimal

    @property
    def total(self):
        return self.net + self.vat


@dataclass(frozen=True)
class VatPart:
    """Everything on a bill with one VAT rate."""

    vat_rate: Decimal
    total: Decimal
    net: Decimal
    vat: Decimal


@dataclass(frozen=True)
class Bill:
    """A settlement.

    VAT of the supply is that of its total per rate, not of each line. What is left to
    pay bears the VAT of the supply less the VAT that is on the advance invoices.

    :param lines: tuple of :class:`~.rating.Line`
    :param advances: tuple of :class:`Advance`
    :param compensation: paid to the resident for outages; damages bear no VAT
    """

    lines: tuple
    advances: tuple = ()
    compensation: Decimal = ZERO

    @property
    def supply(self):
        """VAT of what was delivered, by rate: list of :class:`VatPart`."""
        parts = []
        for rate in sorted({line.vat_rate for line in self.lines}):
            total = sum(line.amount for line in self.lines if line.vat_rate == rate)
            net = net_of(total, rate)
            parts.append(VatPart(rate, total, net, total - net))
        return parts

    @property
    def invoiced(self):
        """VAT of the advances, by rate: list of :class:`VatPart`."""
        parts = []
        for rate in sorted({advance.vat_rate for advance in self.advances}):
            advances = [a for a in self.advances if a.vat_rate == rate]
            net = sum(a.net for a in advances)
            vat = sum(a.vat for a in advances)
            parts.append(VatPart(rate, net + vat, net, vat))
        return parts

    @property
    def supply_total(self):
        return sum((part.total for part in self.supply), ZERO)

    @property
    def advance_total(self):
        return sum((part.total for part in self.invoiced), ZERO)

    @property
    def total(self):
        """To pay; negative: to pay back."""
        return self.supply_total - self.advance_total - self.compensation

    @property
    def vat(self):
        supply = sum((part.vat for part in self.supply), ZERO)
        return supply - sum((part.vat for part in self.invoiced), ZERO)

    @property
    def net(self):
        return self.total - self.vat

    def line_vat(self):
        """VAT of each line in cents, so that they add up to that of the supply."""
        result = [ZERO] * len(self.lines)
        for part in self.supply:
            indexes = [
                index
                for index, line in enumerate(self.lines)
                if line.vat_rate == part.vat_rate
            ]
            shares = spread(part.vat, [self.lines[i].amount for i in indexes])
            for index, share in zip(indexes, shares, strict=True):
                result[index] = share
        return result


def difference(new, old):
    """Lines that turn what was billed into what should have been.

    :param new: lines as they should be
    :param old: all lines billed so far, corrections included
    :return: lines with the amount that is missing, first those that fall away; empty
        when nothing is missing
    """
    billed, known = {}, {}
    for line in old:
        billed[line.key] = billed.get(line.key, ZERO) + line.amount
        known.setdefault(line.key, line)
    lines = []
    for line in new:
        before = billed.pop(line.key, ZERO)
        if line.amount != before:
            lines.append(replace(line, amount=line.amount - before, billed=before))
    gone = [
        replace(known[key], quantity=Decimal(0), amount=-amount, billed=amount)
        for key, amount in billed.items()
        if amount
    ]
    return gone + lines
