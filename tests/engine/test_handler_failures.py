"""What a handler may do wrong: its own step fails, with the reason, and its neighbours finish."""

from collections.abc import Iterator

import pytest
from engine_project import ProjectFolder, step

from tasker_mp.client.task import Task

_FAILURES = (
    "raises", "permanent", "objects", "not_a_number", "recursive", "huge", "binary", "surrogate",
    "exits",
)  # fmt: skip


@pytest.fixture(scope="module")
def tasks(
    tmp_path_factory: pytest.TempPathFactory, databases: "object"
) -> Iterator[dict[str, Task]]:
    """All of them at once, with neighbours before and behind each."""
    root = tmp_path_factory.mktemp("failures")
    with (
        databases.fresh(databases.migrated_template()) as dsn,  # type: ignore[attr-defined]
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.chdir(root)
        yield _run(ProjectFolder(root, dsn))


def _run(folder: ProjectFolder) -> dict[str, Task]:
    for name in _FAILURES:
        folder.template(name, step(name), step("beside", method="call"))
    folder.template("gone", step("gone", handler={"callable": "handlers.acts.Lost"}))
    folder.template("zero")
    folder.template("coroutine")
    folder.template("neighbour", step("call"))
    with folder.running() as running:
        neighbours = running.submit("neighbour", 5)
        uuids = {n: running.submit(n)[0] for n in (*_FAILURES, "gone", "zero", "coroutine")}
        neighbours += running.submit("neighbour", 5)
        assert {task.state for task in running.wait(neighbours)} == {"complete"}
        return {name: running.wait([uuid])[0] for name, uuid in uuids.items()}


@pytest.mark.parametrize(
    ("name", "code", "fragment"),
    [
        ("raises", None, "ValueError: the dog ate it"),
        ("permanent", "NO_ORDER", "no such order"),
        ("objects", "INVALID_RESULT", "type object is unsupported"),
        ("not_a_number", "INVALID_RESULT", "result.deep[0].nan is nan"),
        ("recursive", "INVALID_RESULT", "recursion"),
        ("huge", "INVALID_RESULT", "above the limit of 67108864"),
        ("binary", "INVALID_RESULT", "bytes"),
        ("surrogate", "INVALID_RESULT", "surrogates not allowed"),
        ("exits", None, "SystemExit: 3"),
    ],
)
def test_a_bad_handler_fails_its_own_step_with_the_reason(
    tasks: dict[str, Task], name: str, code: str | None, fragment: str
) -> None:
    task = tasks[name]
    assert task.state == "error"
    assert task.errors.keys() == {name}
    error = task.errors[name]
    assert error.get("error_code") == code
    assert fragment in error["message"]
    assert task.results == {"beside": {"n": None}}


def test_a_handler_that_is_gone_is_a_permanent_error(tasks: dict[str, Task]) -> None:
    error = tasks["gone"].errors["gone"]
    assert error["message"] == "No handler found for handlers.acts.Lost"
    assert error["error_type"] == "permanent_error"
    assert not error.get("retryable")
    assert "has no Lost" in error["metadata"]["cause"]


def test_a_coroutine_is_run_to_its_end(tasks: dict[str, Task]) -> None:
    assert tasks["coroutine"].results == {"coroutine": {"result": 3}}


def test_a_text_that_the_database_could_not_index_is_a_result_all_the_same(
    tasks: dict[str, Task],
) -> None:
    assert tasks["zero"].results == {"zero": {"text": "a\x00b"}}


def test_retryable_errors_are_retried_with_backoff_and_succeed(folder: ProjectFolder) -> None:
    retry = {"max_attempts": 5, "backoff": "linear", "backoff_base_ms": 100}
    folder.template("flaky", step("flaky", retry=retry))
    folder.template("limited", step("limited", retry={"max_attempts": 2, "backoff": "none"}))
    folder.template("hopeless", step("raises", retry={"max_attempts": 3, "backoff": "none"}))
    with folder.running() as running:
        (flaky,), (limited,) = running.submit("flaky"), running.submit("limited")
        (hopeless,) = running.submit("hopeless")
        assert running.wait([flaky])[0].results == {"flaky": {"attempts": 3}}
        assert running.wait([limited])[0].results == {"limited": {"ok": True}}
        assert running.wait([hopeless])[0].errors["raises"]["attempt"] == 3
        gaps = _gaps(running.client.transitions(flaky))
        assert len(gaps) == 2
        assert 0.085 <= gaps[0] < 0.3
        assert 0.170 <= gaps[1] < 0.4
        assert 0.4 <= _gaps(running.client.transitions(limited))[0] < 0.7


def _gaps(transitions: list[object]) -> list[float]:
    """Seconds from each failed attempt to the next one's enqueueing."""
    waits = [t.at for t in transitions if t.to_state == "waiting_for_retry"]  # type: ignore[attr-defined]
    again = [t.at for t in transitions if t.from_state == "waiting_for_retry"]  # type: ignore[attr-defined]
    return [(b - a).total_seconds() for a, b in zip(waits, again, strict=True)]


def test_what_handlers_print_and_leave_behind_disturbs_nothing(
    folder: ProjectFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    folder.template("prints", step("prints"), step("leaves_child"))
    with folder.running(logging__level="info") as running:
        (task,) = running.run("prints", lines=3)
        assert task.state == "complete"
        assert running.status()["running"]
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.count(" ready and printed {'json': 1} ") == 3
    assert "raw bytes" in printed.err
