"""The database's errors as a client should read them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar
from uuid import UUID

import psycopg

from tasker_mp.db.refusals import REFUSALS
from tasker_mp.errors import (
    EngineError,
    IdempotencyConflictError,
    IllegalTransitionError,
    InvalidInputError,
    TemplateNotFoundError,
    UnknownTaskError,
    UnreachableError,
)

Row = TypeVar("Row")


class AnswerLostError(UnreachableError):
    """The connection broke between a statement and its answer, and to repeat it could do harm."""

    def __init__(self) -> None:
        super().__init__(
            "the connection broke before the database answered: this may or may not have been "
            "accepted; look for it, or submit with an idempotency key, which is repeated safely"
        )


class RepairRefusedError(IllegalTransitionError):
    """A task or step is in a state from which a repair by hand cannot start."""

    def __init__(self, message: str, kind: str, old: str, new: str) -> None:
        super().__init__(kind, old, new)
        self.args = (message,)


@contextmanager
def readable_errors() -> Iterator[None]:
    """One line, by SQLSTATE: what is wrong and what to do."""
    try:
        yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedFunction) as error:
        raise EngineError(
            f"the database is not set up for this version ({_first_line(error)}); "
            "run: tasker-mp db migrate"
        ) from error
    except UnicodeEncodeError as error:
        raise InvalidInputError(f"not Unicode text: {error}") from error
    except REFUSALS as error:
        raise InvalidInputError(f"the database refuses this: {_first_line(error)}") from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise UnreachableError(f"the database does not answer: {_first_line(error)}") from error
    except psycopg.Error as error:
        own = _own_error(error)
        if own is None:
            raise
        raise own from error


def _own_error(error: psycopg.Error) -> EngineError | None:
    """What our SQL functions raised, if they did."""
    line = _first_line(error)
    match error.sqlstate:
        case "TK001":
            return IdempotencyConflictError(line)
        case "TK002":
            return TemplateNotFoundError(f"{line}; submit again")
        case "TK003":
            return RepairRefusedError(line, *(error.diag.message_detail or "").split())
        case "TK004":
            return UnknownTaskError(line)
        case "TK005":
            return EngineError(line)
    return None


def _first_line(error: psycopg.Error) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def of_task(uuid: UUID, rows: list[Row]) -> list[Row]:
    """The rows that a query found of it; `UnknownTaskError` where it found none."""
    if not rows:
        raise UnknownTaskError(f"no task {uuid}; list them with: tasker-mp task list")
    return rows
