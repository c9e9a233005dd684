"""Databases for tests: one server for all test processes, a fresh migrated database for each test.

`database` is the DSN of one on the embedded server; `each_database` runs the test a second time on
a PostgreSQL of the system, where there is another one (what is not the way of every step, only with
`make test-long`); `empty_database` is not migrated.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import hypothesis
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tasker_mp.db.binaries import find_binaries, system_binaries
from tasker_mp.db.embedded import EmbeddedServer, EmbeddedServerError
from tasker_mp.db.migrate import migrate
from tasker_mp.db.migrations import SQL_FOLDER, digest_of, read_code, read_migrations

# A submission must not fail over an example that another run would not have met; everybody else's
# runs go on looking for new ones.
hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")

# What a test commits need not outlive the machine.
NOT_DURABLE: dict[str, str | int] = {
    "fsync": "off",
    "full_page_writes": "off",
    "min_wal_size": "80MB",
    "max_wal_size": "1GB",
    "max_connections": 200,
}
_numbers = count(1)


@dataclass(frozen=True)
class Databases:
    """Makes and drops databases on the server that `dsn` leads to."""

    dsn: str

    @contextmanager
    def fresh(self, template: str = "template0") -> Iterator[str]:
        """The DSN of a new copy of `template`, dropped afterwards whoever is still connected."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        self._run(f"create database {name} template {template} strategy file_copy")
        try:
            yield self.named(name)
        finally:
            self._run(f"drop database {name} with (force)")

    def migrated_template(self) -> str:
        """The name of a migrated database to copy, made by the first test process that asks."""
        files = [*read_migrations(SQL_FOLDER), *read_code(SQL_FOLDER)]
        name = f"migrated_{digest_of(files)[:16]}"
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute("select pg_advisory_lock(4711)")
            if self._is_missing(connection, name):
                connection.execute(f"drop database if exists {name}_new")
                connection.execute(f"create database {name}_new template template0")
                migrate(self.named(f"{name}_new"))
                connection.execute(f"alter database {name}_new rename to {name}")
        return name

    @staticmethod
    def _is_missing(connection: psycopg.Connection, name: str) -> bool:
        query = "select from pg_database where datname = %s"
        return connection.execute(query, [name]).fetchone() is None

    def named(self, name: str) -> str:
        return make_conninfo(self.dsn, dbname=name)

    def _run(self, statement: str) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement)


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """The embedded server, shared by all test processes of this checkout."""
    with _shared_server("embedded", None) as dsn:
        yield Databases(dsn)


@pytest.fixture(scope="session")
def system_databases() -> Iterator[Databases]:
    """As `databases`, with the system's PostgreSQL 15 or newer; skips where there is none."""
    found = system_binaries()
    if found is None or found.version == find_binaries().version:
        pytest.skip("no other PostgreSQL on this machine")
    with _shared_server("system", found.folder) as dsn:
        yield Databases(dsn)


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    with databases.fresh(databases.migrated_template()) as dsn:
        yield dsn


@pytest.fixture
def empty_database(databases: Databases) -> Iterator[str]:
    with databases.fresh() as dsn:
        yield dsn


@pytest.fixture(params=["databases", "system_databases"], ids=["embedded", "system"])
def each_server(request: pytest.FixtureRequest) -> Databases:
    server: Databases = request.getfixturevalue(request.param)
    return server


_ON_EACH_SERVER = {"test_claim", "test_finish", "test_migrate"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "[system" in item.name and item.path.stem not in _ON_EACH_SERVER:
            item.add_marker(pytest.mark.long)


@pytest.fixture
def each_database(each_server: Databases) -> Iterator[str]:
    with each_server.fresh(each_server.migrated_template()) as dsn:
        yield dsn


@pytest.fixture
def each_empty_database(each_server: Databases) -> Iterator[str]:
    with each_server.fresh() as dsn:
        yield dsn


@contextmanager
def _shared_server(name: str, binaries: Path | None) -> Iterator[str]:
    """Always in the same place, so that a run finds and ends the server of a killed one."""
    server = EmbeddedServer(_run_folder(name), binaries=binaries, settings=NOT_DURABLE)
    held = server.lease()
    try:
        yield make_conninfo(held.dsn, dbname="postgres")
    finally:
        held.release()
        with suppress(EmbeddedServerError):  # another test process still uses it
            server.reset()


def pytest_unconfigure(config: pytest.Config) -> None:
    """The process that outlives the others of a run takes the folder of their servers with it."""
    folder = _servers_folder()
    if hasattr(config, "workerinput") or not folder.is_dir():
        return
    if not any(EmbeddedServer(path).status().running for path in folder.iterdir()):
        shutil.rmtree(folder)


def _servers_folder() -> Path:
    checkout = hashlib.sha256(str(Path(__file__).resolve()).encode()).hexdigest()[:8]
    return Path(tempfile.gettempdir()) / f"tasker-mp-tests-{os.geteuid()}-{checkout}"


def _run_folder(name: str) -> Path:
    folder = _servers_folder() / name
    for path in (folder.parent, folder):
        path.mkdir(exist_ok=True)
        assert path.stat().st_uid == os.geteuid(), f"{path} belongs to somebody else: remove it"
        path.chmod(0o711)
    return folder
