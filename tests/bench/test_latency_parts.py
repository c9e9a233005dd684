"""The parts of a task's time, and the floors that they are held against."""

import os
import subprocess
from pathlib import Path

import pytest

from bench.latency.echo import Echo
from bench.latency.floors import Floors, Need
from bench.latency.parts import IN_LINE, PARTS, TOTAL, Timed, gathered, percentiles
from bench.latency.profile import profiled, table_of
from tasker_mp.errors import EngineError

_TASK = Timed(0.006, 0.001, 100.0, 100.001, [100.002, 100.0025, 100.0035, 100.005], 100.0058)


def test_the_parts_in_line_are_the_time_from_the_creation_to_the_end() -> None:
    found = gathered([_TASK])
    assert sum(sum(found[part.name]) for part in IN_LINE) == pytest.approx(5.8, abs=0.001)
    assert {part.name: len(found[part.name]) for part in PARTS} == {
        part.name: part.times for part in PARTS
    }


def test_durations_of_several_tasks_are_sorted_for_their_percentiles() -> None:
    slow = _TASK._replace(total=0.5)
    found = gathered([slow, _TASK, _TASK])
    assert percentiles(found, 50)[TOTAL.name] == 6.0
    assert percentiles(found, 99)[TOTAL.name] == 500.0
    assert found["finish > next finish"] == sorted(found["finish > next finish"])


def test_a_task_needs_a_durable_commit_for_its_submit_and_for_each_step() -> None:
    assert Need(commits=5, round_trips=2, wake_ups=10) == TOTAL.need
    assert str(TOTAL.need) == "5 commits, 2 round trips, 10 wake-ups"
    assert str(Need(commits=1)) == "1 commit"


def test_the_least_possible_is_the_sum_of_all_that_is_needed() -> None:
    assert Floors(0.4, 0.05, 0.01).least(TOTAL.need) == pytest.approx(2.2)


def test_the_other_process_answers_and_leaves_nothing_behind() -> None:
    with Echo() as echo:
        cores = os.sched_getaffinity(0)
        assert len(echo.round_trips(3)) == 3
        assert os.sched_getaffinity(0) == cores
        process: subprocess.Popen[bytes] = echo._process
        assert process.poll() is None
    assert process.returncode is not None


def test_a_profile_shows_the_largest_parts_by_process() -> None:
    report = (
        "# Samples: 9K of event 'cpu-clock:pppH'\n\n"
        "60.50%\tswapper        \t[kernel.kallsyms]\n"
        " 9.25%\ttasker-mp: supe\tlibpython3.11.so\n"
    )
    assert table_of(report).rows == [
        ["nobody (idle)", "[kernel.kallsyms]", 60.5],
        ["tasker-mp: supe", "libpython3.11.so", 9.25],
    ]


def test_without_perf_there_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="perf is not on the PATH"):
        profiled(lambda: None, 0.1)
