"""`doctor`: everything that a run needs, checked one by one."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tasker_mp.cli.output import mark, say, show, single_line, write_json
from tasker_mp.cli.settings import Settings, command, pass_settings
from tasker_mp.errors import EngineError

if TYPE_CHECKING:
    from tasker_mp.config import Config
    from tasker_mp.template.template_set import TemplateSet

_EMBEDDED = "embedded"
_OLDEST_PYTHON = (3, 11)
_FILES_BASE = 128
_FILES_A_WORKER = 16
"""Descriptors: two rings with two eventfds each, a pidfd and a socket, with room to respawn."""

_FEATURES = {"memfd_create": "3.17", "eventfd": "2.6", "pidfd_open": "5.3"}
"""What the rings and the supervision stand on, and the Linux that has it."""


class Finding(Exception):  # noqa: N818  a check ends with one, it does not fail
    """A check did not pass: what is wrong, and the cure."""


@command("doctor")
@pass_settings
def doctor(settings: Settings) -> int:
    """Check everything that a run needs, one line each, with the cure; exit 1 if one is wrong."""
    results = list(_results(settings))
    if settings.json:
        write_json(
            {"ok": all(ok for _, ok, _ in results), "checks": [_document(*r) for r in results]}
        )
    else:
        width = max(len(name) for name, _, _ in results)
        for name, ok, detail in results:
            show(f"{mark(ok)} {name:<{width}}  {detail}")
    wrong = sum(not ok for _, ok, _ in results)
    say(f"{wrong} of {len(results)} checks failed" if wrong else "all is well")
    return 1 if wrong else 0


def _document(name: str, ok: bool, detail: str) -> dict[str, object]:
    return {"name": name, "ok": ok, "detail": detail}


def _results(settings: Settings) -> Iterator[tuple[str, bool, str]]:
    yield _result("python", _python)
    yield _result("kernel", _kernel)
    try:
        config = settings.config()
    except EngineError as error:
        yield "configuration", False, single_line(str(error))
        return  # nothing further can be known without it
    yield "configuration", True, _sources(config)
    yield _result("open files", lambda: _open_files(config))
    yield _result("runtime folder", lambda: _runtime(config.root))
    yield _result("database", lambda: _database(config))
    found = _load(settings)
    yield _result("templates", lambda: _templates(found, config))
    yield _result("handlers", lambda: _handlers(found, config))


def _result(name: str, check: Callable[[], str]) -> tuple[str, bool, str]:
    """A check's line; whatever goes wrong in it is its finding, and the next one still runs."""
    try:
        return name, True, check()
    except (Finding, EngineError) as error:
        return name, False, single_line(str(error))
    except Exception as error:
        return name, False, single_line(f"{type(error).__name__}: {error}")


def _python() -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _OLDEST_PYTHON:
        raise Finding(f"{version}; install Python 3.11 or newer")
    return version


def _kernel() -> str:
    missing = [name for name in _FEATURES if not hasattr(os, name)]
    if missing:
        needs = ", ".join(f"{name} (Linux {_FEATURES[name]})" for name in missing)
        raise Finding(f"no {needs}; use a newer Linux, and a Python built on it")
    try:
        os.close(os.memfd_create("tasker-mp"))
        os.close(os.eventfd(0))
        os.close(os.pidfd_open(os.getpid()))
    except OSError as error:
        raise Finding(f"{error}; a sandbox may forbid it: allow that system call") from error
    return f"{os.uname().release}: {', '.join(_FEATURES)}; /dev/shm is not used"


def _sources(config: "Config") -> str:
    files = ", ".join(str(_below(path, config.root)) for path in config.sources)
    return f"{config.environment}: {files or f'no file in {config.root}, so the defaults'}"


def _below(path: Path, root: Path) -> Path:
    return path.relative_to(root) if path.is_relative_to(root) else path


def _open_files(config: "Config") -> str:
    import resource  # noqa: PLC0415

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    workers = config.worker.count or os.cpu_count() or 1
    needed = _FILES_BASE + _FILES_A_WORKER * workers
    if limit != resource.RLIM_INFINITY and limit < needed:
        raise Finding(f"{limit}, and {workers} workers need {needed}; raise it: ulimit -n {needed}")
    return f"{'unlimited' if limit == resource.RLIM_INFINITY else limit} ({needed} needed)"


def _runtime(root: Path) -> str:
    from tasker_mp.engine.runtime import RuntimeDirectory  # noqa: PLC0415

    path = RuntimeDirectory(root).path
    existing = next(folder for folder in (path, *path.parents) if folder.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        raise Finding(f"{existing} is not writable; change its owner, or run elsewhere")
    return str(path)


def _database(config: "Config") -> str:
    from tasker_mp.config import redact  # noqa: PLC0415
    from tasker_mp.db.embedded import EmbeddedServer  # noqa: PLC0415

    if config.database.url != _EMBEDDED:
        return f"{redact(config.database.url)}: {_schema(config.database.url)}"
    from tasker_mp.db.binaries import find_binaries  # noqa: PLC0415

    binaries = find_binaries()
    server = EmbeddedServer(config.root).status()
    if server.ready and server.dsn:
        return f"embedded, running (pid {server.pid}): {_schema(server.dsn)}"
    created = "" if server.version else ", and is created then"
    return f"embedded PostgreSQL {binaries.version}: starts when it is needed{created}"


def _schema(dsn: str) -> str:
    from tasker_mp.db.connect import connect  # noqa: PLC0415
    from tasker_mp.db.migrate import status  # noqa: PLC0415

    with connect(dsn, autocommit=True) as connection:
        found = status(connection)
        version = connection.info.parameter_status("server_version")
    if found.problem:
        raise Finding(found.problem)
    if not found.current:
        raise Finding(f"PostgreSQL {version}, not migrated; run: tasker-mp db migrate")
    return f"PostgreSQL {version}, schema {found.version}"


def _load(settings: Settings) -> "TemplateSet":
    from tasker_mp.cli.template import load  # noqa: PLC0415

    return load(settings)


def _templates(found: "TemplateSet", config: "Config") -> str:
    if found.problems:
        more = f" (and {len(found.problems) - 1} more)" if len(found.problems) > 1 else ""
        raise Finding(f"{found.problems[0]}{more}; see: tasker-mp template validate")
    if not found.templates:
        raise Finding(f"none in {config.templates_path}; write one, or set templates.path")
    return f"{len(found.templates)} in {config.templates_path}"


def _handlers(found: "TemplateSet", config: "Config") -> str:
    from tasker_mp.cli.handler import check_handlers  # noqa: PLC0415

    checks = check_handlers(config, found.templates)
    problems = [check for check in checks if check.problem]
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise Finding(f"{problems[0].problem}{more}; see: tasker-mp handler check")
    return f"{len({(c.callable, c.method) for c in checks})} resolve"
