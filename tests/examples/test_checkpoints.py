"""A step that yields at checkpoints goes on from the last one, after a crash as well."""

from collections.abc import Callable
from pathlib import Path

from example_project import Example


def test_a_step_goes_on_from_its_last_checkpoint(
    example: Callable[[str], Example], tmp_path: Path
) -> None:
    path = "exports/long_export"
    with example("checkpoints").running(ring__max_payload_bytes=65536) as running:
        ledger = tmp_path / "ledger"
        context = {"items": 250, "crash_at": 137, "ledger": str(ledger)}
        task = running.run(path, context)
        assert task.state == "complete"
        assert task.results["report"] == {"sum": sum(range(250))}
        chunks = ledger.read_text().split()
        assert chunks == [f"{start}-{start + 10}" for start in range(0, 250, 10)], "none twice"
        kept = task.results["export"]["kept"]
        assert (kept["cursor"], kept["items_processed"]) == (240, 240)
        assert [step["cursor"] for step in kept["history"]] == list(range(150, 250, 10))
        attempts = {step.name: step.attempts for step in task.steps}
        assert attempts == {"export": 2, "report": 1}, "yields charge none, the crash one"

        large = running.run(path, context | {"padding": 70_000})
        [export, _] = large.steps
        assert (large.state, export.attempts) == ("error", 1)
        assert export.error is not None
        assert "above the limit of 65536" in export.error["message"]
