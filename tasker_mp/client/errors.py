"""The database's errors as a client should read them."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tasker_mp.db.session import REFUSALS
from tasker_mp.errors import (
    EngineError,
    IdempotencyConflictError,
    InvalidInputError,
    TemplateNotFoundError,
    UnreachableError,
)

_IDEMPOTENCY_CONFLICT = "TK001"
_UNKNOWN_TEMPLATE = "TK002"


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
    except psycopg.OperationalError as error:
        raise UnreachableError(f"the database does not answer: {_first_line(error)}") from error
    except psycopg.Error as error:
        if error.sqlstate == _IDEMPOTENCY_CONFLICT:
            raise IdempotencyConflictError(_first_line(error)) from error
        if error.sqlstate == _UNKNOWN_TEMPLATE:
            raise TemplateNotFoundError(f"{_first_line(error)}; submit again") from error
        raise


def _first_line(error: psycopg.Error) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
