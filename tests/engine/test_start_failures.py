"""A supervisor that cannot serve says why, once, and does not try for ever."""

import pytest
from engine_project import ProjectFolder, step

from tasker_mp import bootstrap
from tasker_mp.errors import EngineError

_DIES_IN_WORKERS = """
import os
forks = 0
def count():
    global forks
    forks += 1
    if forks == 2:
        os._exit(3)
os.register_at_fork(after_in_child=count)
"""


def _refused(folder: ProjectFolder, capfd: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(EngineError, match="could not start"):
        bootstrap(folder.config())
    folder.await_quiet()
    return capfd.readouterr().err


def test_workers_that_die_before_they_serve_stop_the_start(
    folder: ProjectFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder.root / "handlers" / "fatal.py").write_text(_DIES_IN_WORKERS)
    folder.template("call")
    said = _refused(folder, capfd)
    assert said.count("worker died") <= 6
    assert said.splitlines()[-1].startswith("error: 5 workers in a row died before they could")
    assert "exit status 3" in said.splitlines()[-1]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os; os._exit(9)", "exit status 9"),
        ("import ctypes; ctypes.string_at(0)", "killed by SIGSEGV"),
    ],
)
def test_handlers_that_kill_the_zygote_stop_the_start(
    folder: ProjectFolder, capfd: pytest.CaptureFixture[str], code: str, reason: str
) -> None:
    (folder.root / "handlers" / "fatal.py").write_text(code)
    folder.template("call")
    last = _refused(folder, capfd).splitlines()[-1]
    assert last.startswith("error: the zygote (pid ")
    assert last.endswith(f"died: {reason}")


def test_a_module_that_cannot_be_imported_fails_its_own_steps_and_is_reported(
    folder: ProjectFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder.root / "handlers" / "broken.py").write_text("import missing_library\n")
    (folder.root / "handlers" / "quits.py").write_text("raise SystemExit('bye')\n")
    broken = {"callable": "handlers.broken.Broken"}
    folder.template("broken", step("broken", handler=broken), step("beside", method="call"))
    folder.template("worse", step("worse", method="no_such_method"))
    with folder.running() as running:
        (task,) = running.run("broken")
        assert task.state == "error"
        assert task.results == {"beside": {"n": None}}
        error = task.errors["broken"]
        assert error["message"] == "No handler found for handlers.broken.Broken"
        assert "missing_library" in error["metadata"]["cause"]
        (task,) = running.run("worse")
        assert "has no method no_such_method" in task.errors["worse"]["metadata"]["cause"]
    said = capfd.readouterr().err
    assert "No module named 'missing_library'" in said
    assert "handlers.quits cannot be imported: SystemExit: bye" in said


def test_a_bad_template_stops_nothing_but_its_own_tasks(
    folder: ProjectFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    folder.template("call")
    (folder.root / "config" / "tasks" / "bad.yaml").write_text("name: bad\nsteps: 7\n")
    with folder.running() as running:
        assert running.run("call")[0].state == "complete"
    assert "template cannot be used" in capfd.readouterr().err
