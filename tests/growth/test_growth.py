"""Steps that come to be at run time: which, and what waits for what."""

import msgspec
import pytest
from growing import Play, batches, decision, template

from tasker_mp.template.branching import BranchingError
from tasker_mp.template.model import BatchConfig

_APPROVAL = template(
    {
        "validate": [],
        "route": ["validate"],
        "auto": ["route"],
        "manager": ["route"],
        "finance": ["route"],
        "close": ["auto", "manager", "finance"],
        "notify": ["close"],
    },
    {"route": "decision", "close": "deferred_convergence"},
)


def _decided(*names: str) -> Play:
    play = Play(_APPROVAL)
    play.finish("validate")
    play.finish("route", decision(*names))
    return play


def test_a_convergence_waits_for_those_that_were_chosen_and_no_other():
    play = _decided("manager", "finance")
    assert sorted(play.ready()) == ["finance", "manager"]
    assert {row.name for row in play.rows.values()} == {
        "validate", "route", "manager", "finance", "close", "notify",
    }  # fmt: skip
    play.finish("finance")
    assert play.waits("close") == 1
    play.finish("manager")
    play.finish("close")
    play.finish("notify")
    names = {play.rows[no].name for no in play.rows[play.number("notify")].ancestors}
    assert names == {"validate", "route", "manager", "finance", "close"}


def test_no_branch_leaves_nothing_behind_it():
    play = _decided()
    assert {row.name for row in play.rows.values()} == {"validate", "route"}
    assert play.ready() == []


def test_a_chain_of_decisions_keeps_the_convergence_waiting_until_all_have_decided():
    play = Play(
        template(
            {
                "start": [],
                "first": ["start"],
                "left": ["first"],
                "second": ["first"],
                "deep": ["second"],
                "third": ["second"],
                "deepest": ["third"],
                "close": ["left", "deep", "deepest"],
            },
            {
                "first": "decision",
                "second": "decision",
                "third": "decision",
                "close": "deferred_convergence",
            },
        )
    )
    play.finish("start")
    play.finish("first", decision("left", "second"))
    play.finish("left")
    assert play.waits("close") == 1
    play.finish("second", decision("third"))
    assert play.waits("close") == 1
    play.finish("third", decision("deepest"))
    assert play.waits("close") == 1
    play.finish("deepest")
    assert play.ready() == ["close"]
    names = {play.rows[no].name for no in play.rows[play.number("close")].ancestors}
    assert names == {"start", "first", "left", "second", "third", "deepest"}


def test_decisions_beside_each_other_share_a_convergence():
    play = Play(
        template(
            {
                "start": [],
                "one": ["start"],
                "other": ["start"],
                "a": ["one"],
                "b": ["other"],
                "both": ["a", "b"],
                "close": ["a", "b"],
            },
            {"one": "decision", "other": "decision", "close": "deferred_convergence"},
        )
    )
    play.finish("start")
    play.finish("one", decision("a"))
    play.finish("a")
    assert play.ready() == ["other"], "what may still come is waited for"
    play.finish("other", decision("b"))
    play.finish("b")
    assert sorted(play.ready()) == ["both", "close"]


def test_a_worker_for_each_batch_and_what_comes_behind_all_of_them():
    play = Play(
        template(
            {"cut": [], "work": ["cut"], "join": ["work"], "after": ["cut"]},
            {"cut": "batchable", "work": "batch_worker", "join": "deferred_convergence"},
        )
    )
    play.finish("cut", batches("work", (0, 10), (10, 25)))
    assert sorted(play.ready()) == ["after", "work_001", "work_002"]
    play.finish("work_002")
    play.finish("work_001")
    play.finish("join")
    assert [play.rows[no].name for no in play.rows[play.number("join")].ancestors] == [
        "cut", "work_001", "work_002",
    ]  # fmt: skip


def test_no_batches_are_one_worker_with_nothing_to_do():
    play = Play(
        template(
            {"cut": [], "work": ["cut"], "join": ["work"]},
            {"cut": "batchable", "work": "batch_worker", "join": "deferred_convergence"},
            {"cut": BatchConfig(worker_template="work")},
        )
    )
    play.finish("cut", batches("work"))
    assert play.ready() == ["work_000"]
    play.finish("work_000")
    assert play.ready() == ["join"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["managr"], "names the unknown step 'managr'; did you mean 'manager'?"),
        (["validate"], "names 'validate', which exists already"),
        (["notify"], "names 'notify', which waits for close: name that, too"),
    ],
)
def test_a_decision_that_cannot_be_followed(names: list[str], message: str):
    play = Play(_APPROVAL)
    play.finish("validate")
    with pytest.raises(BranchingError, match=message.replace("?", r"\?")):
        play.finish("route", decision(*names))
    assert {row.name for row in play.rows.values()} == {"validate", "route"}


def _cursor(batch: object, start: object, end: object) -> dict[str, object]:
    return {"batch_id": batch, "start_cursor": start, "end_cursor": end, "batch_size": 1}


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        ({"type": "create_batches"}, "lacks worker_template_name"),
        ({"type": "create"}, "Invalid enum value 'create'"),
        ({"worker_template_name": "work"}, "has no cursor_configs"),
        ({"worker_template_name": "join", "cursor_configs": [_cursor("1", 0, 5)]}, "no batch_wor"),
        ({"worker_template_name": "w", "cursor_configs": [_cursor("1", 0, 5)]}, "unknown step 'w'"),
        ({"cursor_configs": [_cursor("1", 0, 5), _cursor("2", 4, 9)]}, "'1' and '2' overlap at 4"),
        ({"cursor_configs": [_cursor("1", -1, 5)]}, "goes from -1 to 5"),
        ({"cursor_configs": [_cursor("1", 5, 5)]}, "goes from 5 to 5"),
        ({"cursor_configs": [_cursor("1", 0, 5), _cursor("1", 5, 6)]}, "'1' is there twice"),
        ({"cursor_configs": [_cursor("", 0, 5)]}, "must have 1 to 64 characters"),
        ({"cursor_configs": [_cursor("1", 0, 5)], "worker_count": 2}, "but there are 1 cursor"),
        (
            {"cursor_configs": [_cursor(str(i), i, i + 1) for i in range(1001)]},
            r"1001 batches are more than \[steps\] max_batches = 1000",
        ),
    ],
)
def test_batches_that_cannot_be_made(outcome: dict[str, object], message: str):
    play = Play(
        template(
            {"cut": [], "work": ["cut"], "join": ["work"]},
            {"cut": "batchable", "work": "batch_worker", "join": "deferred_convergence"},
        )
    )
    whole = {"type": "create_batches"} | outcome
    if "cursor_configs" in outcome:
        whole.setdefault("worker_template_name", "work")
    with pytest.raises(BranchingError, match=message):
        play.finish("cut", msgspec.json.encode({"batch_processing_outcome": whole}))
