"""A step as the database hands it to a supervisor, and the event that it becomes."""

from typing import NamedTuple
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from tasker_mp.messages import NULL, StepEvent, encode


class Extra(Struct):
    """What the claim says of a batch's step, or of one that goes on from a checkpoint."""

    template_step: str | None = None
    inputs: Raw = NULL
    checkpoint: Raw = NULL


_COUNTED_BYTES = 4096
_decoded = msgspec.json.Decoder(dict[str, Raw]).decode
_extra_decoder = msgspec.json.Decoder(Extra)
_NO_EXTRA = Extra()


class ClaimedStep(NamedTuple):
    """A step that this supervisor holds. UUIDs are 16 bytes; the JSON is as the database has it."""

    task: bytes
    step_no: int
    event_id: bytes
    template_id: int
    name: str
    attempt: int
    crashes: int
    claim_id: int
    correlation_id: bytes | None
    context: bytes
    dependencies: bytes
    traceparent: str | None = None
    extra: bytes | None = None
    """JSON of an `Extra`; None where it has none of that."""
    results: int = -1
    """How many `dependencies` has; -1 where nobody has counted."""

    def counted(self) -> int:
        """How many results `dependencies` has; -1 where they are too long to count."""
        if self.results >= 0 or len(self.dependencies) > _COUNTED_BYTES:
            return self.results
        return len(_decoded(self.dependencies))

    def own(self) -> Extra:
        """What is its own, beside its task and its template."""
        return _NO_EXTRA if self.extra is None else _extra_decoder.decode(self.extra)

    def event(self, spec: bytes, own: Extra = _NO_EXTRA) -> bytes:
        """The encoded `StepEvent`; `spec` is an encoded `StepSpec`."""
        correlation_id = self.correlation_id
        return encode(
            StepEvent(
                task=self.task.hex(),
                step_no=self.step_no,
                name=self.name,
                attempt=self.attempt,
                spec=Raw(spec),
                context=Raw(self.context),
                dependencies=Raw(self.dependencies),
                correlation_id=str(UUID(bytes=correlation_id)) if correlation_id else None,
                traceparent=self.traceparent,
                inputs=own.inputs,
                checkpoint=own.checkpoint,
            )
        )
