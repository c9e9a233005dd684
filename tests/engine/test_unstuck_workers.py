"""What was taken back from workers that stood still is sent again once they go on."""

import os
import signal
import time

from engine_project import ProjectFolder, eventually


def test_steps_revoked_from_every_worker_run_when_the_workers_go_on(folder: ProjectFolder) -> None:
    """Nothing else wakes the dispatcher: no result is due, no event lacked room, nobody polls."""
    folder.template("call")
    quiet = {"worker__mode": "event_driven", "worker__poll_interval": 60}
    with folder.running(**quiet) as running:
        running.run("call")
        workers = list(running.workers().values())
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        try:
            uuids = running.submit("call", 20)
            eventually(lambda: running.status()["in_flight"] == 20, what="all claimed")
            eventually(lambda: _fill(running.status()) == 0, what="all taken back")
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGCONT)
        began = time.monotonic()
        assert {task.state for task in running.wait(uuids)} == {"complete"}
        assert time.monotonic() - began < 10
        assert set(folder.executions().values()) == {1}


def _fill(status: dict) -> float:
    return sum(worker["request_ring_fill"] for worker in status["workers"])
