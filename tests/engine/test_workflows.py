"""The five example workflows, through a real supervisor and real workers, with exact results."""

from pathlib import Path

import psutil
import pytest
from engine_project import eventually

from tasker_mp import bootstrap, load_config
from tasker_mp.client import Client, Submission

_REPOSITORY = Path(__file__).parents[2]
_MATHEMATICS = {
    ("linear_workflow", "mathematical_sequence"): ("linear_step_4", 8),
    ("diamond_workflow", "diamond_pattern"): ("diamond_end", 16),
    ("tree_workflow", "hierarchical_tree"): ("tree_final_convergence", 32),
    ("mixed_dag_workflow", "complex_dag"): ("dag_finalize", 64),
}
_ORDER = {
    "customer": {"id": 7, "email": "jo@example.com"},
    "items": [{"sku": "WIDGET-1", "quantity": 2, "price": "19.99"}],
    "payment": {"method": "card", "token": "tok_visa"},
    "shipping": {"method": "standard", "address": "1 Main Street"},
}


@pytest.mark.parametrize("transport", ["ring", "pipe"])
def test_the_five_workflows_end_with_exact_results(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    for name in ("config", "handlers"):
        (tmp_path / name).symlink_to(_REPOSITORY / name)
    monkeypatch.chdir(tmp_path)
    overrides = {"database.url": database, "worker.count": 2, "ring.transport": transport}
    config = load_config(tmp_path / "config", "test", overrides, environ={})
    submissions = [
        Submission(namespace=namespace, name=name, context={"even_number": number})
        for number in (6, 8, -2, 10**30)
        for namespace, name in _MATHEMATICS
    ]
    order = Submission(namespace="order_fulfillment", name="business_workflow", context=_ORDER)
    with bootstrap(config) as system, Client(config=config) as client:
        processes = psutil.Process(system.pid).children()
        uuids = client.submit_many([*submissions, order])
        for uuid, submission in zip(uuids, submissions, strict=False):
            task = client.wait(uuid, 20)
            assert task.state == "complete", task.errors
            step, power = _MATHEMATICS[submission.namespace, submission.name]
            assert task.results[step]["result"] == submission.context["even_number"] ** power
            assert task.results[step]["verification"]["matches"] is True
        results = client.wait(uuids[-1], 20).results
        assert results["validate_order"]["order_total"] == "39.98"
        assert results["process_payment"]["amount_charged"] == "39.98"
        assert set(results) == {
            "validate_order", "reserve_inventory", "process_payment", "ship_order",
        }  # fmt: skip
        stats = system.status()["stats"]
        expected = 4 * (4 + 4 + 8 + 7) + 4
        assert (stats["processed"], stats["succeeded"]) == (expected, expected)
        assert stats["stale_results"] == stats["duplicate_completions"] == stats["crashed"] == 0
    assert len(processes) == 3
    eventually(lambda: not any(process.is_running() for process in processes), 2)
    assert not Path(f"/proc/{system.pid}").exists()
