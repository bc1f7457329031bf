"""Rounding of money."""

from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


def round_to(value, step):
    """``value`` at the nearest multiple of ``step``; halves go away from zero."""
    return (value / step).quantize(Decimal(1), ROUND_HALF_UP) * step


def round_cent(value):
    """``value`` in whole cents, half up."""
    return value.quantize(CENT, ROUND_HALF_UP)


def net_of(total, rate):
    """The part of ``total`` that is not VAT.

    :param Decimal total: amount including VAT
    :param Decimal rate: VAT in percent
    """
    return round_cent(total / (1 + rate / 100))


def spread(total, weights):
    """Share ``total`` out in cents in proportion to ``weights``.

    Largest remainder: each share is off by less than a cent and together they are
    exactly ``total``.

    :param Decimal total: whole cents
    :param list weights: Decimals; when they sum to zero the first takes all
    """
    if not weights:
        return []
    whole = sum(weights)
    if not whole:
        return [total] + [Decimal("0.00")] * (len(weights) - 1)
    exact = [total * weight / whole for weight in weights]
    shares = [value.quantize(CENT, ROUND_DOWN) for value in exact]
    missing = int((total - sum(shares)) / CENT)
    step = CENT if missing > 0 else -CENT
    order = sorted(
        range(len(exact)),
        key=lambda index: (exact[index] - shares[index]) / step,
        reverse=True,
    )
    for index in range(abs(missing)):
        shares[order[index % len(order)]] += step
    return shares
