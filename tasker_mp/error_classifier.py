"""Whether an exception of any library is worth another try: for handlers that catch it and ask."""

import builtins
from typing import ClassVar, Final

from tasker_mp.errors import PermanentError, RetryableError

Classes = tuple[type[BaseException], ...]


class ErrorClassifier:
    """An exception's own `retryable` counts first, then its class, then `default_retryable`.

    What a handler lets pass is the engine's to judge, which tries all but `PermanentError` again.

    >>> ErrorClassifier().retryable(ConnectionResetError()), ErrorClassifier().retryable(KeyError())
    (True, False)
    """

    PERMANENT_ERROR_CLASSES: ClassVar[Classes] = (
        PermanentError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        IndexError,
        AssertionError,
        SyntaxError,
        NameError,
        ImportError,
        NotImplementedError,
    )
    RETRYABLE_ERROR_CLASSES: ClassVar[Classes] = (
        RetryableError,
        builtins.TimeoutError,
        OSError,  # broken connections too
    )

    def __init__(self, *, default_retryable: bool = True) -> None:
        self._default_retryable = default_retryable

    def retryable(self, exception: BaseException) -> bool:
        return self._judged(exception)[0]

    def permanent(self, exception: BaseException) -> bool:
        return not self.retryable(exception)

    def classify(self, exception: BaseException) -> dict[str, bool | str]:
        """`error_type`, `retryable`, and by which rule, as `classification`."""
        retryable, rule = self._judged(exception)
        name = type(exception).__name__
        return {"error_type": name, "retryable": retryable, "classification": rule}

    def _judged(self, exception: BaseException) -> tuple[bool, str]:
        own = getattr(exception, "retryable", None)
        if own is not None:
            return bool(own), "explicit_attribute"
        if isinstance(exception, self.PERMANENT_ERROR_CLASSES):
            return False, "permanent_class"
        if isinstance(exception, self.RETRYABLE_ERROR_CLASSES):
            return True, "retryable_class"
        return self._default_retryable, "default"


_DEFAULT: Final = ErrorClassifier()


def get_classifier() -> ErrorClassifier:
    return _DEFAULT


def is_retryable(exception: BaseException) -> bool:
    return _DEFAULT.retryable(exception)


def is_permanent(exception: BaseException) -> bool:
    return _DEFAULT.permanent(exception)
