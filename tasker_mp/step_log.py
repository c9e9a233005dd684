"""Lines of the log with fields, as tasker-core's workers write them: `log_info("paid", {…})`."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tasker_mp.record import Record

_TRACE: Final = 5
"""Below the standard library's DEBUG."""

_logger = logging.getLogger("handlers")
_RESERVED = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


@dataclass(kw_only=True)
class LogContext(Record):
    """Fields that many lines share; inside a step the engine adds those of the step itself."""

    correlation_id: str | None = None
    task_uuid: str | None = None
    step_uuid: str | None = None
    namespace: str | None = None
    operation: str | None = None


Fields = Mapping[str, Any] | LogContext | None


def log_error(message: str, fields: Fields = None) -> None:
    """What somebody has to look at."""
    _log(logging.ERROR, message, fields)


def log_warn(message: str, fields: Fields = None) -> None:
    """What went wrong and may pass."""
    _log(logging.WARNING, message, fields)


def log_info(message: str, fields: Fields = None) -> None:
    """What happened."""
    _log(logging.INFO, message, fields)


def log_debug(message: str, fields: Fields = None) -> None:
    """What helps to find a fault."""
    _log(logging.DEBUG, message, fields)


def log_trace(message: str, fields: Fields = None) -> None:
    """What is too much for `log_debug`."""
    _log(_TRACE, message, fields)


def _log(level: int, message: str, fields: Fields) -> None:
    if not _logger.isEnabledFor(level):
        return
    named = fields.model_dump(exclude_none=True) if isinstance(fields, LogContext) else fields or {}
    # A record has names of its own, which the standard library lets nobody overwrite.
    extra = {f"{k}_" if k in _RESERVED else str(k): value for k, value in named.items()}
    # Not as a format: a message may hold a %.
    _logger.log(level, "%s", message, extra=extra, stacklevel=3)
