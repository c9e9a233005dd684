"""The supervisors' own log, searched for what no injected fault accounts for."""

import json
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

from tools.chaos.findings import Findings

_WORKER_DIED: Final = "worker died"
# A supervisor that cannot reach the database when it starts gives up, and is started again.
_HARMLESS: Final = {"supervisor failed"}
# A worker whose zygote was killed before it could tell of it leaves by itself, with these words.
_UNWATCHED: Final = "nobody watches this worker"
_SHOWN: Final = 120


def search_log(path: Path, killed: Collection[int], findings: Findings) -> Counter[str]:
    """How often each event was logged; adds to `findings` what points to an error of ours."""
    events: Counter[str] = Counter()
    lines = path.read_text(errors="replace").splitlines()
    for line, entry in _entries(lines):
        event = str(entry.get("event"))
        events[event] += 1
        if event == _WORKER_DIED and entry.get("pid") not in killed:
            findings.add("worker died by itself", line)
        elif entry.get("level") in ("error", "critical") and event not in _HARMLESS:
            findings.add("error in the log", line)
    for error in _raised(lines):
        events[error[:_SHOWN]] += 1
        if _UNWATCHED not in error:
            findings.add("traceback in the log", error)
    for line in lines:
        if line.startswith("error: "):
            events[line[:_SHOWN]] += 1
    return events


def _entries(lines: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The lines that the supervisor logged, parsed."""
    for line in lines:
        if line.startswith("{"):
            try:
                yield line, json.loads(line)
            except ValueError:  # cut short by a kill
                continue


def _raised(lines: list[str]) -> Iterator[str]:
    """The last line of each traceback."""
    inside = False
    for line in lines:
        if line.startswith("Traceback "):
            inside = True
        elif inside and not line.startswith((" ", "{")):
            inside = False
            yield line
