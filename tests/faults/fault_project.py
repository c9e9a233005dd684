"""A project that is armed with fault points: its templates, its handlers, what became of it."""

import json
from pathlib import Path
from typing import Any

from engine_project import ProjectFolder, step
from points import CRASH, POINTS, Order, armed_with
from strike import ARMED, LOG, REACHED

_HERE = Path(__file__).parent
NAMESPACE = "faults"
_NARROW_BYTES = 256

_LINE = {"one": [], "two": ["one"], "three": ["two"]}
_DIAMOND = {"top": [], "left": ["top"], "right": ["top"], "bottom": ["left", "right"]}
_GRAPHS = {"line": _LINE, "slow_line": _LINE, "late_line": _LINE, "diamond": _DIAMOND}
_ROOTS = {"slow_line": "slow_root", "late_line": "late_root"}
_HANDLERS = f"""import sys
sys.path.append({str(_HERE)!r})
import strike
strike.install("zygote")
"""


def expected_results(graph: str, n: int) -> dict[str, dict[str, object]]:
    """By the name of the step."""
    results: dict[str, int] = {}
    for name, parents in _GRAPHS[graph].items():
        results[name] = n**2 if not parents else 1
        for parent in parents:
            results[name] *= results[parent] ** 2
    return {name: {"n": value, "padding": "x" * 100} for name, value in results.items()}


class FaultProject(ProjectFolder):
    """Armed with a point, and with the point that comes before it."""

    def __init__(self, root: Path, dsn: str) -> None:
        super().__init__(root, dsn, NAMESPACE)
        (root / REACHED).mkdir()
        (root / "handlers" / "acts.py").unlink()
        (root / "handlers" / "__init__.py").write_text(_HANDLERS)
        (root / "handlers" / "shapes.py").write_text((_HERE / "shapes.py.txt").read_text())
        for name, graph in _GRAPHS.items():
            root_method = _ROOTS.get(name, "root")
            self.template(name, *(_step(*step, root_method) for step in graph.items()))

    def arm(self, point: str, order: Order, *, final_drain: bool = True) -> None:
        self.points = armed_with(point)
        death = CRASH if CRASH in self.points else point
        narrow = POINTS[point].scenario == "narrow"
        armed = {
            "points": self.points,
            "order": order,
            "death": death,
            "final_drain": final_drain,
            "capacity_bytes": _NARROW_BYTES if narrow else None,
        }
        (self.root / ARMED).write_text(json.dumps(armed))

    def reached(self) -> dict[str, int]:
        """The pid that died at each point."""
        pids = {path.name: path.read_text() for path in (self.root / REACHED).iterdir()}
        return {name: int(pid) for name, pid in pids.items() if pid}

    def deaths(self, process: str) -> int:
        return sum(POINTS[name].process == process for name in self.points)

    def readiness(self) -> list[str]:
        """How a worker's results and death were found in one call, and what was called for it."""
        return (self.root / LOG).read_text().splitlines()

    def log(self) -> str:
        """What supervisors, zygotes and workers said."""
        return (self.root / "stderr").read_text()


def _step(name: str, parents: list[str], root_method: str) -> dict[str, Any]:
    method = "product" if parents else root_method
    return step(
        name,
        *parents,
        handler={
            "callable": "handlers.shapes.Shapes",
            "method": method,
            "initialization": {"of": parents},
        },
        retry={"max_attempts": 3},
        **({"timeout_seconds": 1} if method == "late_root" else {}),
    )
