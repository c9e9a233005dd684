"""The one form of a measurement: what is recorded comes back, and nothing else."""

import msgspec
import pytest

from bench.document import Document, Series, decode_document, encode_document
from bench.page import number, page


def _document() -> Document:
    document = Document("run", "2026-01-02T03:04:05+00:00", "python -m bench run")
    for sample in (30.0, 10.0, 20.0):
        document.record("linear", sample, "steps/s", "higher", goal=15, note="A chain.", group="g")
    document.record("p50", 4.0, "ms", "lower", goal=3)
    return document


def test_rounds_of_one_name_are_one_series() -> None:
    linear, p50 = _document().series
    assert (linear.samples, linear.value, linear.met) == ([30, 10, 20], 20, True)
    assert (linear.unit, linear.better, linear.note, linear.group) == (
        "steps/s",
        "higher",
        "A chain.",
        "g",
    )
    assert (p50.value, p50.met) == (4, False)


def test_a_goal_is_met_on_the_right_side() -> None:
    assert Series("a", "ms", "lower", 3.0, [3.0]).met is True
    assert Series("a", "ms", "higher", 3.0, [2.9]).met is False
    assert Series("a", "ms", "higher", None, [2.9]).met is None


def test_what_is_saved_comes_back_without_what_was_not_measured() -> None:
    document = _document()
    document.series.append(Series("never", "ms", "lower", 1.0))
    assert document.series[-1].met is None
    saved = decode_document(encode_document(document))
    assert [series.name for series in saved.series] == ["linear", "p50"]
    with pytest.raises(msgspec.ValidationError):
        decode_document('{"bench": "run"}')


def test_a_page_shows_goals_spread_and_what_is_missing() -> None:
    document = _document()
    document.interrupted = True
    document.problems.append("tree: it did not end")
    text = page(document)
    assert "# Run (partial)" in text
    assert "Not measured: tree: it did not end" in text
    assert "| linear | steps/s | 20 | 10 - 30 | ≥ 15 | yes |" in text
    assert "| p50 | ms | 4 | 4 - 4 | ≤ 3 | no |" in text


def test_numbers_have_as_many_digits_as_say_something() -> None:
    values = (24680.92, 150.26, 3.14159, 0.8126, 7.0)
    assert [number(value) for value in values] == ["24,681", "150.3", "3.14", "0.813", "7"]
