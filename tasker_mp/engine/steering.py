"""What operators and listeners are told of the supervisor, and what they may have it do."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tasker_mp.control import Command
from tasker_mp.logs import set_level
from tasker_mp.status_document import status_document

if TYPE_CHECKING:
    from tasker_mp.engine.supervisor import Supervisor

_CENSUS_LIMIT = 1.0
"""Seconds that a status waits for a database in trouble."""


class Steering:
    """Answers the control socket, a command at a time; nothing here waits for a worker's work."""

    def __init__(self, supervisor: "Supervisor") -> None:
        self._supervisor = supervisor

    async def obey(self, command: Command) -> dict[str, Any]:
        """The answer; `{"error": …}` where it is no command for now."""
        engine = self._supervisor
        match command.command:
            case "status":
                return await self._status()
            case "kill_worker" if command.worker is not None:
                engine.fleet.in_hand.kill_worker(command.worker)
            case "worker_stack" if command.worker is not None:
                return {"stack": await engine.fleet.in_hand.stack_of(command.worker)}
            case "log_level" if command.level is not None:
                set_level(command.level)
                engine.fleet.in_hand.tell_log_level()
            case "kill_worker" | "worker_stack":
                return {"error": f"{command.command} takes a worker's index, as worker"}
            case "log_level":
                return {"error": "log_level takes a level, as level"}
            case "pause" if engine.state in ("running", "paused"):
                engine.pause()
                await engine.pipeline.close()
            case "resume" if engine.state in ("running", "paused"):
                engine.resume()
            case "stop" | "drain":
                engine.stop()
            case "kill":
                engine.stop()
                engine.stop()
            case other:
                state = engine.state
                return {"error": f"command {other!r} is unknown, or impossible while {state}"}
        return {"ok": True, "pid": engine.pid, "state": engine.state}

    async def _status(self) -> dict[str, Any]:
        """Fresh, with the queues as the database has them now; without them while it is away."""
        if self._supervisor.database_answers:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CENSUS_LIMIT):
                    await self._supervisor.census.ask()
        return status_document(self._supervisor.clock.observation())

    def metrics(self) -> dict[str, Any]:
        """What listeners of `poller.metrics` get."""
        seen = status_document(self._supervisor.clock.observation())
        keys = ("in_flight", "pending_count", "oldest_pending_age_ms", "starvation_detected")
        metrics: dict[str, Any] = {key: seen[key] for key in keys} | seen["stats"]
        return metrics

    def trouble(self) -> str | None:
        """What listeners of `poller.error` get, where there is any."""
        trouble = self._supervisor.pipeline.claim_trouble
        return None if trouble is None else trouble.error
