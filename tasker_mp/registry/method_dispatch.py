"""A handler whose `call` is another of its methods."""

from typing import Any


class MethodDispatchWrapper:
    """Runs `target_method` of the handler where `call` is asked for; all else is the handler's.

    Raises `AttributeError` where the handler has no such method.
    """

    def __init__(self, handler: Any, target_method: str) -> None:
        if not hasattr(handler, target_method):
            raise AttributeError(f"{type(handler).__name__} has no method '{target_method}'")
        self._handler = handler
        self._target_method = target_method

    @property
    def handler(self) -> Any:
        return self._handler

    @property
    def target_method(self) -> str:
        return self._target_method

    def call(self, context: Any) -> Any:
        return getattr(self._handler, self._target_method)(context)

    def unwrap(self) -> Any:
        """The handler itself."""
        return self._handler

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handler, name)

    def __repr__(self) -> str:
        return f"MethodDispatchWrapper({self._handler!r}, target_method={self._target_method!r})"
