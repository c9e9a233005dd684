"""The zygote dies: its workers live on, and a new one forks their successors."""

import os
import signal

import psutil
import pytest
from engine_project import ProjectFolder, Running, eventually, is_alive

_DIES_WHEN_TOLD = """
import os, pathlib, signal
TOLD = pathlib.Path(__file__).parent.parent / "die"
def die():
    if TOLD.exists():
        TOLD.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
os.register_at_fork({hook}=die)
"""


def test_workers_outlive_their_zygote_and_a_new_one_replaces_them(folder: ProjectFolder) -> None:
    folder.template("hold")
    folder.template("call")
    with folder.running() as running:
        workers, zygote = running.workers(), running.zygote()
        (held,) = running.submit("hold")
        (busy,) = folder.started()
        os.kill(zygote, signal.SIGKILL)
        eventually(lambda: not is_alive(zygote))
        assert {task.state for task in running.run("call", 10)} == {"complete"}
        (idle,) = set(workers.values()) - {busy}
        os.kill(idle, signal.SIGKILL)
        eventually(lambda: idle not in running.workers().values())
        assert busy in running.workers().values()
        assert running.zygote() != zygote
        folder.release()
        assert running.wait([held])[0].results == {"hold": {"pid": busy}}


def test_a_zygote_killed_again_while_it_starts_is_replaced_again(folder: ProjectFolder) -> None:
    folder.template("call")
    with folder.running() as running:
        first = running.workers()[0]
        for _ in range(2):
            zygote = eventually(lambda: _zygote(running), what="a zygote")
            os.kill(zygote, signal.SIGKILL)
            eventually(lambda old=zygote: not is_alive(old))
        os.kill(first, signal.SIGKILL)
        eventually(lambda: first not in running.workers().values())
        assert {task.state for task in running.run("call", 10)} == {"complete"}


def test_a_worker_of_which_the_zygote_could_not_tell_does_not_stay(
    folder: ProjectFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder.root / "handlers" / "hook.py").write_text(
        _DIES_WHEN_TOLD.format(hook="after_in_parent")
    )
    folder.template("call")
    with folder.running() as running:
        first = running.workers()[0]
        (folder.root / "die").touch()
        os.kill(first, signal.SIGKILL)
        eventually(lambda: first not in running.workers().values())
        assert not (folder.root / "die").exists()
        supervisor = psutil.Process(running.pid)
        eventually(lambda: len(supervisor.children()) == 3, 6, "a zygote and two workers")
    said = capfd.readouterr().err
    assert "worker 0 leaves: nobody watches it" in said
    assert "Traceback" not in said


def test_a_zygote_killed_while_the_supervisor_starts_is_replaced_once_more(
    folder: ProjectFolder,
) -> None:
    (folder.root / "handlers" / "hook.py").write_text(
        _DIES_WHEN_TOLD.format(hook="after_in_parent")
    )
    (folder.root / "die").touch()
    folder.template("call")
    with folder.running() as running:
        assert not (folder.root / "die").exists()
        assert running.run("call")[0].state == "complete"
        supervisor = psutil.Process(running.pid)
        eventually(lambda: len(supervisor.children()) == 3, 6, "a zygote and two workers")


def _zygote(running: Running) -> int | None:
    """Of any age: it has its title only once it has its settings."""
    for child in psutil.Process(running.pid).children():
        if "zygote" in " ".join(child.cmdline()) and is_alive(child.pid):
            return child.pid
    return None
