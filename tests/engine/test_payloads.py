"""Payloads of unusual shape and size, through the real rings and the real database."""

import pytest
from engine_project import ProjectFolder, step


def test_values_nested_too_deeply_fail_their_own_step(folder: ProjectFolder) -> None:
    folder.template("nested", step("nested"), step("after", "nested", method="call"))
    folder.template("short")
    with folder.running() as running:
        before = running.workers()
        uuids = [running.submit("nested", depth=depth)[0] for depth in range(900, 1001, 4)]
        tasks = running.wait(uuids)
        states = [task.state for task in tasks]
        print([(u, t.state, t.errors) for u, t in zip(range(900, 1001, 4), tasks)])
        assert running.workers() == before
