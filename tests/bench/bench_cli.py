"""`python -m bench` as a user runs it, on the database of a test."""

import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bench.__main__ import call
from bench.document import Document, Series, decode_document

_REPOSITORY = Path(__file__).parents[2]
_LIMIT = 100.0


def start(dsn: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench", *arguments],
        cwd=_REPOSITORY,
        env=os.environ | {"TASKER_MP_DATABASE__URL": dsn},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a signal of the terminal's is not meant for it
    )


def finish(bench: subprocess.Popen[str], *codes: int) -> tuple[str, str]:
    """What it said on stdout and stderr, once it has ended with one of the codes."""
    try:
        output, errors = bench.communicate(timeout=_LIMIT)
    except BaseException:
        bench.send_signal(signal.SIGINT)  # it takes along what it has started
        raise
    assert bench.returncode in codes, errors
    return output, errors


def measure(dsn: str, *arguments: str, codes: tuple[int, ...] = (0,)) -> Document:
    output, _ = finish(start(dsn, *arguments, "--json"), *codes)
    return decode_document(output)


def refusal(*arguments: str, code: int = 2) -> str:
    """The one line that a wrong command line is answered with, in this process."""
    output, errors = StringIO(), StringIO()
    argv = patch.object(sys, "argv", ["bench", *arguments])
    with argv, redirect_stdout(output), redirect_stderr(errors):
        assert call() == code
    assert output.getvalue() == ""
    (line,) = errors.getvalue().splitlines()
    return line


def by_name(document: Document) -> dict[str, Series]:
    return {series.name: series for series in document.series}


def bench_database_of(dsn: str, name: str) -> str:
    """The DSN of the database that a measurement makes beside that one."""
    return make_conninfo(dsn, dbname=f"tasker_bench_{name}_{conninfo_to_dict(dsn)['dbname']}")


def is_there(dsn: str, database: str) -> bool:
    with psycopg.connect(dsn) as connection:
        name = conninfo_to_dict(database)["dbname"]
        query = "select from pg_database where datname = %s"
        return connection.execute(query, [name]).fetchone() is not None
