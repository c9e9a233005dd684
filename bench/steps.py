"""The steps that are measured: `project.py` copies this module into the project as a handler's."""

import asyncio
import time

from tasker_mp import StepContext, StepHandler


def spin(turns: int) -> int:
    """Keeps one core busy; some 20,000 turns a millisecond."""
    value = 1
    for _ in range(turns):
        value = (value * 1_103_515_245 + 12_345) & 0x7FFF_FFFF
    return value


class BenchSteps(StepHandler):
    """A method a kind of work."""

    def noop(self, _context: StepContext) -> None:
        """Nothing."""

    def cpu(self, context: StepContext) -> int:
        """The context's `turns`."""
        return spin(context.get_input("turns"))

    def io(self, context: StepContext) -> None:
        """Wait the context's `seconds`, as for an answer."""
        time.sleep(context.get_input("seconds"))

    async def async_io(self, context: StepContext) -> None:
        """The same in a coroutine: others run in the worker meanwhile."""
        await asyncio.sleep(context.get_input("seconds"))

    def stamp(self, context: StepContext) -> int:
        """When this was entered, in nanoseconds since the epoch; it takes `seconds`."""
        entered = time.time_ns()
        time.sleep(context.get_input("seconds"))
        return entered
