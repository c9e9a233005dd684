"""Tasks to submit: checked against their templates, and laid out as one statement's parameters."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from tasker_mp.client.catalog import Catalog, RegisteredTemplate
from tasker_mp.client.task import TaskSummary
from tasker_mp.errors import ContextError, InvalidInputError, UnencodableResultError
from tasker_mp.identity import mint_task_uuid
from tasker_mp.messages import encode_result
from tasker_mp.states import TaskState
from tasker_mp.trace_context import parse_traceparent

_PRIORITY_RANGE = range(-32768, 32768)


class Submission(Struct, kw_only=True):
    """One task to submit. `priority` above 0 is claimed before, below 0 after the ordinary ones.

    `traceparent` (W3C Trace Context) makes it a part of the submitter's trace.
    """

    namespace: str
    name: str
    context: Mapping[str, Any]
    version: str | None = None
    idempotency_key: str | None = None
    priority: int = 0
    tags: Sequence[str] = ()
    initiator: str | None = None
    reason: str | None = None
    correlation_id: UUID | None = None
    traceparent: str | None = None


class _Row(Struct):
    uuid: UUID
    template: RegisteredTemplate
    context: bytes
    details: bytes
    submission: Submission


def submit_parameters(
    submissions: Sequence[Submission], catalog: Catalog, max_payload_bytes: int
) -> dict[str, Any]:
    """The parameters of `submit_tasks.sql`, parallel arrays in the order given.

    Everything is checked before anything is sent: `TemplateNotFoundError`, `ContextError` or
    `InvalidInputError` for the first that cannot be accepted.
    """
    rows = [_row(submission, catalog, max_payload_bytes) for submission in submissions]
    keyed = any(row.submission.idempotency_key is not None for row in rows)
    return {
        "tasks": "{" + ",".join([row.uuid.hex for row in rows]) + "}",
        "templates": "{" + ",".join([str(row.template.template_id) for row in rows]) + "}",
        "priorities": "{" + ",".join([str(row.submission.priority) for row in rows]) + "}",
        "contexts": "[" + b",".join([row.context for row in rows]).decode() + "]",
        "details": "[" + b",".join([row.details for row in rows]).decode() + "]",
        "keys": [row.submission.idempotency_key for row in rows] if keyed else None,
        "digests": [_digest(row) for row in rows] if keyed else None,
    }


def submitted_summary(
    submission: Submission, catalog: Catalog, uuid: UUID, created_at: datetime
) -> TaskSummary:
    """What the database would say of a task that was created just now."""
    registered = catalog.find(submission.namespace, submission.name, submission.version)
    return TaskSummary(
        uuid=uuid,
        namespace=submission.namespace,
        name=submission.name,
        version=registered.template.version,
        state=TaskState.PENDING,
        priority=submission.priority,
        created_at=created_at,
        started_at=None,
        completed_at=None,
        correlation_id=submission.correlation_id or uuid,
        initiator=submission.initiator,
        reason=submission.reason,
        tags=list(submission.tags),
    )


def all_keyed(submissions: Sequence[Submission]) -> bool:
    """Whether each has an idempotency key: then a second submit finds what the first one made."""
    return all(submission.idempotency_key is not None for submission in submissions)


def _row(submission: Submission, catalog: Catalog, max_payload_bytes: int) -> _Row:
    template = catalog.find(submission.namespace, submission.name, submission.version)
    if submission.priority not in _PRIORITY_RANGE:
        raise InvalidInputError(f"priority {submission.priority} is outside -32768..32767")
    if submission.traceparent is not None:
        parse_traceparent(submission.traceparent)
    return _Row(
        mint_task_uuid(),
        template,
        _encode_context(submission.context, template, max_payload_bytes),
        _encode_details(submission),
        submission,
    )


def _encode_context(context: object, template: RegisteredTemplate, limit: int) -> bytes:
    if not isinstance(context, Mapping):
        raise ContextError(
            f"the context of {template.template.key} must be a JSON object, "
            f"not {type(context).__name__}: {str(context)[:80]}"
        )
    try:
        encoded = bytes(encode_result(dict(context)))
    except UnencodableResultError as error:
        raise ContextError(f"the context of {template.template.key}: {error}") from error
    if len(encoded) > limit:
        raise ContextError(
            f"the context of {template.template.key} is {len(encoded)} bytes, above "
            f"[ring] max_payload_bytes = {limit}: store large inputs elsewhere and pass a reference"
        )
    template.check(encoded)
    return encoded


def _encode_details(submission: Submission) -> bytes:
    details = {
        "tags": list(submission.tags) or None,
        "initiator": submission.initiator,
        "reason": submission.reason,
        "correlation_id": submission.correlation_id,
        "traceparent": submission.traceparent,
    }
    given = {name: value for name, value in details.items() if value is not None}
    try:
        return msgspec.json.encode(given) if given else b"null"
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"the tags, initiator or reason of {submission.namespace}/{submission.name}: {error}"
        ) from error


def _digest(row: _Row) -> bytes:
    """What must be equal for two submits of one key to be the same: template and context."""
    context = msgspec.json.encode(msgspec.json.decode(row.context), order="sorted")
    return hashlib.sha256(row.template.template.key.encode() + b"\0" + context).digest()
