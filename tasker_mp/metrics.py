"""What is observed of a supervisor, as Prometheus text (format 0.0.4)."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from tasker_mp.histogram import BUCKETS, upper_bound
from tasker_mp.observation import Observation
from tasker_mp.snapshot import Durations, Snapshot
from tasker_mp.usage import Usage

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_BOUNDS: Final = tuple(1 << power for power in range(6, 27))
"""Microseconds, 64 µs to 67 s: powers of two, which are bounds of the histograms' buckets."""
_PLACES: Final = tuple(
    next(i + 1 for i in range(BUCKETS) if upper_bound(i) == bound) for bound in _BOUNDS
)
"""How many of the buckets lie below each bound."""
_STATES: Final = ("starting", "running", "paused", "draining", "stopped")

Labels = Mapping[str, object]


class Sample(NamedTuple):
    """`suffix` is that of a histogram's series."""

    value: float
    labels: Labels = MappingProxyType({})
    suffix: str = ""


class Metric(NamedTuple):
    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: Iterable[Sample]


def prometheus(seen: Observation) -> str:
    """Names end in their unit; counters count over the supervisor's life."""
    return "".join(map(_text, _metrics(seen)))


def _metrics(seen: Observation) -> Iterator[Metric]:
    yield from _supervisor(seen)
    yield from _counters(seen.snapshot)
    yield from _stages(seen.snapshot)
    yield from _queues(seen.snapshot)
    yield from _workers(seen)
    yield from _processes(seen)
    yield from _database(seen)


# -- what there is ----------------------------------------------------------------------------


def _supervisor(seen: Observation) -> Iterator[Metric]:
    s = seen.snapshot
    names = {"worker_id": s.worker_id, "environment": s.environment, "version": s.version}
    yield _gauge("info", "The supervisor; always 1.", 1, **names, mode=s.mode)
    yield _gauge("start_time_seconds", "When the supervisor started, Unix time.", s.started_at)
    yield _gauge("status_age_seconds", "How old these figures are: large where it hangs.", seen.age)
    states = [Sample(s.state == state, {"state": state}) for state in _STATES]
    yield Metric("tasker_state", "gauge", "1 for the state that the supervisor is in.", states)
    starved = s.starvation is not None
    yield _gauge("starved", "1 while work is ready and nothing is begun.", starved)
    yield _gauge("listening", "1 while announcements of work are heard.", s.listening)
    yield _gauge("handlers", "Handlers that the workers have loaded.", s.handlers)
    yield _gauge("steps_in_flight", "Steps that are claimed and not committed.", s.in_flight)
    yield _gauge("steps_in_flight_max", "[worker] max_in_flight.", s.max_in_flight)
    lag = "How late the supervisor's loop woke up."
    yield Metric("tasker_loop_lag_seconds", "histogram", lag, _histogram(s.lag, {}))


_COUNTERS: Final = {
    "claimed": ("steps_claimed", "Steps claimed from queues."),
    "dispatched": ("steps_dispatched", "Steps sent to workers, again after a worker's death."),
    "quarantined": ("steps_quarantined", "Steps that crashed their workers too often."),
    "stale_results": ("results_stale", "Results that the database refused: the step had moved on."),
    "duplicate_completions": ("results_duplicate", "Results of steps that had one already."),
    "domain_events": ("domain_events", "Domain events published."),
}


def _counters(s: Snapshot) -> Iterator[Metric]:
    steps = [
        Sample(
            o.count,
            {
                "namespace": o.namespace,
                "template": o.template,
                "step": o.step,
                "outcome": o.outcome,
            },
        )
        for o in s.outcomes
    ]
    ended = "Attempts that ended, by what became of them."
    yield Metric("tasker_steps_total", "counter", ended, steps)
    tasks = "Tasks that ended, in whatever state."
    yield Metric("tasker_tasks_ended_total", "counter", tasks, [Sample(s.tasks_ended)])
    for key, (name, text) in _COUNTERS.items():
        yield Metric(f"tasker_{name}_total", "counter", text, [Sample(s.stats.get(key, 0))])


def _stages(s: Snapshot) -> Iterator[Metric]:
    stages = {name: {"stage": name} for name in s.stages}
    depth = [Sample(stage.depth, stages[name]) for name, stage in s.stages.items()]
    yield Metric("tasker_stage_depth_steps", "gauge", "Steps in a stage now.", depth)
    passed = [Sample(stage.passed, stages[name]) for name, stage in s.stages.items()]
    text = "Steps that have passed a stage."
    yield Metric("tasker_stage_steps_total", "counter", text, passed)
    times = [
        sample
        for name, stage in s.stages.items()
        for sample in _histogram(stage.durations, stages[name])
    ]
    text = "How long a stage takes: of claim one batch, of the others one step."
    yield Metric("tasker_stage_duration_seconds", "histogram", text, times)


def _queues(s: Snapshot) -> Iterator[Metric]:
    known = [(n, {"namespace": n.name}) for n in s.namespaces if n.queued is not None]
    depth = [Sample(n.queued or 0, labels) for n, labels in known]
    text = "Messages in a namespace's queues, as the database was last asked."
    yield Metric("tasker_queue_depth_messages", "gauge", text, depth)
    age = [Sample((n.oldest_ms or 0) / 1000, labels) for n, labels in known]
    text = "The age of a namespace's oldest message."
    yield Metric("tasker_queue_oldest_age_seconds", "gauge", text, age)


def _workers(seen: Observation) -> Iterator[Metric]:
    workers = [(view, {"worker": view.worker.index}) for view in seen.workers]

    def gauge(name: str, text: str, values: Iterable[float]) -> Metric:
        samples = [Sample(value, w[1]) for value, w in zip(values, workers, strict=True)]
        kind: Literal["counter", "gauge"] = "counter" if name.endswith("_total") else "gauge"
        return Metric(f"tasker_worker_{name}", kind, text, samples)

    rows = [view.worker for view, _ in workers]
    yield gauge("up", "1 for a worker that serves.", [w.state in ("idle", "busy") for w in rows])
    yield gauge("busy", "1 for a worker that runs a step.", [w.state == "busy" for w in rows])
    busy = [(view.busy_ms or 0) / 1000 for view, _ in workers]
    yield gauge("busy_seconds", "How long the step that it runs has taken so far.", busy)
    text = "Results that this incarnation of the worker has sent."
    yield gauge("results", text, [w.processed for w in rows])
    yield gauge("failures_total", "Steps that failed on this worker.", [w.failed for w in rows])
    yield gauge("restarts_total", "Deaths of this worker.", [w.restarts for w in rows])
    fills = [w.request_ring_fill for w in rows]
    yield gauge("request_ring_fill_ratio", "The used part of its allowance of steps.", fills)
    fills = [w.result_ring_fill for w in rows]
    yield gauge("result_ring_fill_ratio", "The part of it whose results are unread.", fills)


def _processes(seen: Observation) -> Iterator[Metric]:
    usages: dict[str, Usage] = {
        "supervisor": seen.supervisor,
        "zygote": seen.zygote,
        "web": seen.web,
    }
    for view in seen.workers:
        usage = Usage(view.rss_bytes, view.cpu_percent, view.cpu_seconds)
        usages[f"worker {view.worker.index}"] = usage
    alive = {name: usage for name, usage in usages.items() if usage.rss_bytes is not None}
    rss = [Sample(u.rss_bytes or 0, {"process": name}) for name, u in alive.items()]
    text = "Resident memory, pages shared with others included."
    yield Metric("tasker_process_resident_memory_bytes", "gauge", text, rss)
    cpu = [Sample(u.cpu_seconds or 0, {"process": name}) for name, u in alive.items()]
    text = "Processor time of the process; a new incarnation starts at 0."
    yield Metric("tasker_process_cpu_seconds_total", "counter", text, cpu)


def _database(seen: Observation) -> Iterator[Metric]:
    s, database = seen.snapshot, seen.snapshot.database
    yield _gauge("database_connected", "1 while every connection is open.", database.connected)
    connections = {
        "idle": database.pool_idle,
        "busy": database.pool_size - database.pool_idle,
    }
    samples = [Sample(count, {"state": state}) for state, count in connections.items()]
    text = "Connections; the one that listens is busy."
    yield Metric("tasker_database_connections", "gauge", text, samples)
    trouble = max(0, s.written_ns - database.trouble_since_ns) / 1e9
    trouble = trouble if database.trouble_since_ns else 0.0
    text = "For how long the database has failed; 0 while it answers."
    yield _gauge("database_trouble_seconds", text, trouble)
    if database.heartbeat_ns:
        age = (s.written_ns - database.heartbeat_ns) / 1e9 + seen.age
        yield _gauge("lease_age_seconds", "Since the lease was last renewed.", age)
        yield _gauge("lease_seconds", "[steps] lease: so old, others take over.", s.lease)
    if tables := database.tables:
        text = "Rows of tasker's tables and queues, as the database's statistics have them."
        kinds = {"live": tables.live_tuples, "dead": tables.dead_tuples}
        samples = [Sample(count, {"kind": kind}) for kind, count in kinds.items()]
        yield Metric("tasker_database_tuples", "gauge", text, samples)
        yield _gauge("database_size_bytes", "Size of tasker's tables and queues.", tables.bytes)
        text = "Age of the oldest open transaction in the database, anybody's."
        oldest = tables.oldest_transaction_seconds
        yield _gauge("database_oldest_transaction_seconds", text, oldest)


# -- how it is written ------------------------------------------------------------------------


def _gauge(name: str, text: str, value: float, **labels: object) -> Metric:
    return Metric(f"tasker_{name}", "gauge", text, [Sample(value, labels)])


def _histogram(durations: Durations, labels: Labels) -> Iterator[Sample]:
    """Cumulative: how many were shorter than each bound, in seconds."""
    below = [0, *accumulate(durations.counts)]
    for bound, place in zip(_BOUNDS, _PLACES, strict=True):
        seconds = f"{bound / 1e6:g}"
        yield Sample(below[min(place, len(below) - 1)], {**labels, "le": seconds}, "_bucket")
    yield Sample(below[-1], {**labels, "le": "+Inf"}, "_bucket")
    yield Sample(durations.total / 1e6, labels, "_sum")
    yield Sample(below[-1], labels, "_count")


def _text(metric: Metric) -> str:
    head = f"# HELP {metric.name} {_escaped(metric.help)}\n# TYPE {metric.name} {metric.kind}\n"
    return head + "".join(_line(metric.name, sample) for sample in metric.samples)


def _line(name: str, sample: Sample) -> str:
    labels = ",".join(f'{key}="{_quoted(value)}"' for key, value in sample.labels.items())
    series = f"{name}{sample.suffix}{{{labels}}}" if labels else f"{name}{sample.suffix}"
    return f"{series} {_number(sample.value)}\n"


def _number(value: float) -> str:
    return repr(int(value)) if value == int(value) else repr(float(value))


def _quoted(value: object) -> str:
    return _escaped(str(value)).replace('"', '\\"')


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
