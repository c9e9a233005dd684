"""`db init|migrate|status|reset|prune|start|stop`: the database, embedded or not."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import rich_click as click

from tasker_mp.cli.output import say, show_facts, write_json
from tasker_mp.cli.settings import Settings, group, pass_settings
from tasker_mp.cli.steer import running_pid
from tasker_mp.errors import EngineError, InvalidInputError

if TYPE_CHECKING:
    from tasker_mp.config import Config
    from tasker_mp.db.embedded import EmbeddedServer
    from tasker_mp.db.migrate import MigrationReport

_EMBEDDED = "embedded"
_ENDED = ("complete", "cancelled", "resolved_manually", "error")


@group("db")
def db() -> None:
    """Set up and look at the database."""


@db.command("init")
@pass_settings
def init(settings: Settings) -> None:
    """Create the database where there is none, and migrate it."""
    config = settings.config()
    with _open(config) as dsn:
        from tasker_mp.db.create import ensure_database  # noqa: PLC0415

        created = config.database.url != _EMBEDDED and ensure_database(dsn)
        _migrate(settings, dsn, {"created": created})


@db.command("migrate")
@pass_settings
def migrate_(settings: Settings) -> None:
    """Bring the schema to the one of this version."""
    with _open(settings.config()) as dsn:
        _migrate(settings, dsn, {})


@db.command("status")
@pass_settings
def status(settings: Settings) -> int:
    """Show the server and the state of its schema; exit 1 if the schema is not this version's."""
    config = settings.config()
    document = _database_document(config)
    if settings.json:
        write_json(document)
    else:
        show_facts((name.replace("_", " "), _shown(value)) for name, value in document.items())
    if document.get("problem"):
        raise EngineError(str(document["problem"]))
    return 1 if document["current"] is False else 0


@db.command("reset")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_settings
def reset(settings: Settings, yes: bool) -> None:
    """Delete every task and template in the database."""
    config = settings.config()
    _refuse_while_running(config)
    if not yes:
        name = _name(config)
        _ask(f"Delete every task and template of {name}?", f"the reset of {name}")
    if config.database.url == _EMBEDDED:
        _embedded(config).reset()
    else:
        from tasker_mp.db.migrate import migrate, reset  # noqa: PLC0415

        reset(config.database.url)
        migrate(config.database.url)
    _tell(settings, {"reset": True}, f"{_name(config)} is empty")


@db.command("prune")
@click.option(
    "--older-than",
    "days",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="Since they ended; by default [retention] finished_after_days.",
)
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(_ENDED),
    help="Only these; by default all but error.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_settings
def prune(settings: Settings, days: float | None, states: tuple[str, ...], yes: bool) -> None:
    """Delete tasks that ended long ago, with their steps; a supervisor may run meanwhile."""
    config = settings.config()
    days = config.retention.finished_after_days or None if days is None else days
    if days is None:
        raise InvalidInputError(
            "[retention] finished_after_days = 0 keeps every task; say --older-than DAYS"
        )
    chosen = [state for state in _ENDED if state in (states or _ENDED[:-1])]
    if not yes:
        what = f"every task in state {', '.join(chosen)} that ended more than {days:g} days ago"
        _ask(f"Delete {what} of {_name(config)}?", f"the pruning of {_name(config)}")
    _prune(settings, config, days, chosen)


@db.command("start")
@pass_settings
def start(settings: Settings) -> None:
    """Start the embedded server, and keep it running until `db stop`."""
    config = settings.config()
    _require_embedded(config, "start")
    server = _embedded(config)
    dsn = server.start_and_stay()
    pid = server.status().pid
    _tell(settings, {"running": True, "pid": pid, "dsn": dsn}, f"running (pid {pid}): {dsn}")


@db.command("stop")
@pass_settings
def stop(settings: Settings) -> None:
    """Stop the embedded server; while something uses it, it stops with its last user."""
    config = settings.config()
    _require_embedded(config, "stop")
    server = _embedded(config)
    was_running = server.status().running
    stopped = server.stop()
    message = "stopped" if was_running else "it was not running"
    if not stopped:
        message = "in use: it stops with its last user; end a supervisor with: tasker-mp stop"
    _tell(settings, {"running": not stopped}, message)


# -- which database -------------------------------------------------------------------------------


@contextmanager
def _open(config: "Config") -> Iterator[str]:
    from tasker_mp.db.connect import open_database  # noqa: PLC0415

    with open_database(config) as dsn:
        yield dsn


def _embedded(config: "Config") -> "EmbeddedServer":
    from tasker_mp.db.embedded import EmbeddedServer  # noqa: PLC0415

    return EmbeddedServer(config.root)


def _name(config: "Config") -> str:
    from tasker_mp.config import redact  # noqa: PLC0415

    if config.database.url == _EMBEDDED:
        return f"the embedded database of {config.root}"
    return redact(config.database.url)


def _require_embedded(config: "Config", action: str) -> None:
    if config.database.url != _EMBEDDED:
        raise InvalidInputError(
            f"db {action} is for the embedded server, and database.url is {_name(config)}; "
            f"{action} that server by its own means, or use --dsn embedded"
        )


def _refuse_while_running(config: "Config") -> None:
    pid = running_pid(config)
    if pid is not None:
        raise EngineError(
            f"a supervisor (pid {pid}) works with this database; stop it first: tasker-mp stop"
        )


def _ask(question: str, what: str) -> None:
    if not sys.stdin.isatty():
        raise InvalidInputError(f"nobody can confirm {what} here; add --yes")
    click.confirm(question, abort=True, err=True)


def _prune(settings: Settings, config: "Config", days: float, states: list[str]) -> None:
    import msgspec  # noqa: PLC0415

    from tasker_mp.db.connect import connect  # noqa: PLC0415
    from tasker_mp.db.prune import prune  # noqa: PLC0415
    from tasker_mp.db.ready import ready_database  # noqa: PLC0415

    with ready_database(config) as dsn, connect(dsn) as connection:
        pruned = msgspec.structs.asdict(prune(connection, days, states))
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in pruned.items())
    _tell(settings, {"pruned": pruned}, f"deleted {counts}")


# -- what is told ---------------------------------------------------------------------------------


def _migrate(settings: Settings, dsn: str, document: dict[str, Any]) -> None:
    from tasker_mp.db.migrate import migrate  # noqa: PLC0415

    report = migrate(dsn)
    document |= {"applied": report.applied, "code_renewed": report.code_renewed}
    _tell(settings, document, _told(report, created=bool(document.get("created"))))


def _told(report: "MigrationReport", *, created: bool) -> str:
    done = ["database created"] if created else []
    done += [f"applied {name}" for name in report.applied]
    if report.code_renewed:
        done.append("functions renewed")
    return ", ".join(done) or "up to date"


def _database_document(config: "Config") -> dict[str, Any]:
    """`current` is None where a stopped embedded server keeps it from being known."""
    if config.database.url != _EMBEDDED:
        return {"server": _name(config), "running": True, **_schema(config.database.url)}
    found = _embedded(config).status()
    document = {
        "server": _EMBEDDED,
        "running": found.ready,
        "pid": found.pid,
        "data": str(found.data),
        "stays": found.stays,
    }
    if found.ready and found.dsn:
        return document | {"dsn": found.dsn} | _schema(found.dsn)
    version = found.version and f"PostgreSQL {found.version}"
    return document | {"version": version, "current": None}


def _schema(dsn: str) -> dict[str, Any]:
    from tasker_mp.db.connect import connect  # noqa: PLC0415
    from tasker_mp.db.migrate import status  # noqa: PLC0415

    with connect(dsn, autocommit=True) as connection:
        found = status(connection)
        version = connection.info.parameter_status("server_version")
    return {
        "version": f"PostgreSQL {version}",
        "schema_version": found.version,
        "applied": found.applied,
        "pending": found.pending,
        "functions_current": found.code_current,
        "current": found.current,
        "problem": found.problem,
    }


def _shown(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case tuple():
            return ", ".join(value) or "none"
        case _:
            return str(value)


def _tell(settings: Settings, document: dict[str, Any], message: str) -> None:
    if settings.json:
        write_json(document)
    else:
        say(message)
