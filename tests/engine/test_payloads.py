"""Payloads of unusual shape and size, through the real rings and the real database."""

import pytest
from engine_project import ProjectFolder, step

from tasker_mp.errors import ContextError

_MIB = 1 << 20


def test_a_value_nested_too_deeply_fails_its_own_step(folder: ProjectFolder) -> None:
    folder.template("nested", step("nested"), step("after", "nested", method="call"))
    with folder.running() as running:
        before = running.workers()
        depths = (10, 250, 254, 256, 300, 980, 986, 992, 5000)
        tasks = running.wait([running.submit("nested", depth=depth)[0] for depth in depths])
        assert [task.state for task in tasks] == ["complete"] * 3 + ["error"] * 6
        assert "nested 257 levels deep, above 256" in tasks[3].errors["nested"]["message"]
        assert running.workers() == before
        with pytest.raises(ContextError, match="nested"):
            running.submit("nested", blob=_nested(300))


def _nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("transport", ["ring", "pipe"])
def test_payloads_above_a_quarter_of_the_ring_travel_both_ways(
    folder: ProjectFolder, transport: str
) -> None:
    folder.template("again", step("echo"), step("call", "echo"))
    folder.template("beside", step("call"))
    sizes = [100, 15_000, 16_384, 17_000, 60_000, 65_536, 70_000, 300_000, 2 * _MIB]
    blobs = [chr(97 + n) * size for n, size in enumerate(sizes)]
    with folder.running(ring__transport=transport, ring__capacity_bytes=65_536) as running:
        uuids = [running.submit("again", blob=blob)[0] for blob in blobs]
        beside = running.submit("beside", 20)
        for task, blob in zip(running.wait(uuids), blobs, strict=True):
            assert task.state == "complete", task.errors
            assert task.results["echo"] == {"size": len(blob), "blob": blob}
        assert {task.state for task in running.wait(beside)} == {"complete"}


def test_inputs_above_the_limit_fail_the_step_that_joins_them_and_no_other(
    folder: ProjectFolder,
) -> None:
    names = ["a", "b", "c"]
    parents = [step(name, method="large") for name in names]
    folder.template("wide", *parents, step("join", *names, method="fan_in"))
    with folder.running(ring__max_payload_bytes=_MIB) as running:
        (fits,) = running.run("wide", size=_MIB // 4)
        (large,) = running.run("wide", size=_MIB // 2)
        assert fits.results["join"] == {"sizes": [_MIB // 4] * 3}
        assert large.state == "error"
        assert sorted(large.results) == names
        error = large.errors["join"]
        assert error["error_type"] == "permanent_error"
        assert "above [ring] max_payload_bytes = 1048576" in error["message"]
