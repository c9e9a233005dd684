"""Of two documents, what changed beyond the noise is a line; nothing else is said to have."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from saved_documents import FAST, document, save, series

from bench.compare import IncomparableError, compare, compared, lines_of
from bench.saved import UnreadableError

_SLOW = [value / 2 for value in FAST]


def _lines(one: object, other: object, *, everything: bool = False) -> list[str]:
    return lines_of(compared(one, other), everything=everything)  # type: ignore[arg-type]


def test_a_slower_figure_is_a_line_with_its_share_and_its_chance() -> None:
    first, *others = _lines(document(series()), document(series(samples=_SLOW)))
    assert first == "linear: 101.5 → 50.75 steps/s (-50.0 %), worse (p = 0.0286, 4 and 4 rounds)"
    assert len(others) == 1
    assert "Mann-Whitney" in others[0]


@pytest.mark.parametrize(
    ("better", "after", "verdict"),
    [
        ("higher", _SLOW, "worse"),
        ("lower", _SLOW, "better"),
        ("higher", FAST, "same"),
        ("higher", [99.0, 101.5, 102.5, 104.0], "same"),
        ("higher", [1.0, 2.0, 3.0], "undecided"),
        ("lower", [1.0], "undecided"),
    ],
)
def test_verdicts(better: str, after: list[float], verdict: str) -> None:
    one, other = (document(series(better=better, samples=some)) for some in (FAST, after))
    assert [change.verdict for change in compared(one, other).changes] == [verdict]


def test_what_did_not_change_is_counted_and_told_if_asked_for() -> None:
    one = document(series(), series("tree"), series("alone", [1.0]))
    other = document(series(), series("tree", _SLOW), series("alone", [2.0]))
    lines = _lines(one, other)
    assert len(lines) == 4
    assert lines[0].startswith("tree: ")
    assert lines[1] == "1 of 3 figures are the same within the noise"
    assert lines[2] == "1 undecided: with fewer than 4 rounds on either side"
    assert lines[3].endswith("by chance alone about 0.1 of 2 would differ")
    told = _lines(one, other, everything=True)
    assert "linear: 101.5 → 101.5 steps/s (+0.0 %), same (p = 1, 4 and 4 rounds)" in told
    assert "alone: 1 → 2 steps/s (+100.0 %), undecided (1 and 1 rounds)" in told


def test_the_worse_come_first() -> None:
    one = document(series("up", _SLOW), series("down", FAST))
    other = document(series("up", FAST), series("down", _SLOW))
    assert [line.split(":")[0] for line in _lines(one, other)[:2]] == ["down", "up"]


def test_what_else_differs_is_said_but_the_load() -> None:
    changed = {"cpu": "Z80", "load before": 9.9, "database": {"fsync": "off"}}
    other = document(
        series(), series("new"), series("old", unit="ms"), environment=changed, interrupted=True
    )
    lines = _lines(document(series(), series("gone"), series("old")), other)
    assert lines[:5] == [
        "the second document is partial: its run was interrupted",
        "environment: postgresql fsync: on → off",
        "gone: only in the first",
        "new: only in the second",
        "old: steps/s in the first, ms after",
    ]


def test_documents_without_a_common_figure_are_refused() -> None:
    with pytest.raises(IncomparableError, match=r"\(run\) is in the second \(peers\)"):
        compared(document(series()), document(series("other"), bench="peers"))


def test_the_command_reads_two_files(tmp_path: Path) -> None:
    one = save(tmp_path / "a.json", document(series()))
    other = save(tmp_path / "b.json", document(series(samples=_SLOW)))
    shown = CliRunner().invoke(compare, [str(one), str(other)])
    assert shown.exit_code == 0
    assert "worse" in shown.output
    told = json.loads(CliRunner().invoke(compare, [str(one), str(other), "--json"]).output)
    assert told["changes"] == [
        {
            "name": "linear",
            "unit": "steps/s",
            "before": 101.5,
            "after": 50.75,
            "verdict": "worse",
            "p": 0.028571,
        }
    ]


def test_a_file_that_is_none_is_an_error_that_names_it(tmp_path: Path) -> None:
    one = save(tmp_path / "a.json", document(series()))
    result = CliRunner().invoke(compare, [str(one), str(tmp_path / "b.json")])
    assert isinstance(result.exception, UnreadableError)
    assert result.exception.exit_code == 2
    assert str(result.exception) == f"{tmp_path / 'b.json'}: No such file or directory"
