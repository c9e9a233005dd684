"""The plugin as another project's pytest loads it."""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import psutil

from tasker_mp.cli import app

_REPOSITORY = Path(__file__).parents[2]

_SYSTEM = """
import psycopg


def test_the_supervisor_runs_the_project(tasker_system, tasker_database):
    task = tasker_system.run("hello/greeting", {"name": "Ada"})
    assert task.results["count_letters"] == {"letters": 8}
    assert tasker_system.client.get_task(task.uuid).state == "complete"
    assert tasker_system.system.is_running()
    print("database", tasker_database)


def test_the_database_is_fresh(tasker_database):
    with psycopg.connect(tasker_database) as connection:
        assert connection.execute("select count(*) from tasker.tasks").fetchone() == (0,)
    print("database", tasker_database)
"""

_UNRELATED = """
import sys

def test_nothing_is_imported():
    ours = {"psycopg", "msgspec", "yaml", "structlog", "httpx"} & set(sys.modules)
    assert not ours
    assert [name for name in sys.modules if name.startswith("tasker_mp.")] == [
        "tasker_mp.pytest_plugin"
    ]
"""


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Whether or not this checkout's entry points are installed."""
    command = [sys.executable, "-m", "pytest", "-p", "tasker_mp.pytest_plugin", "-v", *arguments]
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("TASKER", "PYTEST"))}
    return subprocess.run(
        command,
        cwd=folder,
        env=ours | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_pytest_finds_it() -> None:
    project = tomllib.loads((_REPOSITORY / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"tasker-mp": "tasker_mp.pytest_plugin"}


def test_it_costs_an_unrelated_project_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_unrelated.py").write_text(_UNRELATED)
    done = pytest_in(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_project_is_run_by_a_supervisor_and_nothing_is_left(tmp_path: Path) -> None:
    project = tmp_path / "made"
    assert app.run(["init", str(project)]) == 0
    new = ["handler", "new", "--config", str(project / "config")]
    assert app.run([*new, "handlers.refund.IssueRefund"]) == 0
    assert app.run([*new, "handlers.refund.tell", "--function"]) == 0
    (project / "tests" / "test_system.py").write_text(_SYSTEM)
    before = set(project.rglob("*"))
    done = pytest_in(project, "-s", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 passed" in done.stdout
    assert len(set(re.findall("database (.+)", done.stdout))) == 2, "one for each test"
    made = {path for path in project.rglob("*") if "__pycache__" not in path.parts}
    assert made == before
    name = hashlib.sha256(str(project.resolve()).encode()).hexdigest()[:12]
    server = Path(tempfile.gettempdir()) / f"tasker-mp-pytest-{os.geteuid()}-{name}"
    assert not server.exists()
    assert not [p for p in psutil.process_iter() if str(server) in " ".join(_command(p))]


def _command(process: psutil.Process) -> list[str]:
    try:
        command: list[str] = process.cmdline()
    except psutil.Error:
        return []
    return command
