"""Logs on stderr: for people in the console's form, for machines one JSON document a line."""

import os
import time
from typing import Any

import structlog

from tasker_mp.config import LoggingConfig
from tasker_mp.errors import InvalidInputError
from tasker_mp.log_line import LEVELS, SEVERITIES, dropped_line, renderer
from tasker_mp.log_outlet import STDERR, Outlet

_threshold = SEVERITIES["info"]
_render = renderer("console")
_outlet: Outlet | None = None


def set_level(level: str) -> None:
    """Log this level and above from now on; `InvalidInputError` where there is no such level."""
    global _threshold  # noqa: PLW0603
    if level not in LEVELS:
        raise InvalidInputError(f"there is no log level {level!r}: use {', '.join(LEVELS)}")
    _threshold = SEVERITIES[level]


def severity() -> int:
    """That of the level, as the standard library numbers them."""
    return _threshold


def bind(**fields: object) -> None:
    """Have these come with every line of this context and of those that are copied from it."""
    structlog.contextvars.bind_contextvars(**fields)


def write(level: str, event: str, fields: dict[str, Any]) -> None:
    """A line past structlog: what others have said, which is no event of this process."""
    if SEVERITIES[level] >= _threshold and _outlet is not None:
        bound = structlog.contextvars.get_contextvars()
        _outlet.write(_render(time.time(), level, event, bound | fields))


def configure_logging(config: LoggingConfig, **bound: object) -> None:
    """Set up logging for this process; `bound` fields come with every line."""
    global _render, _outlet  # noqa: PLW0603
    set_level(config.level)
    _render = renderer(config.format, colours=os.isatty(STDERR))
    _outlet = outlet = Outlet(lambda count: dropped_line(_render, time.time(), count))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _drop_below_level,
            structlog.processors.format_exc_info,
            _rendered,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        logger_factory=lambda *_: _Logger(outlet),
        cache_logger_on_first_use=True,
    )
    bind(**bound)


class _Logger:
    """The end of structlog's chain. Unlike its own it has no lock, which a signal handler that logs
    would wait for while the code that it interrupted holds it."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet

    def msg(self, line: bytes) -> None:
        self._outlet.write(line)

    debug = info = warning = warn = error = critical = exception = fatal = log = failure = err = msg


def _drop_below_level(
    _logger: object, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """A processor, for the loggers keep their class: this one's mind can change while they run."""
    if SEVERITIES.get(str(event.get("level", method)), SEVERITIES["critical"]) < _threshold:
        raise structlog.DropEvent
    return event


def _rendered(_logger: object, method: str, event: structlog.typing.EventDict) -> bytes:
    level, text = str(event.pop("level", method)), str(event.pop("event", ""))
    return _render(time.time(), level, text, event)
