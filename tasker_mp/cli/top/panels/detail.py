"""All about the chosen row, which its table has no room for."""

import textwrap

from tasker_mp.cli.top.line import Line, fit, printable, rule, span
from tasker_mp.cli.top.quantities import milliseconds, percent
from tasker_mp.cli.top.styles import DIM
from tasker_mp.observation import WorkerView
from tasker_mp.snapshot import Failure

_LABEL = 11


def worker_detail(view: WorkerView, width: int) -> list[Line]:
    worker = view.worker
    rings = f"{percent(worker.request_ring_fill)} in, {percent(worker.result_ring_fill)} out"
    facts = {
        "task": worker.task or "-",
        "step": worker.step or "-",
        "handler": worker.handler or "-",
        "running": f"{milliseconds(view.busy_ms)} of {milliseconds(worker.timeout_ms)}",
        "rings": rings,
        "last exit": worker.last_exit or "-",
    }
    return _facts(f"worker {worker.index}", facts, width)


def failure_detail(failure: Failure, width: int) -> list[Line]:
    facts = {
        "task": failure.task,
        "step": f"{failure.namespace}: {failure.step} ({failure.step_uuid})",
        "kind": f"{failure.kind}, attempt {failure.attempt}",
        "message": failure.message,
    }
    return _facts("failure", facts, width)


def _facts(title: str, facts: dict[str, str], width: int) -> list[Line]:
    lines = [rule(title, width)]
    for name, value in facts.items():
        parts = textwrap.wrap(printable(value), max(width - _LABEL - 1, 8)) or [""]
        for i, part in enumerate(parts):
            label = name if i == 0 else ""
            lines.append(fit([span(f" {label:<{_LABEL - 1}}", DIM), span(part)], width))
    return lines
