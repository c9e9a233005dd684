"""Runs a supervisor in this process, with everything that it needs around it.

python -m tasker_mp.engine.run      the configuration as a line of JSON on stdin; "ready" on stdout
"""

import asyncio
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import msgspec
import structlog

from tasker_mp.client.client import Client
from tasker_mp.config import Config
from tasker_mp.db.ready import ready_database
from tasker_mp.engine.runtime import RuntimeDirectory
from tasker_mp.engine.supervisor import Supervisor
from tasker_mp.errors import ConfigError, EngineError, TemplateError
from tasker_mp.logs import bind, configure_logging
from tasker_mp.template.parse import load_templates
from tasker_mp.template.template_set import TemplateSet
from tasker_mp.tracing import open_spans

log = structlog.get_logger("tasker_mp.engine")

_OTHER_CONNECTIONS = 3
"""Besides the lanes: claims, housekeeping, and the one that listens."""


def run_supervisor(
    config: Config, *, strict: bool = False, on_ready: Callable[[Supervisor], None] | None = None
) -> None:
    """Serve until SIGTERM or SIGINT; `strict` refuses to run with a bad template or handler."""
    # Until the loop takes it over: to die here would leave an embedded server behind.
    signal.signal(signal.SIGTERM, _terminate)
    configure_logging(config.logging)
    _check(config)
    templates = load_templates(config.root / config.templates.path, config.environment)
    _report(templates, strict=strict)
    with ready_database(config, migrate_any=True) as dsn:
        with Client(dsn, config=config) as client:
            for template in templates.templates:
                client.register(template)
        runtime = RuntimeDirectory(config.root)
        asyncio.run(_serve(config, dsn, templates, runtime, strict=strict, on_ready=on_ready))


def _check(config: Config) -> None:
    """Refuse what this version cannot do, rather than pass over it."""
    needed = config.worker.lanes + _OTHER_CONNECTIONS
    if config.database.pool_size < needed:
        raise ConfigError(
            f"database.pool_size = {config.database.pool_size} is too small for "
            f"worker.lanes = {config.worker.lanes}: set it to {needed} or more"
        )


def _terminate(signum: int, _frame: object) -> NoReturn:
    sys.exit(128 + signum)


async def _serve(
    config: Config,
    dsn: str,
    templates: TemplateSet,
    runtime: RuntimeDirectory,
    *,
    strict: bool,
    on_ready: Callable[[Supervisor], None] | None,
) -> None:
    supervisor = Supervisor(config, dsn, templates.templates, runtime)
    bind(worker_id=supervisor.worker_id)
    spans = supervisor.pipeline.spans = open_spans(supervisor.worker_id)

    def ready() -> None:
        if strict and supervisor.fleet.problems:
            raise EngineError(f"--strict: {supervisor.fleet.problems[0]}")
        log.info("ready", namespaces=supervisor.namespaces)
        if on_ready is not None:
            on_ready(supervisor)

    try:
        await supervisor.run(ready)
    finally:
        if spans is not None:
            spans.close()


def _report(templates: TemplateSet, *, strict: bool) -> None:
    for warning in templates.warnings:
        log.warning("deprecated template", notice=str(warning))
    for problem in templates.problems:
        log.error("template cannot be used", problem=str(problem))
    if strict and templates.problems:
        raise TemplateError(f"--strict: {templates.problems[0]}")


def main() -> None:
    """A supervisor for `tasker_mp.system`: lives no longer than the process that asked.

    That one's death closes stdin. The kernel's signal on a parent's death would come too early: the
    parent it means is the thread, which may end long before its process.
    """
    text = sys.stdin.buffer.readline()
    if not text:
        sys.exit(1)  # who asked was interrupted before it could say what for
    config = msgspec.json.decode(text, type=Config, dec_hook=lambda kind, value: kind(value))
    try:
        strict = "--strict" in sys.argv[1:]
        run_supervisor(config, strict=strict, on_ready=_answer_parent)
    except EngineError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)


def _answer_parent(supervisor: Supervisor) -> None:
    """Say that the supervisor is ready; stop it once nobody is there any more to hear it."""
    loop = asyncio.get_running_loop()

    def hang_up() -> None:
        loop.remove_reader(sys.stdin.fileno())
        supervisor.stop()

    loop.add_reader(sys.stdin.fileno(), hang_up)
    with suppress(BrokenPipeError):
        print("ready", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
