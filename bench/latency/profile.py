"""Who had the processors meanwhile, by `perf`."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.document import Row, Table
from tasker_mp.errors import EngineError

_HERTZ = 997
_SHOWN = 24
_LIMIT = 60.0
_SEPARATOR = "\t"
_IDLE = "swapper"


def profiled(work: Callable[[], object], seconds: float) -> Table:
    """All processors for so long, while `work` is done again and again.

    `EngineError` where there is no `perf`, or it may not look.
    """
    perf = shutil.which("perf")
    if perf is None:
        raise EngineError("perf is not on the PATH: install it (linux-perf) or leave --profile")
    with tempfile.TemporaryDirectory(prefix="tasker-mp-perf-") as folder:
        data = Path(folder) / "data"
        _record(perf, data, seconds, work)
        return table_of(_report(perf, data))


def _record(perf: str, data: Path, seconds: float, work: Callable[[], object]) -> None:
    command = [perf, "record", "-a", "-e", "cpu-clock", "-F", str(_HERTZ), "-o", str(data)]
    recorder = subprocess.Popen(
        [*command, "--", "sleep", str(seconds)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        while recorder.poll() is None:
            work()
        _, said = recorder.communicate(timeout=_LIMIT)
    finally:
        recorder.kill()
        recorder.wait()
    if recorder.returncode:
        raise EngineError(f"perf cannot record: {_first_line(said)}")


def _report(perf: str, data: Path) -> str:
    command = [perf, "report", "--stdio", "-i", str(data), "--sort", "comm,dso"]
    done = subprocess.run(
        [*command, "-t", _SEPARATOR],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_LIMIT,
        check=False,
    )
    if done.returncode:
        raise EngineError(f"perf cannot report: {_first_line(done.stderr)}")
    return done.stdout.decode(errors="replace")


def _first_line(said: bytes) -> str:
    lines = (line.strip() for line in said.decode(errors="replace").splitlines())
    return next(filter(None, lines), "it said nothing")


def table_of(report: str) -> Table:
    """Of lines `percent, process, shared object`; the largest ones."""
    rows: list[Row] = []
    for line in report.splitlines():
        fields = [field.strip() for field in line.split(_SEPARATOR)]
        if line.startswith("#") or len(fields) != 3:
            continue
        percent, process, place = fields
        name = "nobody (idle)" if process == _IDLE else process
        rows.append([name, place, float(percent.removesuffix("%"))])
    return Table(
        "Profile",
        ["process", "shared object", "% of all cores"],
        rows[:_SHOWN],
        f"`perf record -a -e cpu-clock`, one task after the other; the largest {_SHOWN}.",
    )
