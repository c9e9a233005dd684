"""What a template file may say: every key with its kind, in one table that checks and documents."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, TypeAlias, get_args

from tasker_mp.identity import MAX_STEPS_PER_TASK
from tasker_mp.template import model


@dataclass(frozen=True)
class Text:
    """A string; `form` says in words what `pattern` demands."""

    longest: int | None = None
    pattern: re.Pattern[str] | None = None
    form: str = "text"


@dataclass(frozen=True)
class Choice:
    values: tuple[str, ...]


@dataclass(frozen=True)
class Whole:
    lowest: int
    highest: int | None = None


@dataclass(frozen=True)
class Positive:
    """A finite number above 0."""


@dataclass(frozen=True)
class Flag:
    """True or false."""


@dataclass(frozen=True)
class Free:
    """A mapping whose content is the author's."""


@dataclass(frozen=True)
class Schema:
    """A JSON Schema: a mapping, true or false."""


@dataclass(frozen=True)
class ListOf:
    item: Kind
    shortest: int = 0
    longest: int | None = None


@dataclass(frozen=True)
class MapOf:
    item: Kind


@dataclass(frozen=True)
class Section:
    keys: dict[str, Key] = field(default_factory=dict)


Leaf: TypeAlias = Text | Choice | Whole | Positive | Flag | Free
Kind: TypeAlias = Leaf | Schema | ListOf | MapOf | Section


@dataclass(frozen=True)
class Key:
    kind: Kind
    about: str = ""
    required: bool = False
    alias: str | None = None
    ignored: bool = False


NAMESPACE_FORM: Final = "1 to 29 of A-Z, a-z, 0-9 and _"
_NAMESPACE = re.compile(r"[A-Za-z0-9_]{1,29}")
_VERSION = re.compile(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)")
# Ruby's and Rust's `::` too, so that the older templates load unchanged; `:` and `/` for what a
# project's own resolver knows, such as payments:stripe:refund.
_CALLABLE = re.compile(r"[A-Za-z_][\w-]*((\.|::?|/)\w[\w-]*)*")
_METHOD = re.compile(r"[A-Za-z_]\w*")

ANY_TEXT = Text()
NAME = Text(longest=255)
CALLABLE = Text(
    longest=1000,
    pattern=_CALLABLE,
    form="a dotted path such as handlers.linear.LinearStep1Handler, or a handler's name",
)
MILLISECONDS = Whole(0, 2**31 - 1)

INITIALIZATION = Key(Free(), "Settings that the handler reads as its configuration")

RETRY = Section(
    {
        "retryable": Key(Flag(), "False: only the first attempt is made"),
        "max_attempts": Key(Whole(1, model.MAX_ATTEMPTS_LIMIT), "Counts the first attempt"),
        "backoff": Key(Choice(get_args(model.Backoff)), "How the delay between attempts grows"),
        "backoff_base_ms": Key(MILLISECONDS, "Delay before the second attempt, in milliseconds"),
        "max_backoff_ms": Key(MILLISECONDS, "No delay is longer, in milliseconds"),
    }
)

HANDLER = Section(
    {
        "callable": Key(CALLABLE, "The code that runs the step", required=True),
        "method": Key(
            Text(longest=255, pattern=_METHOD, form="a method's name"), "The method called"
        ),
        "resolver": Key(NAME, "The resolver that finds the callable, where the default will not"),
        "initialization": INITIALIZATION,
        "concurrency": Key(
            Choice(get_args(model.Concurrency)), "thread: runs in a thread, beside others"
        ),
    }
)

PUBLICATION = Section(
    {
        "name": Key(NAME, "The event's name", required=True),
        "description": Key(ANY_TEXT),
        "schema": Key(Schema(), "What its payload must satisfy"),
        "condition": Key(Choice(get_args(model.EventCondition)), "The end of the step it tells of"),
        "delivery_mode": Key(Choice(get_args(model.DeliveryMode)), "How it reaches subscribers"),
        "publisher": Key(NAME, "The publisher class, where the default one will not do"),
    }
)

BATCH_CONFIG = Section(
    {
        "batch_size": Key(Whole(1), "Items of one batch"),
        "parallelism": Key(Whole(1), "Batches at the same time"),
        "cursor_field": Key(NAME, "The field that orders the items"),
        "worker_template": Key(NAME, "The step that each batch runs"),
        "failure_strategy": Key(Choice(get_args(model.FailureStrategy)), "When a batch fails"),
    }
)

STEP = Section(
    {
        "name": Key(NAME, "Unique in the template", required=True),
        "description": Key(ANY_TEXT),
        "type": Key(
            Choice(get_args(model.StepType)), "How the step comes to be", alias="step_type"
        ),
        "dependencies": Key(
            ListOf(NAME), "The steps that must complete before this one", alias="depends_on"
        ),
        "handler": Key(HANDLER, required=True),
        "timeout_seconds": Key(Positive(), "After this the step's worker is killed"),
        "retry": Key(RETRY),
        "publishes_events": Key(ListOf(PUBLICATION)),
        "batch_config": Key(BATCH_CONFIG),
        "result_schema": Key(Schema(), "What the step's result must satisfy"),
        "system_dependency": Key(NAME, "The outside system that the step uses"),
        "lifecycle": Key(Free()),
    }
)

OVERRIDE = Section(
    {
        "name": Key(NAME, "A step's name, or ALL", required=True),
        "handler": Key(Section({"initialization": INITIALIZATION})),
        "timeout_seconds": Key(Positive()),
        "retry": Key(RETRY),
    }
)

LIFECYCLE = Section(
    {
        "max_duration_minutes": Key(Positive()),
        "max_waiting_for_dependencies_minutes": Key(Positive()),
        "max_waiting_for_retry_minutes": Key(Positive()),
        "max_steps_in_process_minutes": Key(Positive()),
        "staleness_action": Key(Choice(get_args(model.StalenessAction))),
        "auto_fail_on_timeout": Key(Flag()),
        "auto_dlq_on_timeout": Key(Flag()),
    }
)

TEMPLATE = Section(
    {
        "name": Key(NAME, "Unique in its namespace", required=True),
        "version": Key(
            Text(longest=50, pattern=_VERSION, form="X.Y.Z, such as 1.0.0"), required=True
        ),
        "namespace_name": Key(
            Text(pattern=_NAMESPACE, form=NAMESPACE_FORM),
            "Its steps wait in the queue worker_<namespace_name>_queue",
            required=True,
        ),
        "description": Key(ANY_TEXT),
        "metadata": Key(Free(), "author, tags, documentation_url, created_at, updated_at, notes …"),
        "task_handler": Key(
            Section({"callable": Key(CALLABLE, required=True), "initialization": INITIALIZATION})
        ),
        "system_dependencies": Key(
            Section({"primary": Key(NAME), "secondary": Key(ListOf(NAME))}),
        ),
        "domain_events": Key(
            ListOf(
                Section(
                    {
                        "name": Key(NAME, required=True),
                        "description": Key(ANY_TEXT),
                        "schema": Key(Schema()),
                    }
                )
            )
        ),
        "input_schema": Key(Schema(), "What a submitted task's context must satisfy"),
        "lifecycle": Key(LIFECYCLE),
        "steps": Key(ListOf(STEP, shortest=1, longest=MAX_STEPS_PER_TASK), required=True),
        "environments": Key(
            MapOf(Section({"steps": Key(ListOf(OVERRIDE))})),
            "Overrides for the running environment",
        ),
        "loaded_from": Key(ANY_TEXT, ignored=True),
    }
)
