"""Frames of `top` from fixed snapshots, beside this file in `frames/`.

After a change that is meant: TASKER_MP_NEW_FRAMES=1 pytest tests/cli/test_top_frames.py, and look
at the difference.
"""

import io
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from top_scenes import NOW, SCENES, failures, scene, snapshot, workers

from tasker_mp import observation
from tasker_mp.cli.top.choice import VIEWS, Choice, Page, Question
from tasker_mp.cli.top.frame import Frame, frame
from tasker_mp.cli.top.intent import Quit
from tasker_mp.cli.top.painter import Painter
from tasker_mp.cli.top.press import HELP
from tasker_mp.cli.top.scene import Scene, failure_key
from tasker_mp.snapshot import NamespaceSnapshot

FRAMES = Path(__file__).with_name("frames")
SIZES = [(60, 20), (100, 30), (200, 60)]


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """It is always the snapshots' time, in UTC."""
    monkeypatch.setattr(observation, "time", SimpleNamespace(time=lambda: NOW))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def lines(drawn: Frame) -> list[str]:
    return ["".join(segment.text for segment in line) for line in drawn.lines]


def check(name: str, drawn: Frame) -> None:
    """The frame is the one in the file; a bar at the end of each line shows its width."""
    file = FRAMES / f"{name}.txt"
    text = "".join(f"{line}|\n" for line in lines(drawn))
    if os.environ.get("TASKER_MP_NEW_FRAMES"):
        file.write_text(text)
    assert text == file.read_text(), f"not as in {file}"


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", SCENES)
def test_the_overview(name: str, size: tuple[int, int]) -> None:
    check(f"{name}-{size[0]}x{size[1]}", frame(SCENES[name](), *size))


@pytest.mark.parametrize("view", VIEWS[1:])
def test_each_view(view: str) -> None:
    newest = failure_key(failures()[-1])
    shown = scene(snapshot(workers=workers(6)), view=view, worker=1, failure=newest)
    check(f"view-{view}-100x30", frame(shown, 100, 30))


def test_help_fits_the_smallest_terminal() -> None:
    shown = scene(snapshot(), page=Page("keys", tuple(HELP.splitlines())))
    check("help-60x20", frame(shown, 60, 20))


def test_a_frame_as_long_as_it_likes_shows_every_list() -> None:
    check("once-100", frame(SCENES["load"](), 100))


def test_the_last_line_asks_tells_or_takes_what_is_typed() -> None:
    asked = scene(snapshot(), question=Question("drain and stop?", Quit()))
    assert lines(frame(asked, 60, 20))[-1].strip() == "drain and stop? [y/N]"
    told = scene(snapshot(), notice="worker 3 killed")
    assert lines(frame(told, 60, 20))[-1].strip() == "worker 3 killed"
    typing = scene(snapshot(), typing="tree")
    assert lines(frame(typing, 60, 20))[-1].strip() == "filter: tree█"


def test_a_filter_leaves_the_rows_that_match() -> None:
    shown = lines(frame(scene(snapshot(), filter="TREE", view="workers"), 100, 30))
    assert any("tree_leaf_d" in line for line in shown)
    assert not any("process_payment" in line for line in shown)


def test_the_chosen_row_is_shown_however_long_the_list() -> None:
    long = scene(snapshot(workers=workers(90)), view="workers", worker=71)
    shown = [line for line in lines(frame(long, 100, 30)) if line.startswith("▸")]
    assert [line.split()[1] for line in shown] == ["71"] or shown[0].startswith("▸71")


def test_busy_namespaces_come_before_idle_ones() -> None:
    many = [NamespaceSnapshot(f"idle_{n}", 0) for n in range(9)] + [NamespaceSnapshot("busy", 7)]
    shown = lines(frame(scene(snapshot(namespaces=many), view="namespaces"), 60, 12))
    assert shown[5].split()[0] == "busy"


_TEXTS = st.text(max_size=40) | st.sampled_from(
    ["漢字" * 20, "e\u0301" * 30, "\x1b[2J\a", "👩‍👩‍👧"]
)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 220),
    st.integers(1, 70),
    st.sampled_from(VIEWS),
    st.sampled_from(list(SCENES)),
    _TEXTS,
)
def test_no_frame_is_larger_than_its_terminal(
    width: int, height: int, view: str, name: str, text: str
) -> None:
    """Whatever the names, the size and the view: nothing wraps, and no text moves the cursor."""
    shown = SCENES[name]()
    shown = replace(shown, choice=replace(shown.choice, view=view, filter="", notice=text))
    if shown.seen is not None:
        shown.seen.snapshot.worker_id = text
        for worker in shown.seen.snapshot.workers:
            worker.step = worker.last_exit = worker.handler = text
        for failure in shown.seen.snapshot.failures:
            failure.message = failure.kind = failure.step = text
        for event in shown.seen.snapshot.events:
            event.text = text
    drawn = lines(frame(shown, width, height))
    assert len(drawn) == height
    assert {cell_len(line) for line in drawn} == {width}
    assert all(line.isprintable() for line in drawn)


def test_an_encoding_without_blocks_gets_a_frame_in_ascii() -> None:
    for name in SCENES:
        for view in VIEWS:
            shown = SCENES[name]()
            shown.choice.view = view
            text = "".join(lines(frame(shown, 200, 60).ascii()))
            assert text.replace("—", "").isascii(), name  # the dash is an event's own


# -- painting -------------------------------------------------------------------------------------


def painter(**options: object) -> Painter:
    return Painter(Console(file=io.StringIO(), force_terminal=True, **options))  # type: ignore[arg-type]


def test_only_changed_lines_are_drawn_again() -> None:
    paint = painter(color_system="256").paint
    first, shown = scene(snapshot()), scene(snapshot())
    assert paint(frame(first, 100, 30)).count(b";1H") == 30
    assert paint(frame(first, 100, 30)) == b""
    shown.choice.notice = "worker 3 killed"
    changed = paint(frame(shown, 100, 30))
    assert changed.count(b";1H") == 1
    assert b"\x1b[30;1H" in changed


def test_another_size_and_a_lost_screen_are_drawn_anew() -> None:
    one = painter()
    one.paint(frame(Scene(), 100, 30))
    assert b"\x1b[2J" in one.paint(frame(Scene(), 100, 31))
    one.forget()
    assert b"\x1b[2J" in one.paint(frame(Scene(), 100, 31))


def test_without_colour_nothing_is_coloured() -> None:
    drawn = painter(color_system="256", no_color=True).paint(frame(SCENES["load"](), 100, 30))
    coloured = painter(color_system="256").paint(frame(SCENES["load"](), 100, 30))
    assert b"\x1b[31" in coloured or b"\x1b[1;31m" in coloured
    for sequence in drawn.split(b"\x1b[")[1:]:
        codes = sequence.split(b"m")[0].split(b";") if b"m" in sequence[:12] else []
        assert not any(30 <= int(code) < 50 or int(code) >= 90 for code in codes if code.isdigit())


def test_a_choice_is_not_shared_between_scenes() -> None:
    assert Scene().choice is not Scene().choice
    assert Choice().view == "overview"
