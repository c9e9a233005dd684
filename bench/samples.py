"""What many measurements of the same thing come to."""

from collections.abc import Iterable


def percentile(ordered: list[float], percent: int) -> float:
    """Of ascending values; the next one measured, none made up in between."""
    return round(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)], 2)


def summary(values: Iterable[float], *percents: int) -> dict[str, float]:
    """`{"p50": …, "max": …}` of at least one value."""
    ordered = sorted(values)
    found = {f"p{percent}": percentile(ordered, percent) for percent in percents}
    return found | {"max": round(ordered[-1], 2)}
