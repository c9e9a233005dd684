"""`start`, `status`, `pause`, `stop` and `demo`: the engine through the command line."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from conftest import Project, append, is_alive, wait_until

LINEAR = "linear_workflow/mathematical_sequence"
TREE = "tree_workflow/hierarchical_tree"

STATUS = {
    "running", "environment", "worker_id", "pid", "started_at", "uptime_seconds",
    "worker_core_status", "deployment_mode", "web_api_enabled", "supported_namespaces",
    "database_pool_size", "database_pool_idle", "database_connected", "event_bridge_active",
    "subscriber_active", "handler_registry_size", "in_flight", "pending_count",
    "oldest_pending_age_ms", "starvation_detected", "starvation_reason", "stats", "rates",
    "latency_ms", "workers",
}  # fmt: skip


def test_a_supervisor_is_started_used_steered_and_stopped(served: Project) -> None:
    with served.supervisor() as supervisor:
        waited = ("--wait", "--timeout", "30")
        done = served.run("submit", TREE, "--context", '{"even_number": 8}', *waited, "--json")
        task = done.succeeded().document
        assert task["results"]["tree_final_convergence"]["result"] == 8**32
        assert str(8**32) in done.out

        odd = served.run("submit", LINEAR, "--context", '{"even_number": 7}', *waited, "--json")
        odd.failed(1, "linear_step_1", "even_number is 7")
        assert odd.document["state"] == "error"
        assert odd.document["errors"]["linear_step_1"]["error_code"] == "VALIDATION_ERROR"
        again = served.run("task", "wait", odd.document["uuid"])
        assert again.code == 1
        assert "even_number is 7" in again.out

        shown = served.run("task", "show", task["uuid"], "--json").document
        changes = [c["to_state"] for c in shown["transitions"] if c["step"] == "tree_root"]
        assert changes == ["enqueued", "in_progress", "complete"]

        status = served.run("status", "--json").succeeded().document
        assert set(status) == STATUS
        assert (status["running"], status["pid"]) == (True, supervisor.pid)
        assert len(status["workers"]) == 2
        assert status["stats"]["succeeded"] == 8
        assert "running for" in served.run("status").succeeded().out

        served.run("start").failed(1, "already", str(supervisor.pid))
        served.run("demo").failed(1, str(supervisor.pid), "tasker-mp stop")
        served.run("db", "reset", "--yes").failed(1, str(supervisor.pid), "tasker-mp stop")

        assert served.run("pause", "--json").succeeded().document["state"] == "paused"
        held = served.run("submit", LINEAR, "--context", '{"even_number": 6}').out.strip()
        served.run("task", "wait", held, "--timeout", "0.3").failed(1, held)
        served.run("resume").succeeded()
        assert str(6**8) in served.run("task", "wait", held, "--timeout", "30").succeeded().out

        served.run("stop").succeeded()
        assert supervisor.wait(1) == 0
        served.run("stop").failed(3, "no supervisor")


def test_strict_refuses_a_bad_template(served: Project) -> None:
    served.copy_examples()
    append(served.root / f"config/tasks/{LINEAR}.yaml", "color: red")
    done = served.run("start", "--strict", TASKER_MP_LOGGING__LEVEL="critical")
    done.failed(2, "--strict", "color")


def test_demo_computes_the_exact_powers(served: Project) -> None:
    done = served.run("demo", "--tasks", "5", "--input", "8", "--json").succeeded()
    document = done.document
    assert set(document) == {"workflows", "ok"}
    assert document["ok"] is True
    keys = {"name", "namespace", "tasks", "succeeded", "failed", "steps", "steps_per_second"}
    keys |= {"p50_ms", "p95_ms", "p99_ms", "result", "expected", "ok"}
    for workflow in document["workflows"]:
        assert set(workflow) == keys
        assert (workflow["tasks"], workflow["succeeded"], workflow["failed"]) == (5, 5, 0)
        assert workflow["result"] == workflow["expected"]
        assert 0 < workflow["p50_ms"] <= workflow["p95_ms"] <= workflow["p99_ms"]
    results = [workflow["result"] for workflow in document["workflows"]]
    assert results == [8**8, 8**16, 8**32, 8**64, "104.97"]
    assert sum(workflow["steps"] for workflow in document["workflows"]) == 5 * 27


def test_demo_is_not_fooled_by_a_wrong_result(served: Project) -> None:
    served.copy_examples()
    broken = served.root / "handlers/arithmetic.py"
    broken.write_text(broken.read_text().replace("math.prod(", "1 + math.prod("))
    done = served.run("demo", "--tasks", "2", "--plain")
    assert done.code == 1
    assert str(6**8) in done.out
    assert f"expected {6**64}" in done.out or str(6**64) in done.out
    assert "WRONG" in done.out


def test_demo_needs_the_examples(served: Project) -> None:
    (served.root / "config").unlink()
    served.run("demo").failed(2, "example workflows", "clone")


def test_an_interrupted_demo_takes_everything_with_it(served: Project) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tasker_mp", "demo", "--tasks", "20000", "--plain"],
        cwd=served.root,
        env=served.environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process.stderr:
        assert "starting" in process.stderr.readline()
        assert wait_until(lambda: bool(_children(process.pid)), 30)
        (child,) = _children(process.pid)
        os.kill(process.pid, signal.SIGINT)
        assert process.stderr.read().splitlines()[-1] == "interrupted"
    assert process.wait(30) == 130
    assert wait_until(lambda: not is_alive(int(child)), 10)


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
