"""What went wrong, as one line for people and an exit code for programs."""

import os
import sys
from collections.abc import Callable

import click

from tasker_mp.cli.output import has_written, say, single_line, write_json
from tasker_mp.cli.settings import Settings
from tasker_mp.errors import EngineError

INTERRUPTED = 130
_FAILED = 1
_UNREACHABLE = 3


def exit_code_of(call: Callable[[], int | None], settings: Settings) -> int:
    """Call, and report what it raises; its return value or the error's code."""
    try:
        code = call() or 0
        sys.stdout.flush()
    except BrokenPipeError:
        return _reader_left()
    except SystemExit as exit_:  # click's own help and completion
        return exit_.code if isinstance(exit_.code, int) else _FAILED
    except (KeyboardInterrupt, click.Abort):
        say("interrupted")
        return INTERRUPTED
    except Exception as error:
        return _report(error, settings)
    return code


def _report(error: Exception, settings: Settings) -> int:
    if settings.debug and not isinstance(error, click.ClickException):
        import traceback  # noqa: PLC0415

        traceback.print_exception(error)
    message, code = _described(error)
    say(f"error: {message}")
    if settings.json and not has_written():
        write_json({"error": message})
    return code


def _described(error: Exception) -> tuple[str, int]:
    match error:
        case click.UsageError():
            return _usage(error), error.exit_code
        case click.ClickException():
            return single_line(error.format_message()), error.exit_code
        case EngineError():
            return single_line(str(error)), error.exit_code
        case OSError():
            return single_line(str(error)), _FAILED
    reason = single_line(f"{type(error).__name__}: {error}")
    if _is_database_failure(error):
        return f"the database does not answer: {reason}; check that it runs", _UNREACHABLE
    return f"unexpected {reason}; --debug shows where it comes from", _FAILED


def _usage(error: click.UsageError) -> str:
    message = single_line(error.format_message()).rstrip(".")
    where = error.ctx.command_path if error.ctx else "tasker-mp"
    return f"{message}; see: {where} --help"


def _is_database_failure(error: Exception) -> bool:
    psycopg = sys.modules.get("psycopg")  # importing it takes 0.1 s
    return psycopg is not None and isinstance(error, psycopg.OperationalError)


def _reader_left() -> int:
    """`… | head` has read enough: nothing to report, and nothing more to flush at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return _FAILED
