"""What a command says to wrong usage, to nobody there, and to a reader that has gone."""

import json
import subprocess
import sys
import time

import pytest
from conftest import Project

LINEAR = "linear_workflow/mathematical_sequence"

WRONG_USAGE = {
    "unknown command": (["strat"], ["No such command 'strat'", "tasker-mp --help"]),
    "unknown option": (["status", "--jsno"], ["'--jsno'", "tasker-mp status --help"]),
    "missing argument": (["task", "show"], ["UUID", "tasker-mp task show --help"]),
    "malformed uuid": (["task", "show", "17"], ["'17' is not a valid UUID"]),
    "unknown state": (["task", "list", "--state", "done"], ["'done'", "'complete'"]),
    "odd input": (["demo", "--input", "7"], ["--input", "7 is odd"]),
    "input too long": (["demo", "--input", "2" * 68], ["67 digits at most"]),
    "no tasks": (["demo", "--tasks", "0"], ["--tasks", "0"]),
    "no template": (["submit", "linear"], ["'linear'", "NAMESPACE/NAME"]),
    "empty version": (["submit", f"{LINEAR}@"], ["NAMESPACE/NAME@VERSION"]),
    "array": (["submit", LINEAR, "--context", "[1]"], ["JSON object", "[1]"]),
    "NaN": (["submit", LINEAR, "--context", '{"a": NaN}'], ["NaN"]),
    "infinity": (["submit", LINEAR, "--context", '{"a": -Infinity}'], ["-Infinity"]),
    "1e999": (["submit", LINEAR, "--context", '{"a": 1e999}'], ["out of range"]),
    "malformed": (["submit", LINEAR, "--context", '{"a" 1}'], ["line 1 column 6"]),
    "truncated": (["submit", LINEAR, "--context", '{"a": 1'], ["line 1 column 8"]),
    "missing file": (["submit", LINEAR, "--context", "@no.json"], ["no.json", "No such file"]),
    "limit without wait": (["submit", LINEAR, "--timeout", "1"], ["--timeout 1", "--wait"]),
    "one key for two": (
        ["submit", LINEAR, "--idempotency-key", "k", "--count", "2"],
        ["--idempotency-key", "--count 2"],
    ),
    "environment": (["--env", "a/b", "template", "list"], ['"a/b"']),
    "configuration": (["--config", "no/such", "template", "list"], ["no/such"]),
    "dsn": (["--dsn", "mysql", "db", "status"], ["database.url"]),
    "not embedded": (
        ["db", "start", "--dsn", "postgresql://h/d"],
        ["db start", "postgresql://h/d"],
    ),
    "unconfirmed reset": (["db", "reset", "--dsn", "postgresql://h/d"], ["--yes"]),
    "no such path": (["template", "validate", "no/such"], ["no/such"]),
    "no such template": (["template", "show", "linear_workflow/sequence"], [LINEAR]),
    "no such version": (["template", "graph", f"{LINEAR}@9.0.0"], ["9.0.0", "1.0.0"]),
}


@pytest.mark.parametrize(("arguments", "fragments"), WRONG_USAGE.values(), ids=WRONG_USAGE)
def test_wrong_usage_is_one_line_and_exit_2(
    project: Project, arguments: list[str], fragments: list[str]
) -> None:
    done = project.run(*arguments)
    done.failed(2, *fragments)
    assert done.out == ""


def test_a_broken_context_on_stdin_is_told_with_its_line(project: Project) -> None:
    done = project.run("submit", LINEAR, "--context", "-", stdin='{\n "a": tru}')
    done.failed(2, "stdin", "line 2 column 7")


def test_a_misspelt_key_in_the_configuration_is_exit_2(project: Project) -> None:
    done = project.run("status", TASKER_MP_WORKER__CUONT="3")
    done.failed(2, "worker.cuont", "'count'")


@pytest.mark.parametrize("command", ["status", "stop", "drain", "pause", "resume"])
def test_no_supervisor_is_exit_3(project: Project, command: str) -> None:
    project.run(command).failed(3, "no supervisor is running", "tasker-mp start")


@pytest.mark.parametrize("arguments", [["--json", "status"], ["status", "--json"]])
def test_json_is_taken_before_and_after_the_command(project: Project, arguments: list[str]) -> None:
    done = project.run(*arguments)
    done.failed(3, "no supervisor")
    assert done.document["running"] is False
    assert "no supervisor" in done.document["error"]


def test_an_error_is_a_document_with_json(project: Project) -> None:
    done = project.run("task", "show", "17", "--json")
    done.failed(2)
    assert "'17'" in done.document["error"]


def test_a_database_that_does_not_answer_is_exit_3_within_5_s(project: Project) -> None:
    started = time.monotonic()
    # An address that is reserved for documentation: packets to it get no answer.
    dsn = "postgresql://tasker:geheim@192.0.2.1/tasker"
    done = project.run("task", "list", "--dsn", dsn)
    done.failed(3, "192.0.2.1")
    assert "geheim" not in done.err
    assert time.monotonic() - started < 5


def test_a_traceback_only_with_debug(project: Project) -> None:
    done = project.run("status", "--debug")
    assert done.code == 3
    assert "Traceback" in done.err
    assert done.err.splitlines()[-1].startswith("error: ")


def test_a_reader_that_has_gone_is_no_error(project: Project) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tasker_mp", "template", "schema"],
        cwd=project.root,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        assert process.stderr.read() == ""
    assert process.wait(20) == 1


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["status"]])
def test_quick_commands_import_nothing_slow(project: Project, arguments: list[str]) -> None:
    program = (
        "import json, sys; from tasker_mp.cli.app import run; code = run(sys.argv[1:]);"
        "slow = {'psycopg', 'structlog', 'yaml', 'jsonschema_rs', 'psutil', 'asyncio'};"
        "print(json.dumps(sorted(slow & set(sys.modules))), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=project.root,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stderr.splitlines()[-1]) == []


def test_help_names_every_command(project: Project) -> None:
    done = project.run("-h").succeeded()
    for name in ("demo", "start", "stop", "drain", "pause", "resume", "status", "submit"):
        assert f" {name} " in done.out
    for name in ("task", "template", "handler", "db", "doctor"):
        assert f" {name} " in done.out
