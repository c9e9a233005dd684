"""What crosses between the supervisor and a worker: a step to run, and what came of it, as JSON."""

import math
import re
from itertools import accumulate
from typing import Final

import msgspec
from msgspec import Raw, Struct

from tasker_mp.errors import UnencodableResultError
from tasker_mp.template.model import StepDefinition

EMPTY_OBJECT: Final = Raw(b"{}")
NULL: Final = Raw(b"null")

MAX_DEPTH: Final = 256
"""Lists and objects in each other: whoever decodes them has a stack of 1000 frames in all."""


class StepSpec(Struct, frozen=True):
    """What every task of one template shares about a step; encoded once per template and step."""

    namespace: str
    template: str
    version: str
    step: StepDefinition


class StepEvent(Struct, array_like=True, gc=False):
    """One step to run. Its event id travels in the record's header.

    `task` is 32 hex digits. `attempt` counts from 1. `spec` is an encoded `StepSpec`.
    `context` is the task's input; `dependencies` maps each finished ancestor's name to its result.
    `traceparent` is the submitter's, if it had one. `inputs` is what was given to this step alone
    (a batch worker's cursor); `checkpoint`, where an earlier run of it left off.
    """

    task: str
    step_no: int
    name: str
    attempt: int
    spec: Raw
    context: Raw
    dependencies: Raw
    correlation_id: str | None = None
    traceparent: str | None = None
    inputs: Raw = NULL
    checkpoint: Raw = NULL


class StepError(Struct, array_like=True, gc=False):
    """Why an attempt failed; `retry_after` in seconds, where the handler asked for a delay."""

    message: str
    error_type: str
    error_code: str | None = None
    retryable: bool = True
    retry_after: float | None = None
    metadata: Raw = EMPTY_OBJECT


class Published(Struct, array_like=True, gc=False):
    """A domain event that a step's outcome leads to, as its publisher made it; `payload` and
    `metadata` are JSON objects. It becomes one once the outcome is committed."""

    name: str
    delivery_mode: str
    payload: Raw
    metadata: Raw = EMPTY_OBJECT


class StepOutcome(Struct, array_like=True, gc=False):
    """What came of a `StepEvent`: a result, an error, or a `checkpoint` to go on from.

    `run_ns` is the time in the handler; it was left at `ended_ns`, by CLOCK_MONOTONIC.
    """

    result: Raw = NULL
    metadata: Raw = NULL
    error: StepError | None = None
    run_ns: int = 0
    ended_ns: int = 0
    checkpoint: Raw = NULL
    events: list[Published] = []
    concurrency: int = 1
    """How many of its kind its worker runs at once."""
    timed_out: bool = False
    """Whether its worker cancelled it at its deadline."""


_encoder = msgspec.json.Encoder(decimal_format="string")
event_decoder = msgspec.json.Decoder(StepEvent)
outcome_decoder = msgspec.json.Decoder(StepOutcome)
spec_decoder = msgspec.json.Decoder(StepSpec)

encode = _encoder.encode


def encode_result(value: object) -> Raw:
    """A handler's value as JSON; `UnencodableResultError` where JSON cannot carry it exactly.

    `msgspec` turns NaN and infinities into null without a word, so those are looked for; and bytes
    into Base64 text, which the next step would take for what it was given.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise UnencodableResultError(f"{type(value).__name__} is not a JSON type: return text")
    try:
        encoded = _encoder.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UnencodableResultError(str(error)) from error
    # Only a result with a null in it can hide a NaN: the walk is paid for by few.
    if b"null" in encoded:
        _refuse_non_finite(value, "result")
    if encoded.count(b"[") + encoded.count(b"{") > MAX_DEPTH:
        _refuse_deep(encoded)
    return Raw(encoded)


_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # 1 and -1, as signed bytes


def _refuse_deep(encoded: bytes) -> None:
    brackets = _STRING.sub(b"", encoded).translate(_STEPS, _NO_BRACKETS)
    depth = max(accumulate(memoryview(brackets).cast("b")), default=0)
    if depth > MAX_DEPTH:
        raise UnencodableResultError(f"it is nested {depth} levels deep, above {MAX_DEPTH}")


def _refuse_non_finite(value: object, place: str) -> None:
    stack = [(place, value)]
    while stack:
        where, item = stack.pop()
        if isinstance(item, float):
            if not math.isfinite(item):
                raise UnencodableResultError(f"{where} is {item}, which JSON cannot carry")
        elif isinstance(item, dict):
            stack.extend((f"{where}.{key}", child) for key, child in item.items())
        elif isinstance(item, (list, tuple, set, frozenset)):
            stack.extend((f"{where}[{i}]", child) for i, child in enumerate(item))
        elif hasattr(item, "__dataclass_fields__") or isinstance(item, Struct):
            stack.append((where, msgspec.to_builtins(item)))
