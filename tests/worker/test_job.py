"""How a worker learns whether a plain step may keep coroutines waiting."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tasker_mp import StepHandler
from tasker_mp.messages import StepSpec
from tasker_mp.template.model import HandlerDefinition, StepDefinition
from tasker_mp.worker.job import Job
from tasker_mp.worker.run_delay import RunDelay

_SPEC = StepSpec("space", "flow", "1.0.0", StepDefinition("a", HandlerDefinition("handlers.A")))


class _Handler(StepHandler):
    def call(self, context: object) -> None: ...


@pytest.mark.parametrize(
    ("milliseconds", "brief"),
    [
        ([], False),
        ([1], True),
        ([60], False),
        ([60, 1, 1, 1], True),
        ([1] * 19 + [60], False),
        ([1] * 20 + [60], True),
        ([1] * 20 + [60] + [1] * 5 + [60], False),
    ],
)
def test_brief_is_what_was_quick_of_late_or_slow_once_among_many(
    milliseconds: list[int], brief: bool
) -> None:
    job = Job(_SPEC, _Handler())
    for each in milliseconds:
        job.note(each * 1_000_000)
    assert job.brief is brief


@pytest.fixture
def busy_core() -> Iterator[None]:
    """The only core that this thread may use, which three others want as well."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    neighbours = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    yield
    os.sched_setaffinity(0, cores)
    for neighbour in neighbours:
        neighbour.kill()
        neighbour.wait()


@pytest.mark.usefixtures("busy_core")
def test_what_a_step_waited_for_a_core_does_not_make_it_slow() -> None:
    delay = RunDelay()
    wall, own, limit = 0, 0, time.monotonic() + 20
    # The neighbours have to start first, and what a hypervisor takes is nobody's wait for a core.
    while (wall < 100_000_000 or own >= 50_000_000) and time.monotonic() < limit:
        delay.mark()
        began, until = time.monotonic_ns(), time.thread_time_ns() + 30_000_000
        while time.thread_time_ns() < until:
            pass
        wall = time.monotonic_ns() - began
        own = wall - delay.since_mark_ns()
    assert wall >= 100_000_000
    assert own < 50_000_000
    unaware, aware, sleeper = (Job(_SPEC, _Handler()) for _ in range(3))
    unaware.note(wall)
    for job in (aware, sleeper):
        job.note(1)
    aware.note(wall, delay)
    assert (unaware.brief, aware.brief) == (False, True)

    delay.mark()
    began = time.monotonic_ns()
    time.sleep(0.06)
    sleeper.note(time.monotonic_ns() - began, delay)
    assert not sleeper.brief, "a sleep is its own"
    delay.close()
