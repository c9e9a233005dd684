"""The handlers' base class in a chaos project: every execution goes into a ledger outside of it.

This file is copied into the project as `handlers/witness.py`.
"""

import os
import time
from collections.abc import Callable
from functools import cache, wraps
from hashlib import blake2b
from typing import Any, Final

from tasker_mp import StepContext, StepHandler, StepHandlerResult
from tasker_mp.errors import ServiceUnavailableError

LEDGER_VARIABLE: Final = "TASKER_CHAOS_LEDGER"
RECORD_BYTES: Final = 128
"""Lines of one length that divides a page: the kernel may cut a write of a killed process short at
a page's border, and no record crosses one."""

STARTED: Final = "S"
ENDED: Final = "E"
FAILED: Final = "F"
YIELDED: Final = "Y"

_Call = Callable[[Any, StepContext], object]


class WitnessedHandler(StepHandler):
    """Stands in for `StepHandler` in the copied handlers, which are otherwise as they are."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "call" in vars(cls):
            cls.call = _witnessed(cls.call)  # type: ignore[method-assign, assignment]


def _witnessed(call: _Call) -> _Call:
    @wraps(call)
    def witnessed(self: Any, context: StepContext) -> object:
        _note(STARTED, context)
        chance = _chance(context.step_uuid)
        _linger(chance)
        if context.retry_count == 0 and chance % 97 == 0:
            _note(FAILED, context)
            raise ServiceUnavailableError("about one step in a hundred fails at first")
        result = call(self, context)
        goes_on = isinstance(result, StepHandlerResult) and result.metadata.get("checkpoint_yield")
        _note(YIELDED if goes_on else ENDED, context)
        return result

    return witnessed


def _chance(step_uuid: str) -> int:
    """0 to 65535, the same in every attempt at a step."""
    return int.from_bytes(blake2b(step_uuid.encode(), digest_size=2).digest(), "big")


def _linger(chance: int) -> None:
    """Most of the time some step is running, to be killed in its middle or to be stuck behind."""
    if chance < 26_000:
        time.sleep(chance / 400_000)
    elif chance < 26_060:
        time.sleep(0.4)


def _note(kind: str, context: StepContext) -> None:
    step = context.workflow_step
    task, event = context.task_uuid.replace("-", ""), context.event_id.replace("-", "")
    line = f"{kind} {task} {step.name} {step.attempts} {event} {os.getpid()} {time.monotonic_ns()}"
    os.write(_ledger(), line.ljust(RECORD_BYTES - 1).encode() + b"\n")


@cache
def _ledger() -> int:
    return os.open(os.environ[LEDGER_VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
