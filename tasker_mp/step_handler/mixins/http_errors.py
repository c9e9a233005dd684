"""The exceptions of httpx, each of them an error that the engine knows as well."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import httpx

from tasker_mp import errors
from tasker_mp.errors import TaskerError

_KINDS: dict[type[httpx.TransportError], tuple[type[TaskerError], str]] = {
    httpx.TimeoutException: (errors.TimeoutError, "Request timeout"),
    httpx.UnsupportedProtocol: (errors.ConfigurationError, "Request cannot be sent"),
    httpx.TransportError: (errors.NetworkError, "Connection error"),
}
"""The first that fits counts: timeouts are transport errors too."""


@contextmanager
def known_to_the_engine() -> Iterator[None]:
    """Raises what httpx raises for want of an answer as an error of `tasker_mp.errors` too, so that
    a handler that lets it pass has failed in the right way; every `except` of httpx's own classes
    still takes it."""
    try:
        yield
    except httpx.TransportError as error:
        ours, what = next(kind for theirs, kind in _KINDS.items() if isinstance(error, theirs))
        message = f"{what}: {error}" if str(error) else what
        kinds: Any = (type(error), ours)
        raise _both(*kinds)(message, _request_of(error)) from error


@cache
def _both(theirs: Any, ours: Any) -> Any:
    def __init__(self: Any, message: str, request: httpx.Request | None) -> None:  # noqa: N807
        ours.__init__(self, message)
        self._request = request

    names = {"__init__": __init__, "__module__": theirs.__module__}
    return type(theirs.__name__, (theirs, ours), names)


def _request_of(error: httpx.TransportError) -> httpx.Request | None:
    try:
        return error.request
    except RuntimeError:  # httpx's way to say that it has none
        return None
