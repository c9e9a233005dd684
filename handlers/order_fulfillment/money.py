"""Money: `Decimal` inside, a string with two places in results."""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

_CENT = Decimal("0.01")
_LARGEST = Decimal(1_000_000_000)


def amount(value: object) -> Decimal | None:
    """A JSON number or a numeric string as money, exactly as written; None where it is neither."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        # By its text: Decimal(0.1) would be 0.1000000000000000055…
        parsed = Decimal(str(value))
    except (InvalidOperation, ValueError):
        return None
    return parsed if parsed.is_finite() and abs(parsed) <= _LARGEST else None


def cents(value: Decimal) -> Decimal:
    """Rounded to two places, halves away from zero."""
    return value.quantize(_CENT, ROUND_HALF_UP)


def text(value: Decimal) -> str:
    """For a result: JSON has no decimals, and a float would not be exact."""
    return str(cents(value))
