"""The PostgreSQL of a test run: one embedded server, a fresh migrated database for each test."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

from psycopg.conninfo import make_conninfo

from tasker_mp.db.connect import connect
from tasker_mp.db.embedded import EmbeddedServer, EmbeddedServerError
from tasker_mp.db.migrate import migrate
from tasker_mp.db.migrations import SQL_FOLDER, digest_of, read_code, read_migrations

_NOT_DURABLE: Final[dict[str, str | int]] = {
    # What a test commits need not outlive the machine.
    "fsync": "off",
    "full_page_writes": "off",
    "min_wal_size": "80MB",
    "max_wal_size": "1GB",
    "max_connections": 200,
}
_LOCK: Final = 4711
_numbers = count(1)


@contextmanager
def database_server(project: Path) -> Iterator["DatabaseServer"]:
    """The server of a project's test runs, shared by the processes of a run; nothing of it is left
    once the last one is done. A run that was killed leaves it to the next one, which ends it."""
    folder = _folder(project)
    server = EmbeddedServer(folder, settings=_NOT_DURABLE)
    with _one_at_a_time():
        _make(folder)
        held = server.lease()
    try:
        yield DatabaseServer(make_conninfo(held.dsn, dbname="postgres"))
    finally:
        with _one_at_a_time():
            held.release()
            _remove(server, folder)


class DatabaseServer:
    """Makes and drops databases; `dsn` leads to the one that the server comes with."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    @contextmanager
    def database(self) -> Iterator[str]:
        """The DSN of a new, migrated database; it is dropped whoever is still connected."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        self._run(f"create database {name} template {self._migrated()}")
        try:
            yield self._named(name)
        finally:
            self._run(f"drop database {name} with (force)")

    def _migrated(self) -> str:
        """The database to copy, made by the first process that asks."""
        name = f"migrated_{digest_of([*read_migrations(SQL_FOLDER), *read_code(SQL_FOLDER)])[:16]}"
        with connect(self._dsn, autocommit=True) as connection:
            connection.execute("select pg_advisory_lock(%s)", [_LOCK])
            query = "select from pg_database where datname = %s"
            if connection.execute(query, [name]).fetchone() is None:
                # Under another name until it is whole: its maker may be killed.
                connection.execute(f"drop database if exists {name}_new")
                connection.execute(f"create database {name}_new template template0")
                migrate(self._named(f"{name}_new"))
                connection.execute(f"alter database {name}_new rename to {name}")
        return name

    def _named(self, name: str) -> str:
        return make_conninfo(self._dsn, dbname=name)

    def _run(self, statement: str) -> None:
        with connect(self._dsn, autocommit=True) as connection:
            connection.execute(statement)


def _folder(project: Path) -> Path:
    """The same for every run of the project by the same user."""
    name = hashlib.sha256(str(project.resolve()).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"tasker-mp-pytest-{os.geteuid()}-{name}"


def _make(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    if folder.lstat().st_uid != os.geteuid():
        raise EmbeddedServerError(f"{folder} belongs to somebody else: remove it")
    folder.chmod(0o711)  # as root the server's own account passes through


def _remove(server: EmbeddedServer, folder: Path) -> None:
    try:
        server.reset()
    except EmbeddedServerError:
        return  # another process of the run still uses it
    shutil.rmtree(folder)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Of all processes that start or remove a server: by a lock that is no file of its own."""
    place = os.open(tempfile.gettempdir(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        os.close(place)
