"""The embedded PostgreSQL of a project: started by its first user, stopped by its last."""

import fcntl
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import psycopg

from tasker_mp.db.binaries import Binaries, EmbeddedServerError, find_binaries, readable_copy
from tasker_mp.db.cluster import SUPERUSER, Cluster
from tasker_mp.db.place import SHARED_HOME, Place, make_home, make_shared_home, open_lock, place_of
from tasker_mp.db.postmaster import Postmaster, running_postmaster

__all__ = ["EmbeddedServer", "EmbeddedServerError", "EmbeddedStatus", "Lease", "lease"]

DATABASE = "tasker"


@dataclass(frozen=True)
class EmbeddedStatus:
    """What is known without starting anything; `version` is the data folder's major version.

    `stays` says that `db start` asked it to outlive its last user.
    """

    running: bool
    ready: bool
    pid: int | None
    dsn: str | None
    data: Path
    version: str | None
    stays: bool


class EmbeddedServer:
    """The server of the project folder `root`; nothing happens before a method is called.

    `binaries` is the folder of another PostgreSQL to use. `settings` are server settings that win
    over ours: tests switch durability off with them, and nothing else should.
    """

    def __init__(
        self,
        root: Path,
        *,
        binaries: Path | None = None,
        settings: Mapping[str, str | int] | None = None,
    ) -> None:
        self._wanted_binaries = binaries
        self._settings = dict(settings or {})
        self._root = root

    # -- what commands call ----------------------------------------------------------------------

    def ensure_running(self) -> str:
        """The DSN of the server, started where it was not; `EmbeddedServerError` says why not."""
        with self._start_lock():
            return self._ensure_running()

    def start_and_stay(self) -> str:
        """As `ensure_running`, and the server outlives its last user until `stop`."""
        with self._start_lock():
            dsn = self._ensure_running()
            self._place.stay_marker.touch(mode=0o600)
            return dsn

    def revive(self) -> None:
        """Starts the server that somebody uses and that has died under him; else does nothing.

        Whoever left meanwhile wants none, and data that are gone are not made anew.
        """
        with self._start_lock():
            if not self._in_use():
                return
            if not self._place.data.exists():
                raise EmbeddedServerError(f"the data folder {self._place.data} is gone")
            with _uninterrupted():
                self._ensure_running()

    def stop(self, mode: str = "fast", *, force: bool = False) -> bool:
        """Takes back `start_and_stay`; stops the server now, and answers True, if nobody uses it.

        With users and without `force` it stops with the last of them. `mode` is pg_ctl's.
        """
        with self._start_lock():
            self._place.stay_marker.unlink(missing_ok=True)
            if not force and self._in_use():
                return False
            self._stop(mode)
            return True

    def reset(self) -> None:
        """Stops the server and deletes its data; refuses while another command uses it."""
        with self._start_lock():
            if self._in_use():
                raise EmbeddedServerError(
                    f"the embedded PostgreSQL in {self._place.data} is in use: stop its users first"
                )
            self._stop("immediate")
            self._place.remove_data()
            self._place.stay_marker.unlink(missing_ok=True)

    def status(self) -> EmbeddedStatus:
        data = self._place.data
        running = running_postmaster(data) if data.exists() else None
        version = data / "PG_VERSION"
        return EmbeddedStatus(
            running=running is not None,
            ready=running is not None and running.ready,
            pid=running.pid if running else None,
            dsn=_dsn(running) if running else None,
            data=data,
            version=version.read_text().strip() if version.exists() else None,
            stays=self._place.stay_marker.exists(),
        )

    def lease(self) -> "Lease":
        """A use of the server, which runs from now until the last lease is released."""
        with self._start_lock():
            # Only `_in_use` takes this lock alone, and it holds the start lock then.
            users = open_lock(self._place.users_lock)
            try:
                fcntl.flock(users, fcntl.LOCK_SH | fcntl.LOCK_NB)
                with _uninterrupted():
                    return Lease(self, self._ensure_running(), users)
            except BaseException:
                self._leave(users)
                raise

    def release(self, users: int) -> None:
        """Ends the lease that holds the descriptor `users`; the last one stops the server."""
        with self._start_lock():
            self._leave(users)

    # -- under the start lock --------------------------------------------------------------------

    def _ensure_running(self) -> str:
        data = self._place.data
        running = running_postmaster(data) if data.exists() else None
        if running is None:
            self._start()
        elif not running.ready:
            self._cluster.wait_ready()
        running = running_postmaster(data)
        if running is None:
            raise EmbeddedServerError(f"the embedded PostgreSQL in {data} ended right after start")
        _ensure_database(running)
        return _dsn(running)

    def _start(self) -> None:
        try:
            self._cluster.start()
        except OSError as error:
            raise EmbeddedServerError(
                f"cannot set up the embedded PostgreSQL: {error}: "
                "make that place writable, or set database.url"
            ) from error

    def _leave(self, users: int) -> None:
        os.close(users)
        if not self._place.stay_marker.exists() and not self._in_use():
            self._stop("fast")

    def _stop(self, mode: str) -> None:
        if running_postmaster(self._place.data) is not None:
            self._cluster.stop(mode)

    def _in_use(self) -> bool:
        users = open_lock(self._place.users_lock)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(users)
        return False

    @cached_property
    def _place(self) -> Place:
        return place_of(self._root)

    @cached_property
    def _cluster(self) -> Cluster:
        found = Binaries(self._wanted_binaries) if self._wanted_binaries else find_binaries()
        if not self._place.account.reaches(found.folder):
            make_shared_home()
            found = readable_copy(found, SHARED_HOME)
        return Cluster(self._place, found, self._settings)

    @contextmanager
    def _start_lock(self) -> Iterator[None]:
        """One command at a time starts, stops, enters or leaves; a dead one's lock is free."""
        try:
            make_home(self._place)
            lock = open_lock(self._place.start_lock)
        except OSError as error:
            raise EmbeddedServerError(
                f"cannot keep the embedded PostgreSQL in {self._place.home}: {error.strerror}: "
                "make it writable, or set database.url"
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold back SIGTERM and SIGINT: a server that has been forked and has not written its pid file
    yet could not be found again. Both are dealt with when the block ends."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Lease:
    """One command's use of the embedded server; the kernel releases it for a killed process."""

    def __init__(self, server: EmbeddedServer, dsn: str, users: int) -> None:
        self.dsn = dsn
        self._server = server
        self._users: int | None = users

    def release(self) -> None:
        """Stops the server if nobody else uses it; a second call does nothing."""
        if self._users is not None:
            users, self._users = self._users, None
            self._server.release(users)

    def __enter__(self) -> str:
        return self.dsn

    def __exit__(self, *exc_info: object) -> None:
        self.release()


def lease(root: Path) -> Lease:
    """`with lease(root) as dsn`: the embedded server of that project runs meanwhile."""
    return EmbeddedServer(root).lease()


def _dsn(server: Postmaster, database: str = DATABASE) -> str:
    host = quote(str(server.socket_folder), safe="/")
    return f"postgresql://{SUPERUSER}@/{database}?host={host}&port={server.port}"


def _ensure_database(server: Postmaster) -> None:
    """Creates our database: a fresh data folder has none, and so has one whose maker was killed."""
    try:
        with psycopg.connect(_dsn(server, "postgres"), autocommit=True) as connection:
            query = "select from pg_database where datname = %s"
            if connection.execute(query, [DATABASE]).fetchone() is None:
                connection.execute(f"create database {DATABASE}")
    except psycopg.Error as error:
        raise EmbeddedServerError(
            f"the embedded PostgreSQL (process {server.pid}) does not answer: {error}"
        ) from error
