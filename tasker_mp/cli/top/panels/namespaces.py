"""The namespaces that are served: what waits in their queues, and how fast they go."""

from tasker_mp.cli.top.choice import Choice
from tasker_mp.cli.top.line import Line, printable, span
from tasker_mp.cli.top.quantities import count, milliseconds, rate
from tasker_mp.cli.top.scene import namespaces
from tasker_mp.cli.top.styles import BAD, GOOD, PLAIN, WARN
from tasker_mp.cli.top.table import Column, Row, table
from tasker_mp.observation import Observation
from tasker_mp.snapshot import NamespaceSnapshot

_COLUMNS = (
    Column("namespace", 100, flexible=True, least=18),
    Column("ready", 90, right=True, least=7),
    Column("oldest", 70, right=True, least=7),
    Column("rate/s", 80, right=True, least=6),
    Column("done", 50, right=True, least=7),
    Column("errors", 75, right=True, least=6),
    Column("state", 60, least=7),
)


def namespaces_panel(seen: Observation, choice: Choice, width: int, height: int) -> list[Line]:
    rows = [_row(seen, namespace) for namespace in namespaces(seen, choice)]
    return table("namespaces", _COLUMNS, rows, width, height)


def _row(seen: Observation, namespace: NamespaceSnapshot) -> Row:
    serving = seen.snapshot.state == "running"
    state = span("serving" if serving else seen.snapshot.state, GOOD if serving else WARN)
    return Row(
        (
            printable(namespace.name),
            count(namespace.queued),
            milliseconds(namespace.oldest_ms or None),
            rate(seen.rates.namespaces.get(namespace.name)),
            count(namespace.finished),
            span(count(namespace.failed), BAD if namespace.failed else PLAIN),
            state,
        ),
    )
