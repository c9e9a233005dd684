"""A supervisor deletes what is older than the configuration wants it kept, and nothing else."""

from uuid import UUID

import psycopg
from engine_project import ProjectFolder, eventually, step


def _present(dsn: str) -> set[UUID]:
    with psycopg.connect(dsn) as connection:
        return {row[0] for row in connection.execute("select task_uuid from tasker.tasks")}


def _age(dsn: str, task: UUID, days: int) -> None:
    """As if it had been submitted that long ago; its UUID tells, so that changes."""
    aged = UUID(int=task.int - (days * 86_400_000 << 80))
    with psycopg.connect(dsn) as connection:
        for table in ("tasks", "steps"):
            connection.execute(
                f"update tasker.{table} set task_uuid = %s where task_uuid = %s", [aged, task]
            )
        connection.execute(
            "update tasker.tasks set completed_at = completed_at - make_interval(days => %s)"
            " where task_uuid = %s",
            [days, aged],
        )


def test_old_tasks_go_by_themselves_where_they_are_not_kept_for_ever(
    folder: ProjectFolder, database: str
) -> None:
    folder.template("one", step("only", method="call"))
    with folder.running() as running:
        old, young = running.submit("one", 2)
        running.wait([old, young])
    _age(database, old, 20)
    with folder.running(**{"retention.finished_after_days": 0}) as running:
        running.run("one")
        assert len(_present(database)) == 3
    with folder.running(**{"retention.finished_after_days": 10}) as running:
        eventually(lambda: len(_present(database)) == 2, what="the old task gone")
        running.run("one")
    assert young in _present(database)
