"""Handlers and whole workflows run in the test's own process: no database, no workers, no waiting.

What decides about a step is the engine's own code: its events are encoded and decoded, settled,
retried and grown as in a supervisor. `docs/testing.md` says what cannot be had this way.

>>> from tasker_mp.testing import run_handler
>>> def double(context):
...     return {"doubled": 2 * context.get_input("n")}
>>> run_handler(double, {"n": 3**50}).result
{'doubled': 1435795975383705177540498}
"""

from tasker_mp.testing.handler_run import HandlerOutcome, run_handler
from tasker_mp.testing.handlers import Handler
from tasker_mp.testing.task import InlineStep, InlineTask, PublishedEvent
from tasker_mp.testing.workflow import run_workflow

__all__ = [
    "Handler",
    "HandlerOutcome",
    "InlineStep",
    "InlineTask",
    "PublishedEvent",
    "run_handler",
    "run_workflow",
]
