"""Money is an integer of 1e-9 USD; nothing here or elsewhere holds it in a float."""

from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import NewType

Nanos = NewType("Nanos", int)
AccountId = NewType("AccountId", int)

NANOS_PER_USD = 1_000_000_000
LARGEST_NANOS = 2**63 - 1
_NANOS = Decimal(NANOS_PER_USD)


def nanos_from_usd(usd: str | Decimal) -> Nanos:
    """USD as written by a person -> nanos, exactly.

    Raises:
        ValueError: not a plain decimal number, more than nine decimals, or beyond 64 bits.
    """
    try:
        exact = Context(prec=100, traps=[InvalidOperation, Overflow, Inexact]).multiply(Decimal(usd), _NANOS)
    except (InvalidOperation, Overflow):
        raise ValueError(f"{usd!r} is not an amount in USD") from None
    except Inexact:
        raise ValueError(f"{usd!r} has more than nine decimals") from None
    if not exact.is_finite():
        raise ValueError(f"{usd!r} is not an amount in USD")
    if exact != exact.to_integral_value():
        raise ValueError(f"{usd!r} has more than nine decimals")
    if abs(exact) > LARGEST_NANOS:
        raise ValueError(f"{usd!r} is too large")
    return Nanos(int(exact))


def usd_text(nanos: int) -> str:
    """Nanos -> USD with at least two decimals and no trailing zeros beyond them: `12.50`, `0.000000125`."""
    sign = "-" if nanos < 0 else ""
    whole, part = divmod(abs(nanos), NANOS_PER_USD)
    digits = f"{part:09d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole}.{digits}"
