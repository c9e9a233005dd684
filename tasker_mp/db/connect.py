"""Connections to the database, embedded or not, with the session settings our SQL relies on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from psycopg import AsyncConnection, Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tasker_mp.config import Config, redact
from tasker_mp.db.binaries import OLDEST_MAJOR
from tasker_mp.db.embedded import lease
from tasker_mp.errors import ConfigError, UnreachableError

EMBEDDED = "embedded"
CONNECT_TIMEOUT = 4
"""Seconds; a command has said that a server does not answer within 5."""

# A plan made anew at each call costs more than the call: measured 17,000 against 22,800 steps/s.
# One that was made while a table was small would go on scanning it whole until the next ANALYZE:
# get_steps of one task among 30,000 took 5.5 ms instead of 0.12.
_SESSION = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "jit": "off",
    "timezone": "UTC",
}

# A host that went away without a word is given up after half a minute, not after two hours.
_NETWORK = {
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

_NAME_BYTES = 63
"""PostgreSQL cuts an application_name off there, and a UUID takes 36 of them."""


@contextmanager
def open_database(config: Config) -> Iterator[str]:
    """The DSN of `config.database.url`; an embedded server runs for as long as the block does."""
    if config.database.url == EMBEDDED:
        with lease(config.root) as dsn:
            yield dsn
    else:
        yield config.database.url


def connect(
    dsn: str,
    *,
    statement_timeout: float | None = None,
    application_name: str = "tasker-mp",
    autocommit: bool = True,
    **options: Any,
) -> Connection[Any]:
    """A connection with our session settings; `statement_timeout` in seconds, 0 for none.

    Each of our statements is a transaction, so it commits by itself unless asked otherwise.
    `options` are psycopg's (`row_factory`, …). `UnreachableError` where nobody answers in time,
    or the server is too old.
    """
    conninfo = session_conninfo(dsn, statement_timeout, application_name)
    try:
        connection = psycopg.connect(conninfo, autocommit=autocommit, **options)
    except psycopg.OperationalError as error:
        raise _unreachable(dsn, error) from error
    try:
        _check_version(dsn, connection.info.server_version)
    except UnreachableError:
        connection.close()
        raise
    return connection


async def connect_async(
    dsn: str,
    *,
    statement_timeout: float | None = None,
    application_name: str = "tasker-mp",
    owner: UUID | None = None,
    autocommit: bool = True,
    **options: Any,
) -> AsyncConnection[Any]:
    """As `connect`, for asyncio; `owner` is the supervisor that works through this connection."""
    conninfo = session_conninfo(dsn, statement_timeout, application_name, owner)
    try:
        connection = await AsyncConnection.connect(conninfo, autocommit=autocommit, **options)
    except psycopg.OperationalError as error:
        raise _unreachable(dsn, error) from error
    try:
        _check_version(dsn, connection.info.server_version)
    except UnreachableError:
        await connection.close()
        raise
    return connection


def session_conninfo(
    dsn: str,
    statement_timeout: float | None = None,
    application_name: str = "tasker-mp",
    owner: UUID | None = None,
) -> str:
    """`dsn` with our session settings in it, for a pool to connect with; `ConfigError` if invalid.

    The settings travel in the start-up message, so they cost no round trip.
    """
    try:
        parameters = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        # libpq's text repeats what it could not read, the password included; so only the end here.
        raise ConfigError(
            f"database.url {redact(dsn).rpartition('@')[2]!r} is not a PostgreSQL DSN: "
            "write postgresql://user:password@host:port/database, or embedded"
        ) from None
    settings = dict(_SESSION)
    if statement_timeout is not None:
        settings["statement_timeout"] = str(round(statement_timeout * 1000))
    ours = " ".join(f"-c {name}={value}" for name, value in settings.items())
    parameters["options"] = f"{parameters.get('options') or ''} {ours}".strip()
    for name, value in {"connect_timeout": CONNECT_TIMEOUT, **_NETWORK}.items():
        parameters.setdefault(name, value)
    name = str(parameters.get("application_name") or application_name)
    parameters["application_name"] = _marked(name, owner) if owner else name
    return make_conninfo("", **parameters)


def _marked(name: str, owner: UUID) -> str:
    """What tasker.end_sessions finds a dead supervisor's backends by: its UUID ends the name."""
    kept = name.encode("ascii", "replace")[: _NAME_BYTES - 37]  # the server would write 4 for 1
    return f"{kept.decode()} {owner}"


def _check_version(dsn: str, version: int) -> None:
    if version < OLDEST_MAJOR * 10000:
        raise UnreachableError(
            f"the server of {redact(dsn)} is PostgreSQL {version // 10000}: "
            f"{OLDEST_MAJOR} or newer is needed"
        )


def _unreachable(dsn: str, error: psycopg.OperationalError) -> UnreachableError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = lines[0] if lines else type(error).__name__
    for noise in ("connection failed: ", "connection is bad: "):
        reason = reason.removeprefix(noise)
    return UnreachableError(
        f"cannot reach the database {redact(dsn)}: {reason}: "
        "check database.url and that the server runs"
    )
