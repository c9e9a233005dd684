"""A project with the cases' templates and handlers, and what two runs of a case must have alike."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
from conformance_cases import CASES, LIMIT, MAX_BATCHES, PACKAGE, Case

from tasker_mp.client.task import Task
from tasker_mp.config import Config, load_config

_ACTING = Path(__file__).with_name("acting.py.txt")
_MISSING = "(nothing)"


def write_project(root: Path) -> Config:
    """YAML holds JSON."""
    package = root / PACKAGE
    package.mkdir()
    (package / "__init__.py").write_text(_ACTING.read_text())
    templates = root / "config" / "tasks"
    templates.mkdir(parents=True)
    for case in CASES:
        (templates / f"{case.name}.yaml").write_text(json.dumps(case.template))
    values = {
        "worker.handler_packages": [PACKAGE],
        "worker.count": 2,
        "ring.max_payload_bytes": LIMIT,
        "steps.max_batches": MAX_BATCHES,
        "logging.level": "critical",
    }
    return load_config(root / "config", "test", values, environ={})


def file_of(case: Case) -> Path:
    """Below the project's folder."""
    return Path("config", "tasks", f"{case.name}.yaml")


def told(task: Task) -> dict[str, Any]:
    """All that does not depend on time, place or identity; integers are compared as they are."""
    return {
        "state": str(task.state),
        "context": task.context,
        "results": task.results,
        "steps": {
            step.name: {
                "step_no": step.step_no,
                "state": str(step.state),
                "attempts": step.attempts,
                "waiting_on": step.waiting_on,
                "children": sorted(step.children),
                "result": step.result,
                "metadata": step.metadata,
                "error": _error(step.error),
            }
            for step in task.steps
        },
    }


def differences(inline: Any, engine: Any, place: str) -> list[str]:
    """Where, and what, in lines short enough to read."""
    if isinstance(inline, dict) and isinstance(engine, dict):
        return [
            line
            for key in sorted({*inline, *engine})
            for line in differences(
                inline.get(key, _MISSING), engine.get(key, _MISSING), f"{place}.{key}"
            )
        ]
    alike = type(inline) is type(engine) and inline == engine
    return [] if alike else [f"{place}: {inline!r:.300} inline, {engine!r:.300} by the engine"]


def _error(error: dict[str, Any] | None) -> dict[str, Any] | None:
    """Without the frames of the traceback, some of which are the runner's own, and exact sizes: a
    checkpoint holds the time, which has more digits at times."""
    if error is None:
        return None
    error = {**error, "message": re.sub(r"is \d+ bytes", "is n bytes", error["message"])}
    metadata = {k: v for k, v in (error.get("metadata") or {}).items() if k != "traceback"}
    return {**error, "metadata": metadata}


def durable(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the queue and the inline run must have alike of domain events, in one order."""
    varying = ("task_uuid", "step_uuid", "correlation_id", "fired_at", "fired_by")
    alike = [
        {
            "name": message["event_name"],
            "version": message["event_version"],
            "payload": message["payload"],
            "metadata": {k: v for k, v in message["metadata"].items() if k not in varying},
            "result": {
                k: v for k, v in message["execution_result"].items() if k != "execution_time_ms"
            },
        }
        for message in messages
    ]
    return sorted(alike, key=lambda event: msgspec.json.encode(event, order="sorted"))
