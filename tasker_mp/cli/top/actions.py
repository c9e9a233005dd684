"""Has done what the operator asked, by the control socket or in the database, without waiting."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, assert_never

from tasker_mp.cli.output import single_line
from tasker_mp.cli.top.choice import Page
from tasker_mp.cli.top.intent import (
    CancelTask,
    Intent,
    KillWorker,
    Quit,
    RetryStep,
    ShowStack,
    Steer,
)
from tasker_mp.control import Command, ask
from tasker_mp.errors import EngineError

if TYPE_CHECKING:
    from tasker_mp.client.client import Client

OpenClient = Callable[[], "Client"]

_SAID = {
    "pause": "paused: nothing new is claimed; p again resumes",
    "resume": "running",
    "drain": "the supervisor drains, then stops",
}


@dataclass(frozen=True)
class Outcome:
    """What came of it, in a line, and a page where there is more to see."""

    text: str
    bad: bool = False
    page: Page | None = None


class Actions:
    """One at a time, on a thread: the supervisor or the database may take its time to answer."""

    def __init__(self, control_socket: Path, open_client: OpenClient) -> None:
        self._control_socket = control_socket
        self._open_client = open_client
        self._outcomes: SimpleQueue[Outcome] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self, intent: Intent, wake: Callable[[], None]) -> str:
        """What to say meanwhile; `wake` is called when the outcome is there."""
        if self._thread is not None and self._thread.is_alive():
            return "not yet: the last command is not answered"

        def run() -> None:
            self._outcomes.put(self._outcome(intent))
            wake()

        self._thread = threading.Thread(target=run, daemon=True, name="top action")
        self._thread.start()
        return f"{_doing(intent)} …"

    def outcome(self) -> Outcome | None:
        """What has come of an action since the last call."""
        try:
            return self._outcomes.get_nowait()
        except Empty:
            return None

    def _outcome(self, intent: Intent) -> Outcome:
        """Whatever goes wrong is told, and the view goes on."""
        try:
            return self._do(intent)
        except EngineError as error:
            return Outcome(single_line(str(error)), bad=True)
        except Exception as error:
            return Outcome(single_line(f"{type(error).__name__}: {error}"), bad=True)

    def _do(self, intent: Intent) -> Outcome:
        match intent:
            case Steer(command):
                self._ask(Command(command))
                return Outcome(_SAID[command])
            case KillWorker(index):
                self._ask(Command("kill_worker", worker=index))
                return Outcome(f"worker {index} killed")
            case ShowStack(index):
                stack = str(self._ask(Command("worker_stack", worker=index))["stack"])
                return Outcome("", page=Page(f"stack of worker {index}", tuple(stack.splitlines())))
            case RetryStep(step, name):
                with self._open_client() as client:
                    client.retry_step(step, reason="tasker-mp top")
                return Outcome(f"{name} runs again")
            case CancelTask(task):
                with self._open_client() as client:
                    client.cancel_task(task, reason="tasker-mp top")
                return Outcome(f"task {task} cancelled")
            case Quit():
                return Outcome("")
        assert_never(intent)

    def _ask(self, command: Command) -> dict[str, Any]:
        answer = ask(self._control_socket, command)
        if "error" in answer:
            raise EngineError(f"the supervisor refuses: {answer['error']}")
        return answer


def _doing(intent: Intent) -> str:
    match intent:
        case Steer(command):
            return command
        case KillWorker(index):
            return f"killing worker {index}"
        case ShowStack(index):
            return f"asking worker {index} for its stack"
        case RetryStep(_, name):
            return f"retrying {name}"
        case CancelTask(task):
            return f"cancelling task {task}"
        case Quit():
            return ""
    assert_never(intent)
