"""The keyboard of `top`: bytes to keys, and keys to what they do."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from top_scenes import IDLE, SCENES, TASKS, failures, idle_workers, scene, snapshot, workers

from tasker_mp.cli.top.bottleneck import bottleneck
from tasker_mp.cli.top.choice import VIEWS
from tasker_mp.cli.top.intent import CancelTask, Intent, KillWorker, Quit, RetryStep, Steer
from tasker_mp.cli.top.keyboard import Keyboard
from tasker_mp.cli.top.press import press
from tasker_mp.cli.top.quantities import count, milliseconds, rate, seconds, size
from tasker_mp.cli.top.scene import Scene, failure_key

SIZE = (100, 30)


def pressed(shown: Scene, *keys: str) -> Intent | None:
    """The intent of the last key."""
    intent = None
    for key in keys:
        intent = press(shown, key, SIZE)
    return intent


# -- bytes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        (b"q", ["q"]),
        ("/é漢".encode(), ["/", "é", "漢"]),
        (b"\x1b[A\x1b[B\x1bOA", ["up", "down", "up"]),
        (b"\x1b[5~\x1b[6~\x1b[H", ["page up", "page down", "home"]),
        (b"\r\x7f\t", ["enter", "backspace", "tab"]),
        (b"\x1b[200~x\x1b[1;5A\x1b[<0;1;2M", ["x"]),
        (b"\x1bxq", ["q"]),
        (b"\x00\x01\xff\xfe", []),
        (b"\x1b\x1b[A", ["esc", "up"]),
    ],
)
def test_bytes_become_keys(sent: bytes, keys: list[str]) -> None:
    assert Keyboard().feed(sent) == keys


def test_esc_alone_is_told_from_a_sequence_by_what_follows() -> None:
    keyboard = Keyboard()
    assert keyboard.feed(b"\x1b") == []
    assert keyboard.unfinished
    assert keyboard.flush() == ["esc"]
    assert keyboard.feed(b"\x1b") == []
    assert keyboard.feed(b"[") == []
    assert keyboard.feed(b"A") == ["up"]
    assert not keyboard.unfinished


@given(st.lists(st.binary(max_size=9)))
def test_any_bytes_are_survived(sent: list[bytes]) -> None:
    keyboard = Keyboard()
    for part in sent:
        for key in keyboard.feed(part):
            assert key.isprintable()
    keyboard.flush()
    assert not keyboard.unfinished


# -- keys -----------------------------------------------------------------------------------------


def test_number_keys_choose_views() -> None:
    shown = scene(snapshot())
    for number, view in enumerate(VIEWS, 1):
        pressed(shown, str(number))
        assert shown.choice.view == view
    pressed(shown, "9", "0")
    assert shown.choice.view == VIEWS[-1]


def test_pause_toggles_at_once() -> None:
    assert pressed(scene(snapshot()), "p") == Steer("pause")
    assert pressed(SCENES["paused"](), "p") == Steer("resume")


@pytest.mark.parametrize(
    ("keys", "intent"),
    [
        (("d",), Steer("drain")),
        (("down", "k"), KillWorker(0)),
        (("3", "end", "k"), KillWorker(3)),
        (("5", "down", "c"), CancelTask(UUID(TASKS[2]))),
        (("3", "down", "down", "c"), CancelTask(UUID(TASKS[1]))),
    ],
)
def test_what_destroys_is_asked_first(keys: tuple[str, ...], intent: Intent) -> None:
    shown = scene(snapshot())
    assert pressed(shown, *keys) is None
    assert shown.choice.question is not None
    assert pressed(shown, "n") is None
    assert shown.choice.question is None
    assert pressed(shown, *keys[-1:], "y") == intent
    for other in ("enter", "esc", "q", "k", "Y "):
        pressed(shown, *keys[-1:])
        assert pressed(shown, other) is None


def test_retry_is_of_the_chosen_failure() -> None:
    shown = scene(snapshot())
    assert pressed(shown, "R") is None
    assert shown.choice.view == "failures"
    assert pressed(shown, "down", "down", "R") == RetryStep(UUID(TASKS[1]), "process_payment")
    assert pressed(shown, "up", "up", "up", "R") == RetryStep(UUID(TASKS[2]), "tree_leaf_d")


def test_a_chosen_failure_stays_chosen_when_newer_ones_come() -> None:
    old, *newer = failures()
    shown = scene(snapshot(failures=[old]), view="failures")
    pressed(shown, "down")
    shown.seen = scene(snapshot(failures=[old, *newer])).seen
    assert shown.choice.failure == failure_key(old)
    assert pressed(shown, "R") == RetryStep(UUID(old.step_uuid), old.step)


def test_an_idle_worker_has_no_task_to_cancel() -> None:
    shown = scene(snapshot(IDLE, workers=idle_workers(2)), view="workers")
    assert pressed(shown, "down", "c") is None
    assert shown.choice.question is None
    assert "no step" in shown.choice.notice


def test_a_filter_hides_what_a_key_could_hit() -> None:
    shown = scene(snapshot(workers=workers(2)), view="workers")
    pressed(shown, "down")
    pressed(shown, "/", *"tree_leaf", "enter", "k")
    assert shown.choice.question is None
    pressed(shown, "down", "k")
    assert shown.choice.question is not None
    assert shown.choice.question.intent == KillWorker(1)
    pressed(shown, "n", "esc")
    assert shown.choice.filter == ""


def test_a_filter_is_edited_and_given_up() -> None:
    shown = scene(snapshot())
    pressed(shown, "/", "q", "x", "backspace", "enter")
    assert shown.choice.filter == "q"
    pressed(shown, "/", "z", "esc")
    assert (shown.choice.filter, shown.choice.typing) == ("", None)


def test_without_a_supervisor_there_is_nothing_to_steer() -> None:
    for name in ("nobody", "gone"):
        for key in "pdksRc":
            shown = SCENES[name]()
            assert pressed(shown, key) is None
            assert shown.choice.question is None
            assert "no supervisor" in shown.choice.notice
        assert pressed(SCENES[name](), "q") == Quit()


def test_a_page_scrolls_within_itself_and_is_left() -> None:
    shown = scene(snapshot())
    pressed(shown, "?", *["down"] * 99)
    assert shown.choice.page is not None
    assert shown.choice.page.line <= len(shown.choice.page.lines)
    pressed(shown, *["up"] * 99)
    assert shown.choice.page.line == 0
    assert pressed(shown, "q") is None
    assert shown.choice.page is None


@given(
    st.sampled_from(list(SCENES)),
    st.lists(st.sampled_from([*"12345678pdksRc?/ynqx", "up", "down", "end", "esc", "enter"])),
)
def test_nothing_is_destroyed_without_a_yes(name: str, keys: list[str]) -> None:
    shown = SCENES[name]()
    for key in keys:
        intent = press(shown, key, SIZE)
        if key not in ("y", "Y"):
            assert not isinstance(intent, KillWorker | CancelTask)
            assert intent != Steer("drain")


# -- the bottleneck -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "stage"),
    [("load", "run"), ("commits", "commit"), ("dead-database", "commit"), ("idle", None)],
)
def test_the_stage_that_others_wait_for_is_found(name: str, stage: str | None) -> None:
    seen = SCENES[name]().seen
    assert seen is not None
    found = bottleneck(seen)
    assert (found and found.stage) == stage


def test_claims_hold_up_workers_that_idle_beside_full_queues() -> None:
    seen = scene(snapshot(IDLE, workers=idle_workers(4))).seen
    assert seen is not None
    found = bottleneck(seen)
    assert found is not None
    assert (found.stage, "12,362 ready" in found.reason) == ("claim", True)


# -- numbers --------------------------------------------------------------------------------------


def test_numbers_are_short() -> None:
    assert [count(n) for n in (None, 0, 99_999, 100_000, 1_250_000)] == [
        "-", "0", "99,999", "100k", "1.2M",
    ]  # fmt: skip
    assert [rate(n) for n in (0, 0.3, 9.96, 1234.4)] == ["0", "0.3", "10", "1,234"]
    assert [milliseconds(n) for n in (None, 0.014, 4.46, 999.4, 1000)] == [
        "-", "0.01ms", "4.5ms", "999ms", "1.0s",
    ]  # fmt: skip
    assert [seconds(n) for n in (0.04, 59.4, 200, 18_420, 1_036_800)] == [
        "0.0s", "59s", "3m20s", "5h07m", "12d",
    ]  # fmt: skip
    assert [size(n) for n in (None, 512, 3_565_158, 128 << 20, 3 << 30)] == [
        "-", "512B", "3.4M", "128M", "3.0G",
    ]  # fmt: skip


@given(st.floats(0, 1e12))
def test_every_number_fits_its_column(number: float) -> None:
    for text in (count(number), rate(number), milliseconds(number), size(round(number))):
        assert len(text) <= 8
