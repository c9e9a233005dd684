"""`task` and `step`: repair by hand through the real command, with nobody serving."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from conftest import Project
from dags import done, failed, finish, opened

from tasker_mp.claimed_step import ClaimedStep
from tasker_mp.db.store import Store
from tasker_mp.inflight import Settled

LINEAR = "linear_workflow/mathematical_sequence"
DIAMOND = "diamond_workflow/diamond_pattern"
UNKNOWN = "01890000-0000-7000-8000-000000000000"
WHO = ("--by", "ann", "--reason", "the shop was closed")


def submitted(called: Project, template: str = LINEAR) -> Any:
    """The task's document, as it is before anything ran."""
    done = called.run("submit", template, "--context", '{"even_number": 6}', "--json").succeeded()
    return shown(called, done.document["uuid"])


def shown(called: Project, uuid: str) -> Any:
    return called.run("task", "show", uuid, "--json").succeeded().document


def step_named(task: Any, name: str) -> Any:
    return next(step for step in task["steps"] if step["name"] == name)


def settle(called: Project, *fates: Callable[[ClaimedStep], Settled]) -> None:
    """As a supervisor: claims one step after another and ends each as said."""

    async def run() -> None:
        assert called.dsn is not None
        async with opened(called.dsn) as [store]:
            for fate in fates:
                [step] = await _claimed(store)
                await finish(store, fate(step))

    asyncio.run(run())


async def _claimed(store: Store) -> list[ClaimedStep]:
    queues = [f"worker_{name}_workflow_queue" for name in ("linear", "diamond")]
    known = [q for q in queues if await _exists(store, q)]
    return await store.claim_steps(known, 1)


async def _exists(store: Store, queue: str) -> bool:
    cursor = await store.connection.execute("select from pgmq.meta where queue_name = %s", [queue])
    return await cursor.fetchone() is not None


def test_a_task_is_cancelled_once_with_who_and_why(called: Project) -> None:
    task = submitted(called)
    made = called.run("task", "cancel", task["uuid"], *WHO, "--json").succeeded().document
    assert made["task_uuid"] == task["uuid"]
    assert [c["to_state"] for c in made["changes"]] == ["cancelled"] * 5
    assert [c["uuid"] for c in made["changes"]] == [
        *(step["uuid"] for step in task["steps"]),
        task["uuid"],
    ]

    after = shown(called, task["uuid"])
    assert after["state"] == "cancelled"
    by_hand = [c for c in after["transitions"] if c["to_state"] == "cancelled"]
    assert len(by_hand) == 5
    assert {(c["actor"], c["reason"]) for c in by_hand} == {("ann", "the shop was closed")}
    people = called.run("task", "show", task["uuid"]).succeeded().out
    assert people.count("the shop was closed") == 5

    again = called.run("task", "cancel", task["uuid"], "--json")
    again.failed(1, task["uuid"], "is cancelled already")
    assert "cancelled already" in again.document["error"]
    called.run("task", "retry", task["uuid"]).failed(1, task["uuid"], "cancelled")


def test_a_failed_task_is_retried_and_shown_why_it_stands(called: Project) -> None:
    task = submitted(called)
    settle(called, failed)
    why = called.run("task", "explain", task["uuid"], "--json").succeeded().document
    assert [step["reason"] for step in why["steps"]] == [
        "permanent_error",
        *["blocked_by_failure"] * 3,
    ]
    assert why["steps"][3]["blocked_by"] == ["linear_step_1"]
    people = called.run("task", "explain", task["uuid"]).succeeded().out
    assert people.count("blocked behind linear_step_1") == 3

    out = called.run("task", "retry", task["uuid"], *WHO).succeeded().out
    assert [line.split() for line in out.splitlines()[2:]] == [
        ["linear_step_1", "error", "enqueued"],
        ["(task)", "error", "in_progress"],
    ]
    why = called.run("task", "explain", task["uuid"], "--json").succeeded().document
    assert why["steps"][0]["reason"] == "not_served"
    assert why["served_by"] == []
    again = called.run("task", "retry", task["uuid"])
    again.failed(1, task["uuid"], "in_progress")


def test_a_task_is_resolved_with_a_reason(called: Project) -> None:
    task = submitted(called)
    called.run("task", "resolve", task["uuid"]).failed(2, "--reason")
    called.run("task", "resolve", task["uuid"], "--reason", " ").failed(2, "reason")
    called.run("task", "resolve", task["uuid"], *WHO).succeeded()
    assert shown(called, task["uuid"])["state"] == "resolved_manually"
    called.run("task", "wait", task["uuid"]).succeeded()
    called.run("task", "cancel", task["uuid"]).failed(1, "resolved_manually")
    assert called.run("task", "explain", task["uuid"]).succeeded().out.count("by ann") == 4


def test_a_step_is_completed_by_hand_and_the_next_one_is_given_its_result(
    called: Project,
) -> None:
    task = submitted(called)
    settle(called, failed)
    uuid = step_named(task, "linear_step_1")["uuid"]
    complete = ("step", "complete", uuid, *WHO, "--result")
    called.run(*complete, "{broken").failed(2, "{broken", "JSON")
    called.run(*complete, "NaN").failed(2, "NaN")
    made = called.run(*complete, str(6**64), "--json").succeeded().document
    assert [(c["step"], c["to_state"]) for c in made["changes"]] == [
        ("linear_step_1", "resolved_manually"),
        ("linear_step_2", "enqueued"),
        ("", "in_progress"),
    ]
    step = called.run("step", "show", uuid, "--json").succeeded().document
    assert (step["state"], step["result"]) == ("resolved_manually", {"result": 6**64})
    assert step["task_uuid"] == task["uuid"]
    assert [c["to_state"] for c in step["transitions"]] == [
        "enqueued",
        "in_progress",
        "error",
        "resolved_manually",
    ]
    people = called.run("step", "show", uuid).succeeded().out
    assert "the shop was closed" in people
    assert str(6**64) in people

    given: list[bytes] = []

    def look(claimed: ClaimedStep) -> Settled:
        given.append(claimed.dependencies)
        return done(claimed)

    settle(called, look)
    assert str(6**64).encode() in given[0]
    called.run(*complete, "1").failed(1, "linear_step_1", "already")


def test_a_running_supervisor_goes_on_with_what_was_completed_by_hand(called: Project) -> None:
    with called.supervisor():
        submit = ("submit", LINEAR, "--context", '{"even_number": 7}', "--wait", "--json")
        task = called.run(*submit).document
        assert task["state"] == "error"
        uuid = step_named(task, "linear_step_1")["uuid"]
        called.run("step", "complete", uuid, "--result", '{"result": 49}', *WHO).succeeded()
        ended = called.run("task", "wait", task["uuid"], "--timeout", "30", "--json").document
        assert ended["results"]["linear_step_2"]["result"] == 49**2
        assert ended["results"]["linear_step_3"]["result"] == 49**4


def test_steps_are_retried_and_resolved_until_their_task_completes(called: Project) -> None:
    task = submitted(called, DIAMOND)
    settle(called, done, failed, failed)
    states = {step["name"]: step for step in shown(called, task["uuid"])["steps"]}
    b, c = states["diamond_branch_b"]["uuid"], states["diamond_branch_c"]["uuid"]
    called.run("step", "retry", b, *WHO).succeeded()
    called.run("step", "retry", b).failed(1, "diamond_branch_b", "enqueued")
    called.run("step", "resolve", c, *WHO).succeeded()
    settle(called, done, done)
    assert shown(called, task["uuid"])["state"] == "complete"
    called.run("step", "resolve", b, *WHO).failed(1, "diamond_branch_b", "complete")
    called.run("task", "explain", task["uuid"]).succeeded()


@pytest.mark.parametrize(
    "command",
    [
        ("task", "cancel"),
        ("task", "retry"),
        ("task", "resolve", "--reason", "r"),
        ("task", "explain"),
        ("step", "show"),
        ("step", "retry"),
        ("step", "resolve", "--reason", "r"),
        ("step", "complete", "--result", "1", "--reason", "r"),
    ],
    ids=" ".join,
)
def test_an_unknown_uuid_is_exit_4_and_a_malformed_one_exit_2(
    called: Project, command: tuple[str, ...]
) -> None:
    unknown = UNKNOWN if command[0] == "task" else str(UUID(int=UUID(UNKNOWN).int + 1))
    called.run(*command, unknown).failed(4, UNKNOWN if command[0] == "task" else "no ")
    called.run(*command, "12345").failed(2, "12345")


def test_quarantined_tasks_are_listed(called: Project) -> None:
    one, two = submitted(called), submitted(called)

    def quarantined(step: ClaimedStep) -> Settled:
        settled = failed(step)
        settled.payload = b'{"message":"it died","error_code":"QUARANTINED"}'
        return settled

    settle(called, quarantined, failed)
    found = called.run("task", "list", "--quarantined", "--json").succeeded().document
    assert [task["uuid"] for task in found["tasks"]] == [one["uuid"]]
    failures = called.run("task", "list", "--state", "error", "--json").succeeded().document
    assert {task["uuid"] for task in failures["tasks"]} == {one["uuid"], two["uuid"]}


def test_a_step_is_named_by_its_task_and_name_and_a_wrong_one_gets_the_nearest(
    called: Project,
) -> None:
    task = submitted(called)
    called.run("step", "retry", f"{task['uuid']}/linear_step1").failed(4, "'linear_step_1'")
    done = called.run("step", "resolve", f"{task['uuid']}/linear_step_1", *WHO, "--json")
    assert done.succeeded().document["changes"][0]["step"] == "linear_step_1"
    of_a_step = step_named(task, "linear_step_1")["uuid"]
    called.run("task", "cancel", of_a_step).failed(4, "a step's", task["uuid"])
    own = [c for c in shown(called, task["uuid"])["transitions"] if not c["step"]]
    assert [(c["from_state"], c["to_state"], c["actor"]) for c in own] == [
        ("pending", "in_progress", "ann")
    ]


def test_stale_tasks_and_dead_letters_are_listed_with_the_reason(called: Project) -> None:
    called.copy_examples()
    file = next((called.root / "config" / "tasks").glob("linear*/*.yaml"))
    file.write_text(f"{file.read_text()}\nlifecycle:\n  max_duration_minutes: 0.0001\n")
    stale = submitted(called)
    broken = submitted(called, DIAMOND)
    asyncio.run(_fail_diamond(called))
    listed = called.run("task", "list", "--stale", "--json").succeeded().document["tasks"]
    assert [task["uuid"] for task in listed] == [stale["uuid"]]
    [limit] = listed[0]["stale"]
    assert (limit["limit"], limit["action"]) == ("max_duration_minutes", "dlq")
    assert limit["exceeded_by_seconds"] > 0
    letters = called.run("task", "list", "--dead-letter", "--json").succeeded().document["tasks"]
    assert {task["uuid"] for task in letters} == {stale["uuid"], broken["uuid"]}
    people = called.run("task", "list", "--dead-letter").succeeded().out
    assert "max_duration_minutes = 0.0001 exceeded by" in people
    assert "diamond_start: no" in people
    called.run("task", "list", "--stale", "--quarantined").failed(2, "--dead-letter")


async def _fail_diamond(called: Project) -> None:
    assert called.dsn is not None
    async with opened(called.dsn) as [store]:
        [step] = await store.claim_steps(["worker_diamond_workflow_queue"], 1)
        await finish(store, failed(step))
