"""A file in batches: each row counts once, though the worker of one batch is killed."""

from collections.abc import Callable
from pathlib import Path

from example_project import Example


def _write(path: Path, amounts: range) -> str:
    path.write_text("amount\n" + "".join(f"{amount}\n" for amount in amounts))
    return str(path)


def test_every_row_counts_once_though_a_worker_is_killed(
    example: Callable[[str], Example], tmp_path: Path
) -> None:
    path = "imports/csv_import"
    with example("csv_batches").running() as running:
        file = _write(tmp_path / "rows.csv", range(1000))
        task = running.run(path, {"file": file, "killed_in": "004"})
        assert task.state == "complete"
        assert task.results["aggregate_csv"] == {
            "rows": 1000,
            "total": sum(range(1000)),
            "worker_count": 10,
            "scenario": "with_batches",
        }
        attempts = {step.name: step.attempts for step in task.steps}
        assert attempts.pop("process_csv_batch_004") == 2
        assert set(attempts.values()) == {1}

        empty = running.run(path, {"file": _write(tmp_path / "none.csv", range(0))})
        assert empty.state == "complete"
        assert empty.results["aggregate_csv"] == {
            "rows": 0, "total": 0, "worker_count": 0, "scenario": "no_batches",
        }  # fmt: skip
