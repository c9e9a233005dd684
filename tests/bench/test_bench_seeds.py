"""`bench seeds` checks promises: every one is measured, and a missed one is exit 1."""

from collections.abc import Callable
from typing import Any

import pytest
from bench_cli import by_name, measure
from click.testing import CliRunner

from bench.document import Document, decode_document
from bench.seeds import command
from bench.seeds.command import PROMISES


@pytest.mark.long
def test_workflows_and_forwarding_are_measured(database: str) -> None:
    small = ("--concurrency", "5", "--seconds", "0.1", "--singles", "1", "--forwardings", "4")
    document = measure(database, "seeds", *small, "--rounds", "1", "--workers", "1", codes=(0, 1))
    assert (document.problems, document.interrupted) == ([], False)
    series = by_name(document)
    for name, promise in PROMISES.items():
        assert series[f"{name}: average execution"].goal == promise.execution
        assert series[f"{name}: average execution"].met
        assert series[f"{name}: throughput"].goal == promise.throughput
        assert series[f"{name}: throughput"].value > 0
        assert series[f"{name}: success"].samples == [100.0]
    # Commit before entry, by two clocks that are one.
    assert 0 < series["event forwarding p50"].value <= series["event forwarding p99"].value < 1000
    assert 0 < series["event forwarding to the next step p50"].value < 1000
    assert series["event forwarding p99"].goal == 1
    (table,) = document.tables
    assert table.headings == ["metric", *PROMISES]
    assert "(< 25)" in str(table.rows[0][4])


def _recording(value: float) -> Callable[..., None]:
    def fake(_config: object, _sizes: object, document: Document, _progress: object) -> None:
        document.record("event forwarding p99", value, "ms", "lower", goal=1.0)

    return fake


def _nothing(*_: Any) -> None:
    pass


@pytest.mark.long
@pytest.mark.parametrize(("milliseconds", "code"), [(0.9, 0), (1.1, 1)])
def test_a_missed_promise_is_exit_1(
    database: str, monkeypatch: pytest.MonkeyPatch, milliseconds: float, code: int
) -> None:
    monkeypatch.setenv("TASKER_MP_DATABASE__URL", database)
    monkeypatch.setattr(command, "_workflows", _nothing)
    monkeypatch.setattr(command, "_forwarding", _recording(milliseconds))
    done = CliRunner().invoke(command.seeds, ["--json"])
    assert done.exit_code == code, done.output
    assert decode_document(done.stdout).series[0].met == (code == 0)
