"""The table of what is held: each event settles once, and each claim is let go once."""

from collections import Counter
from random import Random

import pytest
from entries import entry
from hypothesis import given
from hypothesis import strategies as st

from tasker_mp.inflight import InflightTable, Pace


def test_an_event_settles_once_and_is_held_until_its_commit() -> None:
    table, held = InflightTable(), entry()
    table.add(held)
    assert (len(table), table.held) == (1, 1)
    assert table.settle(held.event_id) is held
    assert table.settle(held.event_id) is None
    assert (len(table), table.held) == (0, 1)
    assert table.knows(held.event_id)
    assert table.release([held]) == [held.claim_id]
    assert table.held == 0
    assert not table.knows(held.event_id)


def test_an_unknown_event_settles_nothing() -> None:
    assert InflightTable().settle(bytes(16)) is None


def test_the_same_event_is_not_taken_twice_not_even_once_settled() -> None:
    table, held = InflightTable(), entry()
    table.add(held)
    with pytest.raises(ValueError, match=held.event_id.hex()):
        table.add(held)
    table.settle(held.event_id)
    with pytest.raises(ValueError, match="is held already"):
        table.add(held)


def test_a_claim_is_emptied_by_the_last_of_its_steps() -> None:
    table = InflightTable()
    steps = [entry(claim_id=7), entry(claim_id=7), entry(claim_id=8)]
    for held in steps:
        table.add(held)
    assert table.release(steps[:1]) == []
    assert table.release(steps[2:]) == [8]
    assert table.release(steps[1:2]) == [7]


def test_what_is_released_while_somebody_asks_is_known_until_nobody_does() -> None:
    """Or a list of what was held, arriving late, would have steps run a second time."""
    table = InflightTable()
    early, late = entry(), entry()
    for held in (early, late):
        table.add(held)
    with table.remembering():
        table.release([early])
        with table.remembering():
            table.release([late])
        assert table.knows(early.event_id)
        assert table.knows(late.event_id)
    assert not table.knows(early.event_id)
    assert not table.knows(late.event_id)


@given(st.lists(st.integers(1, 4), max_size=40), st.randoms(use_true_random=False))
def test_every_claim_is_emptied_exactly_once_in_whatever_order(
    claims: list[int], order: Random
) -> None:
    table = InflightTable()
    steps = [entry(claim_id=claim) for claim in claims]
    for held in steps:
        table.add(held)
    order.shuffle(steps)
    emptied = Counter(claim for held in steps for claim in table.release([held]))
    assert emptied == Counter(set(claims))
    assert table.held == 0


def test_a_slow_run_counts_at_once_and_fades() -> None:
    pace = Pace()
    pace.note(0.001)
    pace.note(1.0)
    assert pace.usual == 1.0
    for _ in range(100):
        pace.note(0.001)
    assert pace.usual == pytest.approx(0.001)


@pytest.mark.parametrize(
    ("runs", "apart"),
    [([], True), ([0.001] * 6, True), ([0.001] * 7, False), ([60.0], True)],
)
def test_a_kind_that_was_kept_by_coroutines_wants_no_worker_with_any_until_it_is_quick(
    runs: list[float], apart: bool
) -> None:
    pace = Pace()
    pace.note_kept(0.1)
    for seconds in runs:
        pace.note(seconds)
    assert pace.apart is apart
    pace.note_kept(0.1)
    pace.note(60.0, concurrency=100)
    assert not pace.apart, "it runs beside others"
