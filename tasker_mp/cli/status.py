"""`status`: what the supervisor of this project is doing, on one page."""

from typing import TYPE_CHECKING, Any

import rich_click as click

from tasker_mp.cli.output import short_duration, show, show_facts, show_table, write_json
from tasker_mp.cli.settings import Settings, command, pass_settings
from tasker_mp.errors import UnreachableError

if TYPE_CHECKING:
    from tasker_mp.observation import Observation

_LATE_SECONDS = 2.0


@command("status")
@click.option("--prometheus", is_flag=True, help="Print its metrics as Prometheus text.")
@pass_settings
def status(settings: Settings, prometheus: bool) -> None:
    """Show the running supervisor; exit 3 where none runs.

    Read from its status page: it is not disturbed, and answers even where it hangs.
    """
    try:
        seen = _look(settings)
    except UnreachableError as error:
        if settings.json:
            write_json({"running": False, "error": str(error)})
        raise
    if prometheus:
        _print_metrics(settings, seen)
    else:
        _print_status(settings, seen)


def _look(settings: Settings) -> "Observation":
    from tasker_mp.observer import Observer  # noqa: PLC0415

    seen = Observer(settings.config().root).look()
    if seen is None:
        raise UnreachableError("no supervisor is running here; start one with: tasker-mp start")
    return seen


def _print_metrics(settings: Settings, seen: "Observation") -> None:
    from tasker_mp.metrics import prometheus as text_of  # noqa: PLC0415

    text = text_of(seen)
    if settings.json:
        write_json({"prometheus": text})
    else:
        click.echo(text, nl=False)


def _print_status(settings: Settings, seen: "Observation") -> None:
    from tasker_mp.status_document import status_document  # noqa: PLC0415

    document = status_document(seen)
    if settings.json:
        write_json(document)
        return
    if seen.age >= _LATE_SECONDS:
        show_facts([("HANGS", f"it has said nothing for {short_duration(seen.age)}")])
    show_facts(_facts(document))
    show("")
    _show_workers(document["workers"])


def _facts(d: dict[str, Any]) -> list[tuple[str, str]]:
    stats, rates, latency = d["stats"], d["rates"], d["latency_ms"]
    connected = "connected" if d["database_connected"] else "not connected"
    return [
        ("supervisor", f"{d['worker_id']} (pid {d['pid']})"),
        ("state", f"{d['worker_core_status']} for {short_duration(d['uptime_seconds'])}"),
        ("environment", f"{d['environment']}, {d['deployment_mode']}"),
        ("namespaces", ", ".join(d["supported_namespaces"])),
        ("database", f"{connected}, {d['database_pool_idle']} of {d['database_pool_size']} idle"),
        ("waiting", _waiting(d)),
        *([("STARVED", d["starvation_reason"])] if d["starvation_detected"] else []),
        ("in flight", str(d["in_flight"])),
        ("rate", f"{rates['steps_per_second']:,} steps/s, {rates['tasks_per_second']:,} tasks/s"),
        ("steps", ", ".join(f"{stats[name]:,} {name.replace('_', ' ')}" for name in _shown(stats))),
        ("latency", ", ".join(_latency(latency, name) for name in ("queue", "run", "commit"))),
    ]


def _waiting(d: dict[str, Any]) -> str:
    if d["pending_count"] is None:
        return "unknown: the database has not said"
    oldest = d["oldest_pending_age_ms"]
    age = f", the oldest for {short_duration(oldest / 1000)}" if oldest else ""
    return f"{d['pending_count']:,} in the queues{age}"


def _shown(stats: dict[str, Any]) -> list[str]:
    """The counters that always matter, and those that count trouble once there is some."""
    return [name for name in stats if name in {"claimed", "succeeded", "failed"} or stats[name]]


def _latency(latency: dict[str, Any], name: str) -> str:
    p50, p99 = latency[f"{name}_p50"], latency[f"{name}_p99"]
    if p50 is None:
        return f"{name} -"
    return f"{name} p50 {p50:.1f} p99 {p99:.1f} ms"


def _show_workers(workers: list[dict[str, Any]]) -> None:
    columns = ("worker", "pid", "state", "processed", "failed", "restarts", "memory", "cpu", "step")
    right = ("worker", "pid", "processed", "failed", "restarts", "memory", "cpu")
    optional = ("restarts", "cpu", "memory", "failed")
    show_table(columns, map(_worker_row, workers), right=right, optional=optional)


def _worker_row(w: dict[str, Any]) -> tuple[object, ...]:
    memory = None if w["rss_bytes"] is None else f"{w['rss_bytes'] / 2**20:.0f} MB"
    cpu = None if w["cpu_percent"] is None else f"{w['cpu_percent']:.0f} %"
    step = w["step"] and f"{w['step']}, {short_duration((w['busy_ms'] or 0) / 1000)}"
    return (
        w["index"],
        w["pid"],
        w["state"],
        w["processed"],
        w["failed"],
        w["restarts"],
        memory,
        cpu,
        step,
    )
