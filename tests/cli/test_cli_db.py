"""`db`: a server by DSN, and the embedded one."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from conftest import Project, is_alive, wait_until
from psycopg.conninfo import make_conninfo

from tasker_mp.db.embedded import EmbeddedServer

LINEAR = "linear_workflow/mathematical_sequence"


def test_a_database_is_migrated_once(project: Project, empty_database: str) -> None:
    bare = Project(project.root, empty_database)
    before = bare.run("db", "status", "--json")
    assert before.code == 1
    assert before.document["current"] is False
    assert before.document["applied"] == []
    applied = bare.run("db", "migrate", "--json").succeeded().document["applied"]
    assert applied == before.document["pending"]
    assert bare.run("db", "migrate").succeeded().err == "up to date\n"
    after = bare.run("db", "status", "--json").succeeded().document
    assert after["current"] is True
    assert after["version"].startswith("PostgreSQL ")


def test_init_creates_what_is_missing(project: Project, database: str) -> None:
    name = f"created_{os.getpid()}"
    there = Project(project.root, make_conninfo(database, dbname=name))
    try:
        assert there.run("db", "init", "--json").succeeded().document["created"] is True
        assert there.run("db", "init", "--json").succeeded().document["created"] is False
    finally:
        _drop(database, name)


def test_a_reset_with_yes_leaves_an_empty_migrated_database(served: Project) -> None:
    served.run("submit", LINEAR).succeeded()
    served.run("db", "reset", "--yes").succeeded()
    assert served.run("task", "list", "--json").succeeded().document["tasks"] == []


def test_passwords_are_never_shown(project: Project) -> None:
    dsn = "postgresql://tasker:geheim@127.0.0.1:1/tasker"
    done = Project(project.root, dsn).run("db", "status")
    done.failed(3, "127.0.0.1")
    assert "geheim" not in done.err


@pytest.fixture
def embedded() -> Iterator[Project]:
    """A folder that the server's own account may pass through, when run by root."""
    folder = Path(tempfile.mkdtemp(prefix="tasker-mp-project-"))
    folder.chmod(0o711)
    try:
        yield Project(folder)
    finally:
        server = EmbeddedServer(folder)
        server.stop("immediate", force=True)
        server.reset()
        shutil.rmtree(folder)


def test_the_embedded_server_starts_stays_and_stops(embedded: Project) -> None:
    assert embedded.run("db", "status", "--json").succeeded().document["version"] is None
    started = embedded.run("db", "start", "--json").succeeded().document
    assert is_alive(started["pid"])
    embedded.run("db", "migrate").succeeded()
    status = embedded.run("db", "status", "--json").succeeded().document
    assert (status["running"], status["stays"], status["current"]) == (True, True, True)
    assert status["pid"] == started["pid"]
    assert embedded.run("db", "stop", "--json").succeeded().document == {"running": False}
    assert not is_alive(started["pid"])
    assert "was not running" in embedded.run("db", "stop").succeeded().err
    embedded.run("db", "reset", "--yes").succeeded()
    assert embedded.run("db", "status", "--json").succeeded().document["version"] is None


def test_a_supervisor_ended_while_it_starts_leaves_no_server(embedded: Project) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tasker_mp", "start"],
        cwd=embedded.root,
        env=embedded.environment(TASKER_MP_LOGGING__LEVEL="critical"),
    )
    pid_file = embedded.root / ".tasker/postgres/postmaster.pid"
    assert wait_until(pid_file.exists, 30)
    process.terminate()
    process.wait(30)
    assert not EmbeddedServer(embedded.root).status().running


def _drop(dsn: str, name: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"drop database if exists {name} with (force)")
