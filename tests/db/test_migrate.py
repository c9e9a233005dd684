"""Migrations: numbered files applied once, code made anew, one process at a time."""

import subprocess
from pathlib import Path

import psycopg
import pytest

from tasker_mp.db.connect import connect
from tasker_mp.db.migrate import MigrationError, migrate, reset, status
from tasker_mp.db.postmaster import wait_until

from .commands import finish, run

PEOPLE = "create table tasker.people (id integer primary key, name text not null);"
GREET = """
create function tasker.greet(p_id integer) returns text language sql as
$$ select 'hello ' || name from tasker.people where id = p_id $$;
"""


class Sql:
    """A folder of SQL files like the package's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for kind in ("migrations", "functions"):
            (folder / kind).mkdir()

    def migration(self, name: str, text: str) -> Path:
        return self._write("migrations", name, text)

    def code(self, name: str, text: str) -> Path:
        return self._write("functions", name, text)

    def _write(self, kind: str, name: str, text: str) -> Path:
        path = self.folder / kind / f"{name}.sql"
        path.write_text(text)
        return path


@pytest.fixture
def sql(tmp_path: Path) -> Sql:
    files = Sql(tmp_path)
    files.migration("0001_people", PEOPLE)
    files.code("greet", GREET)
    return files


def rows(dsn: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def execute(dsn: str, statement: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement.encode())


def test_the_packages_own_files_make_a_complete_schema(each_empty_database: str) -> None:
    report = migrate(each_empty_database)
    assert report.applied
    assert report.code_renewed
    with connect(each_empty_database) as connection:
        assert status(connection).current
    queue = "select pgmq.create('worker_x_queue'); select pgmq.send('worker_x_queue', '{}')"
    execute(each_empty_database, queue)
    assert rows(each_empty_database, "select count(*) from pgmq.pop('worker_x_queue', 5)") == [(1,)]
    assert migrate(each_empty_database).applied == ()


def test_only_what_is_missing_is_applied(empty_database: str, sql: Sql) -> None:
    assert migrate(empty_database, sql.folder).applied == ("0001_people.sql",)
    execute(empty_database, "insert into tasker.people values (1, 'Ada')")
    sql.migration("0002_age", "alter table tasker.people add age integer default 36")
    assert migrate(empty_database, sql.folder).applied == ("0002_age.sql",)
    assert rows(empty_database, "select name, age, tasker.greet(1) from tasker.people") == [
        ("Ada", 36, "hello Ada")
    ]


def test_a_failing_migration_leaves_those_before_it(empty_database: str, sql: Sql) -> None:
    sql.migration("0002_half", "create table tasker.half (); select 1 / 0;")
    with pytest.raises(MigrationError, match=r"0002_half\.sql failed: division by zero \(22012\)"):
        migrate(empty_database, sql.folder)
    with connect(empty_database) as connection:
        found = status(connection, sql.folder)
    assert (found.version, found.pending, found.code_current) == (1, ("0002_half.sql",), False)
    assert rows(empty_database, "select to_regclass('tasker.half')") == [(None,)]
    sql.migration("0002_half", "create table tasker.half ();")
    assert migrate(empty_database, sql.folder).applied == ("0002_half.sql",)
    assert rows(empty_database, "select to_regclass('tasker.half') is null") == [(False,)]


def test_an_edited_migration_is_refused(empty_database: str, sql: Sql) -> None:
    migrate(empty_database, sql.folder)
    sql.migration("0001_people", PEOPLE + " -- edited")
    with pytest.raises(MigrationError, match=r"0001_people\.sql was edited after it was applied"):
        migrate(empty_database, sql.folder)


def test_a_database_of_a_newer_version_is_refused(empty_database: str, sql: Sql) -> None:
    newer = sql.migration("0002_newer", "create table tasker.newer ();")
    migrate(empty_database, sql.folder)
    newer.unlink()
    with pytest.raises(MigrationError, match=r"migrated by a newer version \(to 0002"):
        migrate(empty_database, sql.folder)
    with connect(empty_database) as connection:
        found = status(connection, sql.folder)
    assert "upgrade tasker-mp" in (found.problem or "")
    assert not found.current


def test_a_number_below_an_applied_one_is_refused(empty_database: str, sql: Sql) -> None:
    sql.migration("0003_later", "create table tasker.later ();")
    migrate(empty_database, sql.folder)
    sql.migration("0002_late", "create table tasker.late ();")
    with pytest.raises(MigrationError, match=r"0002_late\.sql is new but 0003 is applied already"):
        migrate(empty_database, sql.folder)


def test_an_applied_migration_that_is_not_here_is_refused(empty_database: str, sql: Sql) -> None:
    lost = sql.migration("0002_lost", "create table tasker.lost ();")
    sql.migration("0003_later", "create table tasker.later ();")
    migrate(empty_database, sql.folder)
    lost.unlink()
    with pytest.raises(MigrationError, match=r"holds migration 0002_lost\.sql, which is not here"):
        migrate(empty_database, sql.folder)


@pytest.mark.parametrize(
    ("name", "message"),
    [("0001_twin", "share a number"), ("1_short", "not named NNNN"), ("first", "not named NNNN")],
)
def test_a_file_with_a_bad_name_is_refused(
    empty_database: str, sql: Sql, name: str, message: str
) -> None:
    sql.migration(name, "select 1")
    with pytest.raises(MigrationError, match=message):
        migrate(empty_database, sql.folder)


def test_line_ends_do_not_make_another_file(empty_database: str, sql: Sql) -> None:
    sql.migration("0002_lines", "create table tasker.a ();\ncreate table tasker.b ();\n")
    migrate(empty_database, sql.folder)
    path = sql.folder / "migrations" / "0002_lines.sql"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert migrate(empty_database, sql.folder).applied == ()


# -- code -----------------------------------------------------------------------------------------


def test_changed_code_replaces_the_old_even_with_another_signature(
    each_empty_database: str, sql: Sql
) -> None:
    dsn = each_empty_database
    sql.code(
        "greet",
        """
        create type tasker.greeting as (who text, word text);
        create view tasker.names as select name from tasker.people;
        create function tasker.greet(p_id integer) returns tasker.greeting language sql as
            $$ select name, 'hello' from tasker.people where id = p_id $$;
        create function tasker.every() returns setof tasker.names language sql as
            $$ select * from tasker.names $$;
        create view tasker.counted as select count(*) from tasker.every();
        create function tasker.loud() returns trigger language plpgsql as
            $$ begin new.name := upper(new.name); return new; end $$;
        create trigger loud before insert on tasker.people
            for each row execute function tasker.loud();
        """,
    )
    assert migrate(dsn, sql.folder).code_renewed
    execute(dsn, "insert into tasker.people values (1, 'Ada')")
    assert rows(dsn, "select who, word from tasker.greet(1)") == [("ADA", "hello")]
    assert rows(dsn, "select count from tasker.counted") == [(1,)]
    assert not migrate(dsn, sql.folder).code_renewed
    sql.code("greet", GREET)
    report = migrate(dsn, sql.folder)
    assert (report.applied, report.code_renewed) == ((), True)
    assert rows(dsn, "select tasker.greet(1)") == [("hello ADA",)]
    assert rows(dsn, "select to_regtype('tasker.greeting'), to_regclass('tasker.names')") == [
        (None, None)
    ]
    assert rows(dsn, "select count(*) from pg_trigger where tgname = 'loud'") == [(0,)]


def test_a_migration_may_change_what_a_view_shows(empty_database: str, sql: Sql) -> None:
    sql.code("names", "create view tasker.names as select id, name from tasker.people;")
    migrate(empty_database, sql.folder)
    sql.migration("0002_wide", "alter table tasker.people alter id type bigint;")
    migrate(empty_database, sql.folder)
    assert rows(empty_database, "select id, name from tasker.names") == []


def test_broken_code_leaves_the_old_in_place(empty_database: str, sql: Sql) -> None:
    migrate(empty_database, sql.folder)
    sql.code("wrong", "create function tasker.wrong(")
    with pytest.raises(MigrationError, match=r"wrong\.sql failed at character"):
        migrate(empty_database, sql.folder)
    assert rows(empty_database, "select tasker.greet(1)") == [(None,)]


def test_somebody_elses_view_over_our_code_is_not_dropped(empty_database: str, sql: Sql) -> None:
    migrate(empty_database, sql.folder)
    execute(empty_database, "create view public.report as select tasker.greet(1)")
    sql.code("greet", GREET + "-- changed")
    with pytest.raises(MigrationError, match=r"view report depends on function tasker\.greet"):
        migrate(empty_database, sql.folder)
    assert rows(empty_database, "select * from public.report") == [(None,)]


# -- several at once, and the end -----------------------------------------------------------------

_MIGRATE = """
import sys
from pathlib import Path
from tasker_mp.db.migrate import migrate
print(len(migrate(sys.argv[1], Path(sys.argv[2])).applied))
"""


def test_of_two_that_migrate_at_once_one_waits(empty_database: str, sql: Sql) -> None:
    waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
    sql.migration("0002_gate", "lock table public.gate;")
    execute(empty_database, "create table public.gate ()")
    with psycopg.connect(empty_database) as gate:
        gate.execute("lock table public.gate")
        commands = [run(_MIGRATE, empty_database, sql.folder) for _ in range(2)]
        assert wait_until(lambda: rows(empty_database, waiting) == [(1,)], 20)
        with pytest.raises(subprocess.TimeoutExpired):
            commands[0].wait(timeout=0.1)
    assert sorted(finish(command).strip() for command in commands) == ["0", "2"]


def test_a_killed_migration_leaves_the_next_one_free(empty_database: str, sql: Sql) -> None:
    blocked = "select count(*) from pg_locks where locktype = 'relation' and not granted"
    sql.migration("0002_gate", "create table tasker.x (); lock table public.gate;")
    execute(empty_database, "create table public.gate ()")
    with psycopg.connect(empty_database) as gate:
        gate.execute("lock table public.gate")
        command = run(_MIGRATE, empty_database, sql.folder)
        assert wait_until(lambda: rows(empty_database, blocked) == [(1,)], 20)
        command.kill()
        finish(command, expect=-9)
    assert migrate(empty_database, sql.folder).applied == ("0002_gate.sql",)


def test_reset_drops_our_schema_and_queues_only(each_empty_database: str) -> None:
    dsn = each_empty_database
    migrate(dsn)
    for queue in ("worker_a_queue", "worker_a_queue_high", "mine"):
        execute(dsn, f"select pgmq.create('{queue}')")
    execute(dsn, "create table public.mine ()")
    reset(dsn)
    assert rows(dsn, "select queue_name from pgmq.meta") == [("mine",)]
    assert rows(dsn, "select to_regclass('public.mine') is null") == [(False,)]
    with connect(dsn) as connection:
        assert status(connection).version == 0
    reset(dsn)
    assert migrate(dsn).applied


def test_a_connection_is_taken_as_well_and_left_as_it_was(empty_database: str, sql: Sql) -> None:
    with connect(empty_database, autocommit=False) as connection:
        assert migrate(connection, sql.folder).applied
        assert not connection.autocommit
        assert status(connection, sql.folder).current
        connection.rollback()
        reset(connection)
        assert status(connection, sql.folder).version == 0
