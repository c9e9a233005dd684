"""What a reader makes of a snapshot: rates over a window, percentiles, ages."""

import os

import pytest
from snapshots import NOW, SECOND, durations, seen, snapshot, stages

from tasker_mp.observation import baseline, rates
from tasker_mp.snapshot import Baseline, NamespaceSnapshot, StageSnapshot
from tasker_mp.usage import UsageMeter, process_stat

TEN_SECONDS_AGO = Baseline(NOW - 10 * SECOND, {"claimed": 10}, 5, stages(10), {"shop": 20})


def test_rates_are_differences_to_the_counters_of_ten_seconds_ago() -> None:
    found = seen(before=TEN_SECONDS_AGO).rates
    assert (found.seconds, found.steps, found.tasks) == (10, 3.0, 1.5)
    assert (found.stats["claimed"], found.stats["failed"]) == (3.0, 0.0)
    assert found.stages["ring"] == 3.0
    assert found.namespaces == {"shop": 2.0}


def test_a_window_of_ones_own() -> None:
    early, late = snapshot(), snapshot(written_ns=NOW + 2 * SECOND, stages=stages(60))
    assert rates(late, baseline(early)).steps == 10.0


def test_a_burst_right_after_the_start_is_not_exaggerated() -> None:
    just_now = Baseline(NOW - SECOND // 100, {}, 0, {}, {})
    assert seen(before=just_now).rates.steps == 40.0
    assert seen(before=None).rates.steps == 40.0


def test_percentiles_are_of_the_last_ten_seconds_where_something_passed() -> None:
    slow_then_fast = {"run": StageSnapshot(3, 0, durations(1_000_000, 10, 10))}
    before = Baseline(0, {}, 0, {"run": StageSnapshot(1, 0, durations(1_000_000))}, {})
    observation = seen(stages=slow_then_fast, before=before)
    assert observation.percentiles("run") == (0.011, 0.011)
    assert observation.percentiles("claim") == (None, None)


def test_percentiles_are_of_all_where_nothing_passed_lately() -> None:
    both = {"run": StageSnapshot(1, 0, durations(10))}
    assert seen(stages=both, before=Baseline(0, {}, 0, both, {})).percentiles("run")[0] == 0.011
    assert seen().percentiles("lag") == (0.512, 0.704)


def test_ages_go_on_while_the_page_stays() -> None:
    later = seen(NOW + 3 * SECOND)
    assert later.age == 3.0
    assert [view.busy_ms for view in later.workers] == [4000.0, None]


def test_what_the_database_was_not_asked_is_unknown() -> None:
    assert (seen().queued, seen().oldest_queued_ms) == (3, 1500.0)
    unknown = seen(namespaces=[NamespaceSnapshot("shop")])
    assert unknown.queued is None


def test_processes_that_are_gone_use_nothing_known() -> None:
    view = seen().workers[0]
    assert (view.rss_bytes, view.cpu_percent) == (None, None)


def test_usage_is_of_the_time_since_the_last_look() -> None:
    meter = UsageMeter()
    first = meter.look(os.getpid())
    assert first.rss_bytes is not None
    assert 1 << 20 < first.rss_bytes < 1 << 34
    assert first.cpu_percent is not None
    assert 0 <= first.cpu_percent <= 100 * (os.cpu_count() or 1)
    before = process_stat(os.getpid())
    assert before is not None
    spent = before.cpu_seconds + 0.05
    while (now := process_stat(os.getpid())) and now.cpu_seconds < spent:
        sum(range(10_000))
    second = meter.look(os.getpid())
    assert second.cpu_percent
    assert second.cpu_seconds
    assert first.cpu_seconds is not None
    assert second.cpu_seconds > first.cpu_seconds


@pytest.mark.parametrize("pid", [None, 4_000_000])
def test_nobodys_usage_is_unknown(pid: int | None) -> None:
    assert UsageMeter().look(pid) == (None, None, None)
