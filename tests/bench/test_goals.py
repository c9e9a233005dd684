"""Goals that are missed are told, with what somebody found out about them."""

from pathlib import Path

import pytest
from saved_documents import document, save, series

from bench.goals import goals, read_reasons, told
from bench.html import html_page
from bench.plot import labels_of
from bench.report import markdown_page
from bench.saved import UnreadableError

_MET = series("fast", goal=90.0, note="A chain.")
_MISSED = series("slow", goal=900.0, note="A chain.")


def test_a_reason_stands_beside_a_goal_that_is_missed_and_else_what_the_figure_is() -> None:
    reasons = {"run": {"slow": "Bound by the disk.", "fast": "It is not."}}
    found = goals([document(_MET, _MISSED, series("free"))], reasons)
    assert [(goal.series.name, goal.why) for goal in found] == [
        ("fast", ""),
        ("slow", "Bound by the disk."),
    ]
    assert goals([document(_MISSED)], {})[0].why == "A chain."
    assert told(found) == "1 of 2 goals are met, 1 missed."
    assert told(found[:1]) == "1 of 1 goals are met."


def test_both_pages_begin_with_what_is_missed() -> None:
    documents = [document(_MET, _MISSED)]
    reasons = {"run": {"slow": "Bound by <disk>."}}
    shown = markdown_page("Figures", documents, reasons)
    row = "| run: slow | 101.5 steps/s | ≥ 900 | Bound by <disk>. |"
    assert shown.index("1 missed") < shown.index(row) < shown.index("## Run")
    page = html_page("Figures", documents, reasons)
    assert page.index("Bound by &lt;disk&gt;.") < page.index('<h2 id="run">')
    assert '<a href="#run">' in page


def test_where_all_goals_are_met_there_is_no_list_of_others() -> None:
    assert "missed" not in markdown_page("Figures", [document(_MET)])


def test_reasons_are_read_from_beside_the_documents(tmp_path: Path) -> None:
    assert read_reasons(tmp_path) == {}
    (tmp_path / "reasons.toml").write_text('[run]\n"p50 linear @1" = "Five commits."\n')
    assert read_reasons(tmp_path) == {"run": {"p50 linear @1": "Five commits."}}


@pytest.mark.parametrize(
    ("text", "named"),
    [("[run]\np50 = \n", "line 2"), ("[run]\np50 = 3\n", "[run]"), ("run = 1\n", "[run]")],
)
def test_reasons_in_another_form_are_an_error_that_names_the_place(
    tmp_path: Path, text: str, named: str
) -> None:
    save(tmp_path / "run.json", document(_MET))
    (tmp_path / "reasons.toml").write_text(text)
    with pytest.raises(UnreadableError, match=r"reasons\.toml") as error:
        read_reasons(tmp_path)
    assert named in str(error.value)


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["throughput linear @1", "throughput tree @1"], ["linear", "tree"]),
        (["ring, 1 KB: CPU", "queue of lists, 1 KB: CPU"], ["ring", "queue of lists"]),
        (["cpu: 1 worker", "cpu: 2 workers"], ["1 worker", "2 workers"]),
        (["fan: 10 steps", "fan: 10 steps, fresh"], ["fan: 10 steps", "fan: 10 steps, fresh"]),
        (["alone, p50"], ["alone, p50"]),
        (["same", "same"], ["same", "same"]),
    ],
)
def test_a_plots_labels_are_what_differs(names: list[str], labels: list[str]) -> None:
    assert labels_of(names) == labels


def test_a_label_that_is_too_long_keeps_its_ends() -> None:
    (label,) = labels_of([f"held: {'very ' * 20}open, fresh"])
    assert len(label) < 45
    assert label.startswith("held: very")
    assert label.endswith("open, fresh")
