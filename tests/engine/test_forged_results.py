"""A handler that writes into its worker's rings: the checksum is what keeps that out."""

from pathlib import Path

import pytest
from engine_project import ProjectFolder, eventually, is_alive, step

_WITHOUT_CRC = """
import tasker_mp.ring.reader

class Right:
    def __ne__(self, other):
        return False

tasker_mp.ring.reader.crc32 = lambda data: Right()
"""


@pytest.fixture
def forger(folder: ProjectFolder) -> ProjectFolder:
    source = Path(__file__).with_name("hostile.py.txt").read_text()
    (folder.root / "handlers" / "hostile.py").write_text(source)
    for method in ("forges", "scribbles", "call"):
        handler = {"callable": "handlers.hostile.Hostile", "method": method}
        folder.template(method, step(method, handler=handler, retry={"max_attempts": 2}))
    return folder


@pytest.mark.parametrize("method", ["forges", "scribbles"])
def test_what_a_handler_writes_into_its_ring_is_refused_and_its_worker_killed(
    forger: ProjectFolder, capfd: pytest.CaptureFixture[str], method: str
) -> None:
    with forger.running() as running:
        [forged] = running.submit(method)
        calls = running.submit("call", 20)
        [task] = running.wait([forged])
        assert (task.state, task.results) == ("error", {})
        assert task.errors[method]["error_code"] == "WORKER_CRASHED"
        assert task.steps[0].attempts == 2
        beside = running.wait(calls)
        assert {(t.state, t.steps[0].attempts) for t in beside} == {("complete", 1)}
        assert not any(running.crashes(uuid) for uuid in calls)
        pids = forger.started(method, 2)
        eventually(lambda: not any(is_alive(pid) for pid in pids))
    assert max(forger.executions().values()) <= 4, "twice a suspect, twice alone"
    assert "worker cannot be trusted: killed" in capfd.readouterr().err


def test_without_the_checksum_a_forged_result_would_be_committed(
    forger: ProjectFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The negative control of the test above."""
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "sitecustomize.py").write_text(_WITHOUT_CRC)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "without"))
    with forger.running(worker__count=1) as running:
        [task] = running.run("forges")
        assert (task.state, task.results) == ("complete", {"forges": {"forged": True}})
        running.system.stop(timeout=0)
