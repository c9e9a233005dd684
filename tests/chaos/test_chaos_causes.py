"""A repetition that no fault explains is found, and so is a charge to the wrong step."""

from tools.chaos.causes import Cause, Faults
from tools.chaos.executions import Execution
from tools.chaos.injector import Hit
from tools.chaos.schedule import Kind
from tools.chaos.service import Exit

_SECOND = 1_000_000_000
_MINUTE = 60 * _SECOND


def _runs(*starts: int, pid: int = 7, failed: bool = False) -> list[Execution]:
    return [Execution("task", "step", 1, f"e{at}", pid, at, at + 1000, failed) for at in starts]


def test_a_second_run_without_any_fault_is_unexplained() -> None:
    assert Faults([]).causes(_runs(_SECOND, 2 * _SECOND)) == [None]


def test_a_single_run_needs_no_explanation() -> None:
    assert Faults([]).causes(_runs(_SECOND)) == []


def test_a_failure_of_the_handler_explains_the_next_run() -> None:
    assert Faults([]).causes(_runs(_SECOND, 2 * _SECOND, failed=True)) == [Cause.FAILURE]


def test_the_death_of_its_worker_explains_it_and_that_of_another_does_not() -> None:
    runs = _runs(_SECOND, 3 * _SECOND, pid=7)
    assert Faults([Hit(Kind.WORKER, 7, 2 * _SECOND)]).causes(runs) == [Cause.WORKER]
    assert Faults([Hit(Kind.WORKER, 8, 2 * _SECOND)]).causes(runs) == [None]


def test_a_fault_after_the_second_run_explains_nothing() -> None:
    runs = _runs(_SECOND, 2 * _SECOND)
    for kind in (Kind.WORKER, Kind.SUPERVISOR, Kind.POSTGRES):
        assert Faults([Hit(kind, 7, 3 * _SECOND)]).causes(runs) == [None]


def test_a_fault_long_before_the_first_run_explains_nothing() -> None:
    runs = _runs(_MINUTE, _MINUTE + _SECOND)
    for kind in (Kind.WORKER, Kind.SUPERVISOR, Kind.POSTGRES):
        assert Faults([Hit(kind, 7, _SECOND)]).causes(runs) == [None]


def test_one_death_of_a_supervisor_explains_one_repetition_of_a_step() -> None:
    death = Hit(Kind.SUPERVISOR, 1, 10 * _SECOND)
    runs = _runs(10 * _SECOND - 5, 11 * _SECOND - 5, 12 * _SECOND)
    assert Faults([death]).causes(runs) == [Cause.SUPERVISOR, None]


def test_a_stop_or_the_death_of_a_zygote_explains_nothing() -> None:
    runs = _runs(_SECOND, 3 * _SECOND)
    for kind in (Kind.STOP_WORKER, Kind.STOP_SUPERVISOR, Kind.ZYGOTE):
        assert Faults([Hit(kind, 7, 2 * _SECOND)]).causes(runs) == [None]


def test_a_supervisor_that_gave_up_explains_what_its_workers_ran() -> None:
    runs = _runs(_SECOND, 9 * _SECOND)
    assert Faults([], [Exit(1, 8 * _SECOND, 1)]).causes(runs) == [Cause.SUPERVISOR]
