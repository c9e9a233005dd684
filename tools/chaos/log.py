"""The supervisors' own log, searched for what no injected fault accounts for."""

import json
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from tools.chaos.findings import Findings

_WORKER_DIED: Final = "worker died"
_SHOWN: Final = 120
# A supervisor that cannot reach the database when it starts gives up, and is started again.
_HARMLESS: Final = {"supervisor failed"}


def search_log(path: Path, killed: Collection[int], findings: Findings) -> Counter[str]:
    """How often each event was logged; adds to `findings` what points to an error of ours."""
    events: Counter[str] = Counter()
    for line in path.read_text(errors="replace").splitlines():
        entry = _parsed(line)
        if entry is None:
            if line.startswith("Traceback"):
                findings.add("traceback in the log", line)
            events[line.strip()[:_SHOWN]] += 1
            continue
        event = str(entry.get("event"))
        events[event] += 1
        if event == _WORKER_DIED and entry.get("pid") not in killed:
            findings.add("worker died by itself", line)
        elif entry.get("level") in ("error", "critical") and event not in _HARMLESS:
            findings.add("error in the log", line)
    return events


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
