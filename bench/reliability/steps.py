"""The steps that are measured: `stage.py` copies this module into the project as a handler's."""

import os
import signal
import time
from pathlib import Path

from tasker_mp import StepContext, StepHandler

ENTRIES = Path(__file__).parent.parent / "entries"


def enter(form: str, at_ns: int, child: int = 0) -> None:
    """Say when this step began, in one write; nobody there to read it fails the step."""
    fd = os.open(ENTRIES, os.O_WRONLY | os.O_NONBLOCK)
    os.write(fd, f"{at_ns} {os.getpid()} {child} {form}\n".encode())
    os.close(fd)


class Measured(StepHandler):
    """All but `nap` go on until they are killed, each in its own way."""

    def spins(self, context: StepContext) -> None:
        enter("spins", time.monotonic_ns())
        while True:
            pass

    def sleeps(self, context: StepContext) -> None:
        enter("sleeps", time.monotonic_ns())
        time.sleep(20)

    def holds_the_interpreter(self, context: StepContext) -> None:
        enter("holds_the_interpreter", time.monotonic_ns())
        sum(range(10**12))  # one C call, which never lets go of the interpreter lock

    def ignores_sigterm(self, context: StepContext) -> None:
        enter("ignores_sigterm", time.monotonic_ns())
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(20)

    def forks(self, context: StepContext) -> None:
        at_ns = time.monotonic_ns()
        child = os.fork()
        if child == 0:
            time.sleep(20)
            os._exit(0)
        enter("forks", at_ns, child)
        time.sleep(20)

    def nap(self, context: StepContext) -> None:
        enter("nap", time.monotonic_ns())
        time.sleep(0.15)
