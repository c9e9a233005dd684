"""What mixins call on the handler that they are mixed into."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasker_mp.result import StepHandlerResult


class Results:
    # For the type checker alone: at run time these are the handler's, whichever base comes first.
    if TYPE_CHECKING:

        def success(
            self, result: object = None, metadata: Mapping[str, Any] | None = None
        ) -> StepHandlerResult: ...

        def failure(
            self,
            message: str,
            error_type: str = "handler_error",
            retryable: bool = True,
            metadata: Mapping[str, Any] | None = None,
            error_code: str | None = None,
        ) -> StepHandlerResult: ...
