"""How the database and the supervisor's own tables are."""

from tasker_mp.cli.top.line import Line, cut, fit, rule, span
from tasker_mp.cli.top.quantities import count, percent, seconds, size
from tasker_mp.cli.top.styles import BAD, BOLD, DIM, PLAIN, WARN
from tasker_mp.observation import Observation

_BLOATED = 0.5
"""Dead tuples for a living one: vacuum does not keep up."""
_OLD_TRANSACTION = 60.0
"""Seconds after which an open transaction, which keeps dead tuples alive, is worth a look."""


def health_panel(seen: Observation, width: int) -> list[Line]:
    """Three lines."""
    tables = seen.snapshot.database.tables
    if tables is None:
        return [rule("tables", width), fit([span(" not asked yet", DIM)], width)]
    share = tables.dead_tuples / max(tables.live_tuples, 1)
    bloated = share > _BLOATED and tables.dead_tuples > 10_000
    oldest = tables.oldest_transaction_seconds
    rows = [
        span(" dead tuples ", DIM),
        span(
            f"{count(tables.dead_tuples)} of {count(tables.live_tuples)} live",
            BAD if bloated else BOLD,
        ),
        span(f" ({percent(share)})", PLAIN),
        span("   size ", DIM),
        span(size(tables.bytes), BOLD),
    ]
    transaction = [
        span(" oldest transaction ", DIM),
        span(seconds(oldest), WARN if oldest > _OLD_TRANSACTION else BOLD),
        span(cut("   keeps dead tuples alive" if oldest > _OLD_TRANSACTION else "", width), WARN),
    ]
    return [rule("tables", width), fit(rows, width), fit(transaction, width)]
