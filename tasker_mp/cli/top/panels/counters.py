"""Every counter of the supervisor, since its start and a second."""

from tasker_mp.cli.top.line import Line
from tasker_mp.cli.top.quantities import count, rate
from tasker_mp.cli.top.table import Column, Row, table
from tasker_mp.observation import Observation

_COLUMNS = (
    Column("counter", 100, least=22),
    Column("since the start", 90, right=True),
    Column("rate/s", 95, right=True, least=8),
)


def counters_panel(seen: Observation, width: int, height: int) -> list[Line]:
    rows = [
        Row((name.replace("_", " "), count(number), rate(seen.rates.stats.get(name))))
        for name, number in seen.snapshot.stats.items()
    ]
    return table("counters", _COLUMNS, rows, width, height)
