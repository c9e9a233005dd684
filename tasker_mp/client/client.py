"""The blocking client: submits tasks, reads them, waits for them; needs no supervisor."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import msgspec
import psycopg
from psycopg import Connection

from tasker_mp.client.catalog import CATALOG_SECONDS, Catalog, registration
from tasker_mp.client.errors import AnswerLostError, of_task
from tasker_mp.client.explanation import TaskExplanation, explanation
from tasker_mp.client.link import Link, Rows
from tasker_mp.client.repair import (
    Repair,
    attribution,
    encoded_result,
    repair,
    required,
    step_parameters,
)
from tasker_mp.client.submission import (
    Submission,
    all_keyed,
    submit_parameters,
    submitted_summary,
)
from tasker_mp.client.task import (
    DeadLetter,
    Task,
    TaskResults,
    TaskSummary,
    Transition,
    dead_letter,
    progress,
    task,
    task_results,
    task_summary,
    transition,
)
from tasker_mp.client.task_filter import SCAN_LIMIT, TaskCounts, TaskFilter, task_counts
from tasker_mp.config import Config, load_config
from tasker_mp.db.connect import connect
from tasker_mp.db.ready import ready_database
from tasker_mp.errors import TemplateNotFoundError, UnknownTaskError
from tasker_mp.states import FINAL_TASK_STATES
from tasker_mp.template.model import Template
from tasker_mp.template.parse import load_templates

_RECHECK_SECONDS = 1.0
"""A waiter looks for itself this often, should a notification get lost with its connection."""


class Client:
    """Submit and follow tasks.

    With a `dsn`, the templates are those that the database knows (a supervisor registers its own
    when it starts). Without one, the project's configuration says which database, and the
    project's template files are registered as they are needed. Safe to share between threads,
    except for waiting; close it, or use it as a context manager.
    """

    def __init__(self, dsn: str | None = None, *, config: Config | None = None) -> None:
        self._config = config or load_config()
        self._local = dsn is None
        self._catalog: Catalog | None = None
        self._catalog_until = 0.0
        self._waiting: Connection[Any] | None = None
        with ExitStack() as stack:
            if dsn is None:
                dsn = stack.enter_context(ready_database(self._config))
            self._dsn = dsn
            self._link = Link(lambda: connect(dsn, autocommit=True))
            stack.callback(self._link.close)
            self._resources = stack.pop_all()

    # -- submitting ---------------------------------------------------------------------------

    def submit(
        self,
        namespace: str,
        name: str,
        context: dict[str, Any],
        *,
        version: str | None = None,
        idempotency_key: str | None = None,
        priority: int = 0,
        tags: Sequence[str] = (),
        initiator: str | None = None,
        reason: str | None = None,
        correlation_id: UUID | None = None,
        traceparent: str | None = None,
    ) -> TaskSummary:
        """Submit one task; the earlier one where its idempotency key and content were seen before.

        Raises `TemplateNotFoundError`, `ContextError`, `IdempotencyConflictError`.
        """
        submission = Submission(
            namespace=namespace,
            name=name,
            context=context,
            version=version,
            idempotency_key=idempotency_key,
            priority=priority,
            tags=tags,
            initiator=initiator,
            reason=reason,
            correlation_id=correlation_id,
            traceparent=traceparent,
        )
        uuid, created_at = self._submit([submission])[0]
        if created_at is None:
            return self.get_summary(uuid)
        return submitted_summary(submission, self._known_catalog(), uuid, created_at)

    def submit_many(self, submissions: Sequence[Submission]) -> list[UUID]:
        """Submit tasks in one statement, all or none; their UUIDs in the order given.

        `AnswerLostError` where the connection broke before the answer came, unless each has an
        idempotency key: then they are submitted once more.
        """
        return [row[0] for row in self._submit(submissions)] if submissions else []

    def _submit(self, submissions: Sequence[Submission]) -> Rows:
        """(UUID, when it was created; None for an earlier one) of each."""
        try:
            return self._submitted(submissions)
        except AnswerLostError:
            if not all_keyed(submissions):
                raise
            return self._submitted(submissions)

    def _submitted(self, submissions: Sequence[Submission]) -> Rows:
        """With task UUIDs of its own each time: those of a lost answer may be taken."""
        parameters = self._parameters(submissions)
        try:
            return self._link.rows("submit_tasks", parameters, repeatable=False)
        except TemplateNotFoundError:
            self._catalog = None  # the database was reset since it was read
            raise

    def register(self, template: Template) -> int:
        """Make a template known to the database; its id there."""
        template_id: int = self._rows("register_template", **registration(template))[0][0]
        if self._catalog is not None:
            self._catalog.add(template_id, template)
        return template_id

    def templates(self) -> list[Template]:
        """The latest text of every registered template version."""
        return self._known_catalog().templates

    def _parameters(self, submissions: Sequence[Submission]) -> dict[str, Any]:
        limit = self._config.ring.max_payload_bytes
        try:
            return submit_parameters(submissions, self._known_catalog(), limit)
        except TemplateNotFoundError:
            if self._local:
                raise
            # Another process may have registered it since this one looked.
            self._catalog = None
            return submit_parameters(submissions, self._known_catalog(), limit)

    def _known_catalog(self) -> Catalog:
        if self._catalog is None or time.monotonic() > self._catalog_until:
            self._catalog_until = time.monotonic() + CATALOG_SECONDS
            self._catalog = Catalog(
                (row[0], msgspec.json.encode(row[4])) for row in self._rows("list_templates")
            )
            if self._local:
                self._register_local(self._catalog)
        return self._catalog

    def _register_local(self, catalog: Catalog) -> None:
        path = self._config.root / self._config.templates.path
        local = load_templates(path, self._config.environment)
        for template in local.templates:
            if catalog.lacks(template):
                self.register(template)
        catalog.exclude(local.broken)

    # -- reading ------------------------------------------------------------------------------

    def get_task(self, uuid: UUID) -> Task:
        """The task with its steps; `UnknownTaskError` where there is none."""
        return task(uuid, of_task(uuid, self._rows("get_task_with_steps", task=uuid)))

    def progress(self, of: Task) -> Task:
        """The task as it is by now, without results; a look that a large task can bear often."""
        rows = self._rows("get_progress", task=of.uuid)
        if not rows:
            raise UnknownTaskError(f"task {of.uuid} is not there any more: deleted by retention")
        return progress(of, rows)

    def get_summary(self, uuid: UUID) -> TaskSummary:
        """The task without its steps; `UnknownTaskError` where there is none."""
        return task_summary(self._task_row(uuid))

    def list_tasks(
        self,
        *,
        state: str | None = None,
        namespace: str | None = None,
        quarantined: bool = False,
        limit: int = 50,
        where: TaskFilter | None = None,
        scan: int | None = None,
    ) -> list[TaskSummary]:
        """Tasks, newest first; `quarantined`: only those with a step that kept crashing.

        `where` says more closely which; past `scan` tasks they are not looked for.
        """
        parameters: dict[str, Any] = {"state": state, "namespace": namespace, "limit": limit}
        if not quarantined:
            where = where or TaskFilter(state=state, namespace=namespace)
            parameters |= where.parameters(scan)
        name = "list_quarantined" if quarantined else "list_tasks"
        return [task_summary(row) for row in self._rows(name, **parameters)]

    def list_dead_letters(
        self,
        *,
        state: str | None = None,
        namespace: str | None = None,
        only_stale: bool = False,
        limit: int = 50,
    ) -> list[DeadLetter]:
        """Tasks in error, with a quarantined step, or stale by their `lifecycle`, newest first."""
        rows = self._rows(
            "list_dead_letters",
            state=state,
            namespace=namespace,
            only_stale=only_stale,
            limit=limit,
        )
        return [dead_letter(row) for row in rows]

    def count_tasks(self, *, namespace: str | None = None) -> dict[str, int]:
        """How many tasks are in each state that one is in."""
        return dict(self._rows("count_tasks", namespace=namespace))

    def summarize_tasks(self, where: TaskFilter, scan: int | None = SCAN_LIMIT) -> TaskCounts:
        """How many tasks match in each state, of the newest `scan`; `where.state` is left open."""
        return task_counts(self._rows("summarize_tasks", **where.parameters(scan)), scan)

    def count_ended(self, uuids: Sequence[UUID]) -> tuple[int, int]:
        """How many of the tasks have completed, and how many ended in another way."""
        completed, otherwise = self._rows("count_ended", tasks=list(uuids))[0]
        return completed, otherwise

    def get_results(self, uuids: Sequence[UUID]) -> list[TaskResults]:
        """State, times and results of the tasks, in one round trip; in no order."""
        return [task_results(row) for row in self._rows("get_results", tasks=list(uuids))]

    def transitions(self, uuid: UUID) -> list[Transition]:
        """Every change of state of a task and its steps, in order."""
        names = {step.step_no: step.name for step in self.get_task(uuid).steps}
        return [transition(row, names) for row in self._rows("get_transitions", task=uuid)]

    def explain(self, uuid: UUID) -> TaskExplanation:
        """Why each step that is not complete is not running now; `UnknownTaskError`."""
        self._task_row(uuid)
        lease = self._config.steps.lease
        row = self._rows("explain_task", task=uuid, lease=lease)[0]
        return explanation(uuid, row, self._rows("explain_steps", task=uuid), lease)

    def _task_row(self, uuid: UUID) -> tuple[Any, ...]:
        return of_task(uuid, self._rows("get_task", task=uuid))[0]

    # -- repairing ----------------------------------------------------------------------------
    #
    # `by` says who does it, by default user@host. `IllegalTransitionError` where the state is not
    # one to start from, `UnknownTaskError`; then nothing is changed.

    def cancel_task(
        self, uuid: UUID, *, reason: str | None = None, by: str | None = None
    ) -> Repair:
        """Cancel a task with all its steps that are not over; what runs is not stopped, but its
        result will be refused."""
        return self._repair("end_task", uuid, state="cancelled", **attribution(by, reason))

    def resolve_task(self, uuid: UUID, *, reason: str, by: str | None = None) -> Repair:
        """Take a task for done, with all its steps that are not over."""
        why = attribution(by, required(reason))
        return self._repair("end_task", uuid, state="resolved_manually", **why)

    def retry_task(self, uuid: UUID, *, reason: str | None = None, by: str | None = None) -> Repair:
        """Run every failed step again, its attempts counted anew; waiting ones are due now."""
        return self._repair("retry_steps", uuid, step_no=None, **attribution(by, reason))

    def retry_step(self, uuid: UUID, *, reason: str | None = None, by: str | None = None) -> Repair:
        """Run a failed step again, its attempts counted anew; a waiting one is due now."""
        return self._repair("retry_steps", **step_parameters(uuid), **attribution(by, reason))

    def resolve_step(self, uuid: UUID, *, reason: str, by: str | None = None) -> Repair:
        """Take a step for done without a result: its children go on."""
        why = attribution(by, required(reason))
        return self._repair("resolve_step", **step_parameters(uuid), result=None, **why)

    def complete_step(
        self, uuid: UUID, result: object, *, reason: str, by: str | None = None
    ) -> Repair:
        """Take a step for done with `result`, as if its handler had returned that."""
        why = attribution(by, required(reason))
        encoded = encoded_result(result, self._config.ring.max_payload_bytes)
        return self._repair("resolve_step", **step_parameters(uuid), result=encoded, **why)

    def _repair(self, query_name: str, task: UUID, **parameters: Any) -> Repair:
        given = {"task": task, **parameters}
        return repair(task, self._link.rows(query_name, given, repeatable=False))

    # -- waiting ------------------------------------------------------------------------------

    def wait(self, uuid: UUID, timeout: float | None = None) -> Task:
        """The task once it has ended; `TimeoutError` after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self._listener() and not self._ended(uuid):
            left = _RECHECK_SECONDS if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"task {uuid} has not ended within {timeout:g} s")
            if self._notified(uuid, min(left, _RECHECK_SECONDS)):
                break
        return self.get_task(uuid)

    def _notified(self, uuid: UUID, limit: float) -> bool:
        """Whether the end was announced within `limit` seconds."""
        try:
            notices = self._listener().notifies(timeout=limit)
            return any(notice.payload == str(uuid) for notice in notices)
        except psycopg.OperationalError:
            return False  # the next look is through a new connection

    def _ended(self, uuid: UUID) -> bool:
        """Whether the task has ended; if not, its end will be announced."""
        rows = of_task(uuid, self._rows("announce_wait", task=uuid))
        return rows[0][0] in FINAL_TASK_STATES

    def _listener(self) -> Connection[Any]:
        """A connection of its own: listening comes before asking, so that no end is missed."""
        if self._waiting is None or self._waiting.closed:
            self._waiting = connect(self._dsn, autocommit=True)
            self._waiting.execute("listen tasker_ended")
        return self._waiting

    # -- resources ----------------------------------------------------------------------------

    def _rows(self, query_name: str, **parameters: Any) -> Rows:
        return self._link.rows(query_name, parameters)

    def close(self) -> None:
        if self._waiting is not None:
            self._waiting.close()
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
