"""Numbers as people read them, each in eight characters at most."""


def count(number: float | None) -> str:
    """1,234 below a hundred thousand, then 123k, 1.2M, 3.4G."""
    if number is None:
        return "-"
    whole = round(number)
    return f"{whole:,}" if abs(whole) < 100_000 else _scaled(whole, 1000, "kMG")


def rate(per_second: float | None) -> str:
    """With a decimal below ten, where it is not a round nothing."""
    if per_second is None or not 0 < per_second < 9.95:
        return count(per_second)
    return f"{per_second:.1f}"


def milliseconds(value: float | None) -> str:
    """0.12ms, 4.5ms, 850ms; from a second on as `seconds` says it."""
    if value is None:
        return "-"
    if value < 0.995:
        return f"{value:.2f}ms"
    if value < 9.95:
        return f"{value:.1f}ms"
    return f"{value:.0f}ms" if value < 999.5 else seconds(value / 1000)


def seconds(value: float | None) -> str:
    """0.4s, 12s, 3m20s, 5h07m, 12d."""
    if value is None:
        return "-"
    if value < 9.95:
        return f"{max(value, 0):.1f}s"
    whole = round(value)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 48 * 3600:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400:,}d"


def size(number: int | None) -> str:
    """Bytes in powers of 1024: 512B, 3.4M, 120M, 1.2G."""
    if number is None:
        return "-"
    return f"{number}B" if number < 1000 else _scaled(number, 1024, "kMGT")


def percent(fraction: float) -> str:
    return f"{100 * fraction:.0f}%"


def _scaled(number: float, base: int, units: str) -> str:
    """In the first unit that leaves three digits before the point, or else in the last."""
    for unit in units[:-1]:
        number /= base
        if abs(number) < 999.5:
            return _short(number, unit)
    return _short(number / base, units[-1])


def _short(number: float, unit: str) -> str:
    return f"{number:.0f}{unit}" if abs(number) >= 9.95 else f"{number:.1f}{unit}"
