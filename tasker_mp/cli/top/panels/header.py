"""The lines on top: who, in what state, how much, and what is wrong."""

from rich.segment import Segment
from rich.style import Style

from tasker_mp.cli.top.line import Line, cut, fit, length, printable, span
from tasker_mp.cli.top.quantities import count, milliseconds, rate, seconds
from tasker_mp.cli.top.scene import Scene
from tasker_mp.cli.top.styles import BAD, BOLD, DIM, GOOD, PLAIN, STATES, TITLE, WARN
from tasker_mp.observation import Observation
from tasker_mp.snapshot import DatabaseSnapshot

_GAP = "   "

Fact = list[Segment]


def header(scene: Scene, width: int) -> list[Line]:
    """Two lines where they are wide, three where not, and one for each trouble."""
    seen = scene.seen
    if seen is None:
        return [fit(_fact("tasker-mp", "top", TITLE), width)]
    lines = [fit(_who(scene, seen, width), width)]
    lines += [fit(line, width) for line in _flow(_facts(seen), width)]
    return lines + [fit(line, width) for line in _troubles(scene, seen, width)]


def _who(scene: Scene, seen: Observation, width: int) -> Line:
    """The worker id takes what the rest leaves."""
    snapshot = seen.snapshot
    state = scene.state
    badge = f" {state.upper()} "
    rest: list[Fact] = [
        [span(f"up {seconds(seen.uptime)}")],
        [_database(snapshot.database)],
        [span(f"{snapshot.mode}", DIM)],
        [span(f"{snapshot.environment}", DIM)],
        [span(f"pid {snapshot.pid}", DIM)],
        [span(f"tasker-mp {snapshot.version}", DIM)],
    ]
    if snapshot.web_address:
        rest.append([span(snapshot.web_address, DIM)])
    name = cut(printable(snapshot.worker_id), max(12, width // 3))
    line: Line = [span(name, TITLE), span(" "), span(badge, STATES.get(state, BOLD))]
    for fact in rest:
        if length(line) + 2 + length(fact) <= width:
            line += [span("  "), *fact]
    return line


def _database(database: DatabaseSnapshot) -> Segment:
    if not database.connected:
        return span("database AWAY", BAD)
    return span(f"database up, {database.pool_idle}/{database.pool_size} idle", GOOD)


def _facts(seen: Observation) -> list[Fact]:
    """In the order of their importance."""
    snapshot, rates = seen.snapshot, seen.rates
    oldest = seen.oldest_queued_ms
    ready = "unknown" if seen.queued is None else count(seen.queued)
    facts = [
        _fact("in", f"{rate(rates.stages.get('claim', 0.0))}/s"),
        _fact("out", f"{rate(rates.steps)}/s"),
        _fact("tasks", f"{rate(rates.tasks)}/s"),
        _fact("ready", ready),
        _fact("oldest", milliseconds(oldest) if oldest else "-"),
        _fact("in flight", f"{count(snapshot.in_flight)}/{count(snapshot.max_in_flight)}"),
    ]
    stats = snapshot.stats
    for name, style in (
        ("failed", BAD), ("quarantined", BAD), ("crashed", BAD), ("timed_out", WARN),
        ("retried", WARN), ("succeeded", PLAIN), ("stale_results", WARN),
    ):  # fmt: skip
        if stats.get(name):
            facts.append(_fact(name.replace("_", " "), count(stats[name]), style))
    lag = seen.percentiles("lag")[1]
    if lag is not None:
        facts.append(_fact("loop lag p99", milliseconds(lag)))
    if seen.supervisor.cpu_percent is not None:
        facts.append(_fact("supervisor", f"{seen.supervisor.cpu_percent:.0f}% cpu"))
    return facts


def _fact(name: str, value: str, style: Style = BOLD) -> Fact:
    return [span(f"{name} ", DIM), span(value, style)]


def _flow(facts: list[Fact], width: int) -> list[Line]:
    """On one line from 120 columns on, else on two; what does not fit is left out."""
    lines: list[Line] = [[]] if width >= 120 else [[], []]
    for fact in facts:
        for line in lines:
            gap = _GAP if line else ""
            if length(line) + len(gap) + length(fact) <= width:
                line += [span(gap), *fact]
                break
    return lines


def _troubles(scene: Scene, seen: Observation, width: int) -> list[Line]:
    snapshot = seen.snapshot
    found: list[tuple[str, Style]] = []
    if scene.gone_for is not None:
        since = seconds(scene.gone_for)
        found.append((f"the supervisor is gone for {since}; what it said last is below", BAD))
    elif scene.state == "silent":
        found.append(
            (f"nothing from the supervisor for {seconds(seen.age)}: stopped or stuck", BAD)
        )
    if not snapshot.database.connected:
        found.append((_away(snapshot.database, snapshot.written_ns), BAD))
    elif snapshot.starvation:
        found.append((snapshot.starvation, WARN))
    if scene.trouble:
        found.append((scene.trouble, BAD))
    return [[span(cut(f"! {printable(text)}", width), style)] for text, style in found]


def _away(database: DatabaseSnapshot, now_ns: int) -> str:
    since = database.trouble_since_ns
    how_long = f" for {seconds((now_ns - since) / 1e9)}" if since else ""
    return f"the database is away{how_long}: {database.trouble or 'no answer'}"
