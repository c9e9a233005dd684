"""A dead server is started again for those who use it, by one starter and for nobody else."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg

from tasker_mp.db.embedded import EmbeddedServer
from tasker_mp.db.postmaster import stragglers, wait_until


def revive(project: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tasker_mp.db.revive", str(project)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def killed(server: EmbeddedServer) -> int:
    """The pid of the postmaster that was killed."""
    pid = server.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not server.status().running, 10)
    return pid


def test_a_killed_server_is_started_again_for_its_user(project: Path) -> None:
    server = EmbeddedServer(project)
    with server.lease() as dsn:
        before = killed(server)
        starter = revive(project)
        assert (starter.communicate(timeout=60)[1], starter.returncode) == ("", 0)
        assert server.status().pid not in (None, before)
        psycopg.connect(dsn).close()
    assert not server.status().running


def test_a_server_that_nobody_uses_any_more_stays_down(project: Path) -> None:
    server = EmbeddedServer(project)
    with server.lease():
        killed(server)
    starter = revive(project)
    assert (starter.communicate(timeout=60)[1], starter.returncode) == ("", 0)
    assert not server.status().running


def test_starters_and_commands_that_come_at_once_share_one_server(project: Path) -> None:
    server = EmbeddedServer(project)
    with server.lease() as dsn:
        killed(server)
        starters = [revive(project) for _ in range(3)]
        with server.lease() as same:
            pid = server.status().pid
            assert [starter.communicate(timeout=60)[1] for starter in starters] == ["", "", ""]
            assert (same, server.status().pid) == (dsn, pid)
        assert server.status().pid == pid


def test_data_that_are_gone_are_not_made_anew(project: Path) -> None:
    server = EmbeddedServer(project)
    with server.lease():
        data = server.status().data
        account = data.stat().st_uid
        killed(server)
        assert wait_until(lambda: not stragglers(data, account), 20)
        shutil.rmtree(data)
        starter = revive(project)
        said = starter.communicate(timeout=60)[1]
        assert (said.strip(), starter.returncode) == (f"the data folder {data} is gone", 1)
        assert not data.exists()
