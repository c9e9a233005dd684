"""A real supervisor: what it does is known to `explain`, and lifecycles are enforced as it runs."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from engine_project import ProjectFolder, Running, eventually, step

from tasker_mp.client.explanation import Reason
from tasker_mp.control import Command, ask
from tasker_mp.engine.runtime import RuntimeDirectory

_LIMIT = 60.0


_WAITING = (
    "select count(*) from pg_locks where relation = 'tasker.claims'::regclass and not granted"
    " and database = (select oid from pg_database where datname = current_database())"
)


def tell(running: Running, command: str) -> dict[str, Any]:
    answer = ask(RuntimeDirectory(running.folder.root).control_socket, Command(command))
    assert answer.get("ok"), answer
    return answer


def test_a_paused_supervisor_is_why_nothing_runs_until_it_goes_on(folder: ProjectFolder) -> None:
    folder.template("call")
    with folder.running() as running:
        tell(running, "pause")
        [task] = running.submit("call")

        def why() -> tuple[Reason, str]:
            [found] = running.client.explain(task).steps
            return found.reason, found.message

        eventually(lambda: why()[0] is Reason.PAUSED, _LIMIT)
        worker_id = running.status()["worker_id"]
        said = f"paused: supervisor {worker_id} serves the namespace but is paused"
        assert said in why()[1]
        assert "tasker-mp resume" in why()[1]
        tell(running, "resume")
        [ended] = running.wait([task], _LIMIT)
        assert ended.state == "complete"


def test_a_pause_is_answered_once_what_was_being_claimed_has_come(folder: ProjectFolder) -> None:
    folder.template("hold")
    with folder.running() as running, psycopg.connect(folder.dsn) as blocker:
        blocker.execute("lock table tasker.claims in share mode")
        running.submit("hold")
        with psycopg.connect(folder.dsn, autocommit=True) as other:
            eventually(lambda: other.execute(_WAITING).fetchone() == (1,), _LIMIT, "a claim waits")
        with ThreadPoolExecutor(1) as pool:
            pausing = pool.submit(tell, running, "pause")
            with pytest.raises(TimeoutError):
                pausing.result(0.3)
            blocker.rollback()
            assert pausing.result(_LIMIT)["state"] == "paused"
        assert running.status()["in_flight"] == 1
        folder.release()


def test_a_draining_supervisor_is_named_while_it_drains(folder: ProjectFolder) -> None:
    folder.template("hold")
    with folder.running(worker__count=1) as running:
        running.submit("hold")
        folder.started("hold")
        tell(running, "drain")
        [late] = running.submit("hold")

        def draining() -> bool:
            [found] = running.client.explain(late).steps
            return found.reason is Reason.DRAINING and "about to leave" in found.message

        eventually(draining, _LIMIT)
        folder.release()


def test_a_running_supervisor_fails_a_task_past_its_limit_and_refuses_its_result(
    folder: ProjectFolder,
) -> None:
    folder.template("hold", step("hold"), step("call", "hold"))
    file = folder.root / "config" / "tasks" / "hold.yaml"
    lifecycle = {"max_steps_in_process_minutes": 0.005, "staleness_action": "error"}
    file.write_text(json.dumps(json.loads(file.read_text()) | {"lifecycle": lifecycle}))
    with folder.running() as running:
        [task] = running.submit("hold")
        [ended] = running.wait([task], _LIMIT)
        assert ended.state == "error"
        assert ended.errors["hold"]["error_code"] == "LIFECYCLE_LIMIT"
        folder.release()
        eventually(lambda: running.status()["stats"]["stale_results"] == 1, _LIMIT)
        [after] = running.wait([task], _LIMIT)
        assert after == ended
