"""Contexts of megabytes: no answer of the database is unbounded, none ends a supervisor."""

import psycopg
import pytest
from engine_project import ProjectFolder, eventually, step

from tasker_mp.claimed_step import ClaimedStep
from tasker_mp.control import Command, ask
from tasker_mp.engine.portion import Portion
from tasker_mp.engine.runtime import RuntimeDirectory

_MEGABYTE = 1 << 20
_LIMIT = 60.0
_CLAIMS = "select max(cardinality(step_nos)) from tasker.all_claims"
_REFUSING = """
    create function tasker.hydrate(p_tasks uuid[], p_nos integer[], p_claim bigint)
    returns setof tasker.claimed_step language plpgsql stable as $$
    begin
        if exists (select from tasker.tasks t where t.task_uuid = any (p_tasks)
                   and t.context ->> 'n' = 'too large') then
            raise program_limit_exceeded using message = 'string too long';
        end if;
        return query select * from tasker.hydrate_good(p_tasks, p_nos, p_claim);
    end $$"""


def _steps(count: int, size: int) -> list[ClaimedStep]:
    context = bytes(size)
    return [ClaimedStep(b"", 1, b"", 1, "a", 1, 0, 1, None, context, b"") for _ in range(count)]


# -- how many to ask for --------------------------------------------------------------------------


def test_small_steps_are_soon_asked_for_as_many_as_there_is_room_for() -> None:
    portion, asked = Portion(), []
    for _ in range(6):
        asked.append(portion.of(2000))
        portion.note(_steps(asked[-1], 300))
    assert asked == [256, 512, 1024, 2000, 2000, 2000]


def test_large_steps_are_asked_for_by_64_megabytes() -> None:
    portion = Portion()
    portion.note(_steps(4, _MEGABYTE))
    assert portion.of(2000) == 64
    assert portion.of(10) == 10
    assert portion.of(0) == 0


def test_what_was_refused_is_asked_for_by_quarters_down_to_one() -> None:
    portion, asked = Portion(), [100]
    while asked[-1] > 1:
        portion.refused(asked[-1])
        asked.append(portion.of(2000))
    assert asked == [100, 25, 6, 1]


# -- a running supervisor -------------------------------------------------------------------------


@pytest.mark.long
def test_many_contexts_of_a_megabyte_come_in_claims_of_64(folder: ProjectFolder) -> None:
    folder.template("echo")
    with psycopg.connect(folder.dsn, autocommit=True) as admin:
        _record_claims(admin)
        with folder.running() as running:
            running.run("echo", blob="x" * _MEGABYTE)  # so that it has seen one
            control = RuntimeDirectory(folder.root).control_socket
            ask(control, Command("pause"))  # or it would take them as they come
            uuids = []
            for _ in range(15):
                uuids += running.submit("echo", 10, blob="x" * _MEGABYTE)
            ask(control, Command("resume"))
            tasks = running.wait(uuids, _LIMIT)
        assert {task.state for task in tasks} == {"complete"}
        assert {task.results["echo"]["size"] for task in tasks} == {_MEGABYTE}
        [[largest]] = admin.execute(_CLAIMS).fetchall()
    assert 32 < largest <= 64


def test_a_step_whose_input_is_refused_fails_alone(folder: ProjectFolder) -> None:
    """Whether it is claimed or continued; its neighbours in the queue do not notice."""
    folder.template("call")
    folder.template("chain", step("call"), step("after", "call", method="call"))
    with psycopg.connect(folder.dsn, autocommit=True) as admin:
        admin.execute(
            "alter function tasker.hydrate(uuid[], integer[], bigint) rename to hydrate_good"
        )
        admin.execute(_REFUSING.replace("= 'too large'", "= 'none'"))
        with folder.running() as running:
            [first] = running.submit("chain", n="good")
            assert running.wait([first])[0].state == "complete"
            admin.execute(_REFUSING.replace("create function", "create or replace function"))
            good = running.submit("call", 20, n=1)
            [bad] = running.submit("call", n="too large")
            good += running.submit("call", 20, n=1)
            assert {task.state for task in running.wait(good, _LIMIT)} == {"complete"}
            [task] = running.wait([bad], _LIMIT)
            assert task.state == "error"
            error = task.steps[0].error
            assert error["message"].startswith("the database cannot give the step's input: string")
            assert error["error_code"] == "54000"
            eventually(lambda: running.status()["in_flight"] == 0)
        assert admin.execute("select count(*) from tasker.claims").fetchone() == (0,)


def test_a_result_is_not_blamed_for_its_childs_input(folder: ProjectFolder) -> None:
    """Which the database gives where there is more than that result and what came before it."""
    steps = (
        step("beside", method="call"),
        step("hold"),
        step("after", "beside", "hold", method="call"),
    )
    folder.template("join", *steps)
    with (
        folder.running() as running,
        psycopg.connect(folder.dsn, autocommit=True) as admin,
    ):
        [uuid] = running.submit("join", n="too large")
        folder.started("hold")
        admin.execute(
            "alter function tasker.hydrate(uuid[], integer[], bigint) rename to hydrate_good"
        )
        admin.execute(_REFUSING)
        folder.release()
        [task] = running.wait([uuid], _LIMIT)
        states = {step.name: step.state for step in task.steps}
        assert states == {"beside": "complete", "hold": "complete", "after": "error"}


def _record_claims(admin: psycopg.Connection) -> None:
    """Keep every claim that there was: the engine deletes them."""
    admin.execute("create table tasker.all_claims (step_nos integer[])")
    admin.execute(
        """create function tasker.keep() returns trigger language plpgsql as $$
           begin insert into tasker.all_claims values (new.step_nos); return null; end $$"""
    )
    admin.execute(
        """create trigger keep after insert on tasker.claims
           for each row execute function tasker.keep()"""
    )
