"""How a worker learns whether a plain step may keep coroutines waiting."""

import pytest

from tasker_mp import StepHandler
from tasker_mp.messages import StepSpec
from tasker_mp.template.model import HandlerDefinition, StepDefinition
from tasker_mp.worker.job import Job

_SPEC = StepSpec("space", "flow", "1.0.0", StepDefinition("a", HandlerDefinition("handlers.A")))


class _Handler(StepHandler):
    def call(self, context: object) -> None: ...


@pytest.mark.parametrize(
    ("milliseconds", "brief"),
    [
        ([], False),
        ([1], True),
        ([60], False),
        ([60, 1, 1, 1], True),
        ([1] * 19 + [60], False),
        ([1] * 20 + [60], True),
        ([1] * 20 + [60] + [1] * 5 + [60], False),
    ],
)
def test_brief_is_what_was_quick_of_late_or_slow_once_among_many(
    milliseconds: list[int], brief: bool
) -> None:
    job = Job(_SPEC, _Handler())
    for each in milliseconds:
        job.note(each * 1_000_000)
    assert job.brief is brief
