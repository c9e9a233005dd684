"""The same computation by processes that have nothing else to do: what the machine itself scales.

python -m bench.scale.bare TURNS      computes when told to by a line; when it began, when it ended
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bench.project import REPOSITORY
from bench.steps import spin
from tasker_mp.errors import EngineError

_LIMIT = 120.0


def bare_rate(processes: int, turns: int) -> float:
    """Computations of so many turns that all of them together do in a second."""
    with ExitStack() as stack:
        running = [stack.enter_context(_process(turns)) for _ in range(processes)]
        for process in running:
            _line(process)
        for process in running:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        times = [tuple(map(float, _line(process).split())) for process in running]
    return processes / (max(ended for _, ended in times) - min(began for began, _ in times))


@contextmanager
def _process(turns: int) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.scale.bare", str(turns)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise EngineError(f"a bare process ended with {process.wait(_LIMIT)}")
    return line


def main() -> None:
    turns = int(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    spin(turns)
    print(began, time.monotonic(), flush=True)


if __name__ == "__main__":
    main()
