"""What a worker adds to its zygote, by what the kernel tells of both."""

import os

import pytest

from bench.idle.memory import beyond_the_zygote, parsed, rollup


def _pages(**kilobytes: int) -> dict[str, int]:
    names = ("Pss", "Pss_File", "Pss_Shmem", "Anonymous")
    return {name: kilobytes.get(name, 0) * 1024 for name in names}


def test_pages_that_are_shared_with_the_zygote_add_nothing() -> None:
    # 12 MB of the zygote's, all of it shared by three processes.
    shared = _pages(Pss=4000, Anonymous=12000)
    assert beyond_the_zygote(shared, [shared, shared]) == 0


def test_a_workers_own_pages_and_its_rings_are_what_it_adds() -> None:
    zygote = _pages(Pss=4500, Pss_File=500, Anonymous=12000)
    worker = _pages(Pss=4000 + 3000 + 700, Pss_Shmem=700, Anonymous=15000)
    assert beyond_the_zygote(zygote, [worker, worker]) == 3700 * 1024


def test_a_rollup_is_read_by_name_in_bytes() -> None:
    text = "55d0-7ffe ---p 00000000 00:00 0    [rollup]\nRss:   8 kB\nPss:  4 kB\nTHPeligible: 0\n"
    assert parsed(text) == {"Rss": 8192, "Pss": 4096}


def test_the_kernel_tells_all_that_is_asked_for() -> None:
    found = rollup(os.getpid())
    assert found["Rss"] >= found["Pss"] > 0
    assert found["Anonymous"] == pytest.approx(found["Pss_Anon"], rel=0.9)
    assert {"Pss_File", "Pss_Shmem"} <= set(found)
