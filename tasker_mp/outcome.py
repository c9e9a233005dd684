"""How what a handler returned or raised becomes an outcome that always encodes, within limits."""

import math
import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from tasker_mp.failure import failure_of, text_of
from tasker_mp.messages import EMPTY_OBJECT, NULL, StepError, StepOutcome, encode_result
from tasker_mp.result import ErrorType, StepHandlerResult

MAX_MESSAGE_CHARS: Final = 8192
MAX_ERROR_METADATA_BYTES: Final = 65536
YIELD: Final = "checkpoint_yield"
"""The metadata of a result that is none yet: the step goes on from there."""

_CHECKPOINTS_KEPT = 10
_MAX_WORD_CHARS = 255
_LONGEST_DELAY = 1e9
_OUTCOME_BYTES = 256
"""What an outcome adds to the result in it, with room to spare."""


def of_value(
    value: object, metadata: Mapping[str, Any] | None, max_payload_bytes: int
) -> StepOutcome:
    """A success; a permanent failure where JSON cannot carry the value, or it is too large."""
    try:
        result = _encoded_value(value)
        encoded_metadata = encode_result(metadata) if metadata else NULL
    except MemoryError as error:
        return of_exception(error)  # no fault of the value: there may be room for it next time
    except Exception as error:
        return _refused(f"the result cannot be encoded as JSON: {text_of(error)}")
    size = _size(result) + _size(encoded_metadata)
    if size + _OUTCOME_BYTES > max_payload_bytes:
        return _refused(
            f"the result is {size} bytes, above the limit of {max_payload_bytes}: keep large data "
            "elsewhere and return a reference to it"
        )
    return StepOutcome(result=result, metadata=encoded_metadata)


class _Checkpoint(Struct):
    """What `checkpoint_yield` asks for, in the words of its result."""

    cursor: Any = None
    items_processed: int = 0
    accumulated_results: dict[str, Any] | None = None


class _Kept(Struct):
    history: list[Raw] = []


def of_result(
    result: StepHandlerResult, max_payload_bytes: int, previous: bytes | None = None
) -> StepOutcome:
    """The success or failure that the handler reported, or where it asks to go on from; `previous`
    is the checkpoint that this run went on from."""
    if result.is_success and result.metadata.get(YIELD):
        return _of_checkpoint(result, max_payload_bytes, previous)
    if result.is_success:
        return of_value(result.result, result.metadata, max_payload_bytes)
    return _of_failure(result)


def _of_checkpoint(
    result: StepHandlerResult, max_payload_bytes: int, previous: bytes | None
) -> StepOutcome:
    """The checkpoint with the latest of those before it: a history that does not grow."""
    try:
        asked = msgspec.convert(result.result, _Checkpoint)
    except msgspec.ValidationError as error:
        return _refused(f"the checkpoint cannot be kept: {error}")
    earlier = msgspec.json.decode(previous, type=_Kept).history if previous else []
    step = {"cursor": asked.cursor, "items_processed": asked.items_processed, "at": time.time()}
    kept = msgspec.structs.asdict(asked) | {"history": [*earlier, step][-_CHECKPOINTS_KEPT:]}
    outcome = of_value(kept, None, max_payload_bytes)
    return outcome if outcome.error else StepOutcome(checkpoint=outcome.result)


def of_exception(error: BaseException) -> StepOutcome:
    """The failure that `error` means; one that is no `TaskerError` is retryable."""
    return _of_failure(failure_of(error))


def _of_failure(result: StepHandlerResult) -> StepOutcome:
    return _failure(
        message=result.error_message or "the handler reported a failure without a message",
        error_type=result.error_type or ErrorType.HANDLER_ERROR,
        error_code=result.error_code,
        retryable=result.retryable,
        retry_after=result.retry_after,
        metadata=result.metadata,
    )


def _encoded_value(value: object) -> Raw:
    if value is None:
        return NULL
    encoded = encode_result(value)
    # What was encoded decides: a dataclass becomes an object too.
    if bytes(memoryview(encoded)[:1]) == b"{":
        return encoded
    return Raw(b'{"result":' + bytes(encoded) + b"}")


def _refused(reason: str) -> StepOutcome:
    return _failure(
        message=reason,
        error_type=ErrorType.PERMANENT_ERROR,
        error_code="INVALID_RESULT",
        retryable=False,
        metadata={},
    )


def _failure(
    *,
    message: object,
    error_type: object,
    retryable: object,
    metadata: Mapping[str, Any],
    error_code: object = None,
    retry_after: object = None,
) -> StepOutcome:
    """The fields hold whatever an author put there; what comes of them always encodes."""
    error = StepError(
        message=_bounded(text_of(message), MAX_MESSAGE_CHARS),
        error_type=_bounded(text_of(error_type), _MAX_WORD_CHARS),
        error_code=None if error_code is None else _bounded(text_of(error_code), _MAX_WORD_CHARS),
        retryable=bool(retryable),
        retry_after=_seconds(retry_after),
        metadata=_encoded_metadata(metadata),
    )
    return StepOutcome(error=error)


def _encoded_metadata(metadata: Mapping[str, Any]) -> Raw:
    """The metadata, or why it is not there: losing it must not lose the error."""
    if not metadata:
        return EMPTY_OBJECT
    try:
        encoded = encode_result(dict(metadata))
    except Exception as error:
        reason = f"not JSON: {_bounded(text_of(error), _MAX_WORD_CHARS)}"
        return encode_result({"metadata_dropped": reason})
    if _size(encoded) > MAX_ERROR_METADATA_BYTES:
        reason = f"{_size(encoded)} bytes, above the limit of {MAX_ERROR_METADATA_BYTES}"
        return encode_result({"metadata_dropped": reason})
    return encoded


def _size(encoded: Raw) -> int:
    return memoryview(encoded).nbytes


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(min(value, _LONGEST_DELAY)) if 0 <= value < math.inf else None


def _bounded(text: str, limit: int) -> str:
    """At most `limit` characters, each of which UTF-8 and the database can hold."""
    if len(text) > limit:
        note = f"… ({len(text)} characters in all)"
        text = text[: limit - len(note)] + note
    return text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
