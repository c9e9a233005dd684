"""Clients that live long: their connections break, and they go on; what is in doubt is said."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import psutil
import pytest
from dags import CONFIG, NAMESPACE, ONE, asynchronous, client, rows, submission, template
from engine_project import eventually
from forgetful_proxy import forgetful_proxy

from tasker_mp.client import AsyncClient, Client
from tasker_mp.client.errors import AnswerLostError
from tasker_mp.db.connect import connect
from tasker_mp.db.embedded import EmbeddedServer
from tasker_mp.db.migrate import migrate
from tasker_mp.errors import UnreachableError

_OTHERS: LiteralString = """
select pid from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
"""


def cut(database: str) -> None:
    """Ends every other session of the database, and waits until their processes are gone: a session
    leaves pg_stat_activity a moment before its client can see that."""
    with connect(database) as connection:
        ended = connection.execute(f"select pid, pg_terminate_backend(pid) from ({_OTHERS}) o")
        pids = [pid for pid, _ in ended]
        assert pids
        eventually(lambda: not any(map(psutil.pid_exists, pids)), 30)


def submitted(database: str) -> int:
    return len(rows(database, "select from tasker.tasks"))


Call = Callable[[Client, UUID], Any]
CALLS: dict[str, Call] = {
    "read": lambda c, t: c.get_task(t),
    "list": lambda c, t: c.list_tasks(),
    "submit": lambda c, t: c.submit(NAMESPACE, "flow", {}),
    "submit with a key": lambda c, t: c.submit(NAMESPACE, "flow", {}, idempotency_key="k"),
    "repair": lambda c, t: c.cancel_task(t),
    "register": lambda c, t: c.register(template(ONE)),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_an_idle_client_that_was_cut_off_goes_on_as_if_nothing_was(
    database: str, call: Call
) -> None:
    with client(database) as ours:
        ours.register(template(ONE))
        task = ours.submit(NAMESPACE, "flow", {}).uuid
        for _ in range(2):
            cut(database)
            call(ours, task)
            if call is CALLS["repair"]:
                task = ours.submit(NAMESPACE, "flow", {}).uuid


@asynchronous
async def test_an_idle_async_client_goes_on_too(database: str) -> None:
    async with AsyncClient(database, config=CONFIG) as ours:
        await ours.register(template(ONE))
        task = (await ours.submit(NAMESPACE, "flow", {})).uuid
        await asyncio.to_thread(cut, database)
        found = await asyncio.gather(*(ours.get_task(task) for _ in range(5)))
        assert {each.uuid for each in found} == {task}
        await asyncio.to_thread(cut, database)
        await ours.cancel_task(task)
        await asyncio.to_thread(cut, database)
        assert (await ours.wait(task, 30)).state == "cancelled"


def test_a_lost_answer_to_a_submit_is_said_and_the_next_call_works(
    database: str, tmp_path: Path
) -> None:
    with forgetful_proxy(database, tmp_path) as proxy, client(proxy.dsn) as ours:
        ours.register(template(ONE))
        ours.submit_many([submission()])
        proxy.lose(b"task_uuid")
        with pytest.raises(AnswerLostError, match="may or may not have been accepted"):
            ours.submit_many([submission()])
        assert proxy.lost == 1
        assert submitted(database) == 2  # it was; the client cannot know
        assert len(ours.list_tasks()) == 2


def test_a_lost_answer_to_a_submit_under_a_key_is_asked_for_again(
    database: str, tmp_path: Path
) -> None:
    with forgetful_proxy(database, tmp_path) as proxy, client(proxy.dsn) as ours:
        ours.register(template(ONE))
        ours.submit_many([submission(idempotency_key="before")])
        proxy.lose(b"task_uuid")
        [task] = ours.submit_many([submission(idempotency_key="k")])
        assert proxy.lost == 1
        assert submitted(database) == 2
        assert ours.get_task(task).uuid == task


@asynchronous
async def test_a_lost_answer_is_said_to_asyncio_too(database: str, tmp_path: Path) -> None:
    with forgetful_proxy(database, tmp_path) as proxy:
        async with AsyncClient(proxy.dsn, config=CONFIG) as ours:
            await ours.register(template(ONE))
            [task] = await ours.submit_many([submission()])
            proxy.lose(b"to_state")
            with pytest.raises(AnswerLostError):
                await ours.cancel_task(task)
            assert (await ours.get_task(task)).state == "cancelled"


def test_a_client_outlives_a_restart_of_the_server(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    dsn = server.start_and_stay()
    try:
        migrate(dsn)
        with client(dsn) as ours:
            ours.register(template(ONE))
            task = ours.submit(NAMESPACE, "flow", {}).uuid
            server.stop()
            with pytest.raises(UnreachableError):
                ours.get_task(task)
            assert server.start_and_stay() == dsn
            assert ours.get_task(task).uuid == task
            assert ours.submit(NAMESPACE, "flow", {}).state == "pending"
    finally:
        server.stop()
