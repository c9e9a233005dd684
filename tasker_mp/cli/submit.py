"""`submit`: one task or many of a template, and on request what came of them."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import rich_click as click

from tasker_mp.cli.output import say, write_json
from tasker_mp.cli.settings import Settings, command, pass_settings
from tasker_mp.cli.steer import running_pid
from tasker_mp.cli.task_view import failed, show_task, task_document
from tasker_mp.errors import ContextError, InvalidInputError

if TYPE_CHECKING:
    from tasker_mp.client.client import Client
    from tasker_mp.client.task import Task
    from tasker_mp.config import Config


@command("submit")
@click.argument("template", metavar="NAMESPACE/NAME[@VERSION]")
@click.option(
    "--context", metavar="JSON|@FILE|-", default="{}", help="The task's input, an object."
)
@click.option("--count", type=click.IntRange(1, 100_000), help="Submit that many of the same.")
@click.option("--idempotency-key", metavar="K", help="A second submit with it adds no second task.")
@click.option("--priority", type=int, default=0, help="Above 0 is claimed first, below 0 last.")
@click.option("--wait", is_flag=True, help="Wait for the end, and print the results.")
@click.option("--timeout", type=click.FloatRange(0), metavar="S", help="Wait that long at most.")
@click.option("--tag", "tags", multiple=True, metavar="T", help="Kept with the task; repeatable.")
@click.option("--initiator", metavar="WHO", help="Kept with the task: who wants it.")
@click.option("--reason", metavar="WHY", help="Kept with the task: what for.")
@click.option("--correlation-id", metavar="UUID", type=click.UUID, help="Kept, and in every log.")
@click.option("--traceparent", metavar="T", help="W3C Trace Context: the trace it is a part of.")
@pass_settings
def submit(
    settings: Settings,
    /,
    template: str,
    context: str,
    count: int | None,
    wait: bool,
    timeout: float | None,
    **details: Any,
) -> int:
    """Submit a task; print its UUID, or with --wait its results.

    Exit 1 if the task, or one of them, does not complete. With --json: {"uuid"}, or the task; with
    --count: {"uuids"}, or {"tasks"}.
    """
    _check_together(count, wait, timeout, details)
    config = settings.config()
    namespace, name, version = parse_template_name(template)
    values = read_context(context)
    from tasker_mp.client.client import Client  # noqa: PLC0415
    from tasker_mp.client.submission import Submission  # noqa: PLC0415

    one = Submission(namespace=namespace, name=name, version=version, context=values, **details)
    with Client(config=config) as client:
        uuids = client.submit_many([one] * (count or 1))
        _warn_if_nobody_serves(config)
        if not wait:
            _print_uuids(settings, uuids, single=count is None)
            return 0
        tasks = _await_all(client, uuids, timeout)
    return _print_tasks(settings, tasks, single=count is None)


def _check_together(
    count: int | None, wait: bool, timeout: float | None, details: dict[str, Any]
) -> None:
    if timeout is not None and not wait:
        raise InvalidInputError(f"--timeout {timeout:g} limits --wait, which is missing; add it")
    if count is not None and count > 1 and details["idempotency_key"] is not None:
        raise InvalidInputError(
            f"--idempotency-key means one task and --count {count} several; leave one out"
        )


def parse_template_name(text: str) -> tuple[str, str, str | None]:
    """Namespace, name and version of `NAMESPACE/NAME[@VERSION]`; `InvalidInputError` otherwise."""
    path, at, version = text.partition("@")
    namespace, slash, name = path.partition("/")
    if not (namespace and slash and name) or (at and not version):
        raise InvalidInputError(
            f"{text!r} names no template; write NAMESPACE/NAME or NAMESPACE/NAME@VERSION"
        )
    return namespace, name, version or None


# -- the context ----------------------------------------------------------------------------------


def read_context(given: str) -> dict[str, Any]:
    """The object that JSON text, `@FILE` or `-` (stdin) holds; `ContextError` with the position."""
    if given == "-":
        return _object(sys.stdin.buffer.read(), "the context on stdin")
    if given.startswith("@"):
        file = Path(given[1:])
        try:
            return _object(file.read_bytes(), f"the context in {file}")
        except OSError as error:
            raise ContextError(
                f"--context {given}: {error.strerror}; name a readable file"
            ) from None
    return _object(given.encode("utf-8", "surrogateescape"), "--context")


def _object(text: bytes, source: str) -> dict[str, Any]:
    import msgspec  # noqa: PLC0415

    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ContextError(f"{source} is not JSON: {_position(text, error)}") from None
    if not isinstance(value, dict):
        shown = text.decode(errors="replace").strip()[:80]
        raise ContextError(f'{source} must be a JSON object such as {{"key": 1}}, not {shown}')
    return value


def _position(text: bytes, error: Exception) -> str:
    """Line and column where the standard library's parser stumbles as well: msgspec counts bytes.

    It takes NaN and infinities for numbers, so only msgspec says whether a text is JSON.
    """
    import json  # noqa: PLC0415

    try:
        json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as better:
        return str(better)
    except (ValueError, RecursionError) as better:
        return str(better) if str(better).startswith(_NOT_JSON) else str(error)
    return str(error)


_NOT_JSON = "JSON has no "


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{_NOT_JSON}{name}; write a number, a string or null")


# -- what came of it ------------------------------------------------------------------------------


def _warn_if_nobody_serves(config: "Config") -> None:
    """A supervisor of another host may serve a shared server; the embedded one has only ours."""
    if config.database.url != "embedded":
        return
    if running_pid(config) is None:
        say("note: no supervisor is running here; it waits until one does: tasker-mp start")


def _print_uuids(settings: Settings, uuids: list[UUID], *, single: bool) -> None:
    if settings.json:
        write_json({"uuid": uuids[0]} if single else {"uuids": uuids})
    else:
        sys.stdout.write("".join(f"{uuid}\n" for uuid in uuids))


def _await_all(client: "Client", uuids: list[UUID], timeout: float | None) -> list["Task"]:
    deadline = None if timeout is None else time.monotonic() + timeout
    tasks = []
    for uuid in uuids:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            tasks.append(client.wait(uuid, left))
        except TimeoutError:
            raise TimeoutError(
                f"task {uuid} has not ended within {timeout:g} s; it goes on; "
                f"wait for it with: tasker-mp task wait {uuid}"
            ) from None
    return tasks


def _print_tasks(settings: Settings, tasks: list["Task"], *, single: bool) -> int:
    if settings.json:
        documents = [task_document(task) for task in tasks]
        write_json(documents[0] if single else {"tasks": documents})
    else:
        for task in tasks:
            show_task(task)
    return max([failed(task) for task in tasks])
