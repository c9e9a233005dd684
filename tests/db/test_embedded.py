"""The embedded server by itself: set up, settings, and what it survives."""

import os
import signal
import socket
import stat
import subprocess
from pathlib import Path

import psycopg
import pytest

from tasker_mp.db.cluster import Cluster
from tasker_mp.db.embedded import EmbeddedServer, EmbeddedServerError, lease
from tasker_mp.db.place import place_of
from tasker_mp.db.postmaster import running_postmaster, wait_until

from .commands import finish, run


def scalar(dsn: str, query: str) -> object:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]


def setting(dsn: str, name: str) -> object:
    return scalar(dsn, f"show {name}")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def process_of(server: EmbeddedServer) -> int:
    pid = server.status().pid
    assert pid is not None
    return pid


def is_running(pid: int) -> bool:
    """Unlike a signal to it, this tells a zombie that nobody reaps from a process."""
    try:
        return Path(f"/proc/{pid}/exe").readlink() is not None
    except OSError:
        return False


def test_a_fresh_server_is_durable_private_and_tuned(project: Path) -> None:
    with lease(project) as dsn:
        data = project / ".tasker" / "postgres"
        wanted = {
            "fsync": "on",
            "synchronous_commit": "on",
            "data_checksums": "on",
            "server_encoding": "UTF8",
            "listen_addresses": "",
            "dynamic_shared_memory_type": "mmap",
            "max_wal_size": "4GB",
            "jit": "off",
            "timezone": "UTC",
            "log_filename": "server-%a.log",
        }
        assert {name: setting(dsn, name) for name in wanted} == wanted
        rules = "select string_agg(type || ' ' || auth_method, ',') from pg_hba_file_rules"
        assert scalar(dsn, rules) == "local trust"
        sockets = Path(str(setting(dsn, "unix_socket_directories")))
        assert (mode_of(data), mode_of(sockets)) == (0o700, 0o700)
        assert data.stat().st_uid == sockets.stat().st_uid
        assert "ready to accept" in next((data / "log").glob("*.log")).read_text()


def test_the_server_holds_nothing_of_the_command_that_started_it(project: Path) -> None:
    with lease(project):
        pid = process_of(EmbeddedServer(project))
        descriptors = [str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()]
        assert not [d for d in descriptors if d.endswith(".lock")]
        ours = {str(Path(f"/proc/self/fd/{n}").readlink()) for n in (1, 2)} - {"/dev/null"}
        assert not ours & set(descriptors)
        assert os.getsid(pid) != os.getsid(0)


def test_a_long_project_path_still_has_a_short_socket_path(project: Path) -> None:
    deep = project.joinpath(*["a-folder-with-a-long-name" for _ in range(8)])
    deep.mkdir(parents=True)
    server = EmbeddedServer(deep)
    try:
        with server.lease() as dsn:
            assert scalar(dsn, "select 1") == 1
    finally:
        server.reset()


def test_the_database_is_made_again_where_it_is_missing(project: Path) -> None:
    with lease(project) as dsn:
        with psycopg.connect(dsn.replace("/tasker?", "/postgres?"), autocommit=True) as connection:
            connection.execute("drop database tasker")
        with lease(project) as again:
            assert scalar(again, "select current_database()") == "tasker"


def test_changed_settings_reach_the_next_start(project: Path) -> None:
    with EmbeddedServer(project).lease() as dsn:
        assert setting(dsn, "work_mem") == "4MB"
    with EmbeddedServer(project, settings={"work_mem": "5MB"}).lease() as dsn:
        assert setting(dsn, "work_mem") == "5MB"
    with EmbeddedServer(project).lease() as dsn:
        assert setting(dsn, "work_mem") == "4MB"


# -- crashes --------------------------------------------------------------------------------------


def test_a_killed_postmaster_is_replaced_though_its_backend_still_runs(project: Path) -> None:
    server = EmbeddedServer(project)
    with server.lease() as dsn:
        with psycopg.connect(dsn) as connection:
            connection.execute("create table kept as select 42 as value")
        busy = psycopg.connect(dsn, autocommit=True)
        # A busy backend notices the death of the postmaster only when it waits for something.
        spin = "do $$ begin loop perform 1; end loop; end $$"
        busy.pgconn.send_query(spin.encode())
        killed = process_of(server)
        os.kill(killed, signal.SIGKILL)
        assert wait_until(lambda: not is_running(killed), 10)
        assert not server.status().running
        with server.lease() as again:
            assert process_of(server) != killed
            assert scalar(again, "select value from kept") == 42
        busy.close()


def test_a_stale_pid_file_that_names_another_process_does_not_matter(project: Path) -> None:
    server = EmbeddedServer(project)
    with server.lease():
        lines = (server.status().data / "postmaster.pid").read_text().splitlines()
    owner = server.status().data.stat()
    other = subprocess.Popen(["sleep", "60"], user=owner.st_uid, group=owner.st_gid)
    try:
        # PostgreSQL takes any live process of its own user for a server, and refuses to start.
        stale = server.status().data / "postmaster.pid"
        stale.write_text("\n".join([str(other.pid), *lines[1:], ""]))
        os.chown(stale, owner.st_uid, owner.st_gid)
        assert not server.status().running
        with server.lease() as dsn:
            assert scalar(dsn, "select 1") == 1
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_an_interrupted_initdb_is_begun_anew(project: Path) -> None:
    first = run(
        "import sys; from pathlib import Path; from tasker_mp.db.embedded import EmbeddedServer\n"
        "EmbeddedServer(Path(sys.argv[1])).ensure_running()",
        project,
    )
    home = project / ".tasker"
    assert wait_until(lambda: any(home.glob("postgres.new-*/base")), 10)
    first.kill()
    finish(first, expect=-signal.SIGKILL)
    assert not (home / "postgres").exists()
    with lease(project) as dsn:
        assert scalar(dsn, "select 1") == 1
    assert not list(home.glob("postgres.new-*"))


def _overwrite(file: Path, text: str) -> None:
    """In one store, as the server does it: nobody sees an empty file."""
    with file.open("r+b", buffering=0) as opened:
        opened.write(text.encode())


def test_a_server_that_was_still_starting_is_waited_for(project: Path) -> None:
    server = EmbeddedServer(project)
    with server.lease():
        pid_file = server.status().data / "postmaster.pid"
        ready = pid_file.read_text()
        assert "ready" in ready
        _overwrite(pid_file, ready.replace("ready   ", "starting"))
        assert not server.status().ready
        waiting = run(
            "import sys; from pathlib import Path; from tasker_mp.db.embedded import lease\n"
            "print('asking', flush=True)\n"
            "with lease(Path(sys.argv[1])) as dsn: print(dsn)",
            project,
        )
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == "asking\n"
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(timeout=0.3)
        _overwrite(pid_file, ready)
        assert "postgresql://" in finish(waiting)


# -- what is wrong is said ------------------------------------------------------------------------


def test_a_server_that_does_not_start_shows_its_log(project: Path) -> None:
    with pytest.raises(EmbeddedServerError, match=r"did not start: .*shared_buffers.*no-number"):
        EmbeddedServer(project, settings={"shared_buffers": "no-number"}).ensure_running()
    with lease(project) as dsn:
        assert scalar(dsn, "select 1") == 1


def test_data_of_another_major_version_are_refused(project: Path) -> None:
    server = EmbeddedServer(project)
    with server.lease():
        pass
    (server.status().data / "PG_VERSION").write_text("14\n")
    with pytest.raises(EmbeddedServerError, match=r"PostgreSQL 14 .* pg_upgrade or pg_dump"):
        server.ensure_running()


def test_a_folder_that_is_no_cluster_is_left_alone(project: Path) -> None:
    mine = project / ".tasker" / "postgres" / "notes.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(EmbeddedServerError, match="is not a readable PostgreSQL data folder"):
        EmbeddedServer(project).ensure_running()
    assert mine.read_text() == "mine"


def test_a_project_that_does_not_exist_is_refused(project: Path) -> None:
    with pytest.raises(EmbeddedServerError, match="absent does not exist"):
        EmbeddedServer(project / "absent").ensure_running()


def test_a_place_that_is_not_writable_is_an_error_of_one_line(project: Path) -> None:
    (project / ".tasker").write_text("a file in the way")
    with pytest.raises(EmbeddedServerError, match="cannot keep the embedded PostgreSQL") as caught:
        EmbeddedServer(project).ensure_running()
    assert "\n" not in str(caught.value)
    (project / ".tasker").unlink()


# -- reset ----------------------------------------------------------------------------------------


def test_reset_deletes_the_data_and_only_those(project: Path) -> None:
    (project / "mine").touch()
    server = EmbeddedServer(project)
    with server.lease() as dsn:
        sockets = Path(str(setting(dsn, "unix_socket_directories")))
        with pytest.raises(EmbeddedServerError, match="in use"):
            server.reset()
    server.reset()
    assert not server.status().data.exists()
    assert not sockets.exists()
    assert (project / "mine").exists()


def test_the_last_user_takes_the_sockets_folder_with_it(project: Path) -> None:
    folder = place_of(project).socket_folder
    with lease(project):
        assert folder.is_dir()
    assert not folder.exists()
    with lease(project) as dsn:
        assert setting(dsn, "unix_socket_directories") == str(folder)


def test_a_socket_that_answers_is_the_servers_own(project: Path) -> None:
    with lease(project):
        server = running_postmaster(project / ".tasker" / "postgres")
        assert server is not None
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{server.socket_folder}/.s.PGSQL.{server.port}")


def test_a_fast_stop_that_is_asked_of_a_stopped_server_is_harmless(project: Path) -> None:
    server = EmbeddedServer(project)
    assert server.stop()
    with server.lease():
        pass
    assert server.stop()
    assert isinstance(server._cluster, Cluster)
