"""What each key does to the operator's choice, and to the supervisor."""

from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

from tasker_mp.cli.output import single_line
from tasker_mp.cli.top.choice import VIEWS, Choice, Page, Question
from tasker_mp.cli.top.intent import (
    CancelTask,
    Intent,
    KillWorker,
    Quit,
    RetryStep,
    ShowStack,
    Steer,
)
from tasker_mp.cli.top.keyboard import ESCAPE
from tasker_mp.cli.top.scene import Scene, failure_key, failures, workers
from tasker_mp.observation import Observation, WorkerView
from tasker_mp.snapshot import Failure

HELP = """\
1 to 8    views: overview, pipeline, workers, namespaces,
          failures, quarantined, events, tables
↑ ↓       choose a row; in a page: scroll
/         filter rows; Enter keeps the filter, Esc clears it
p         pause: claim nothing new; again: resume
d         drain: finish what has begun, then stop (asks)
k         kill the chosen worker: another takes its place,
          and its step runs again (asks)
s         stack of the chosen worker
R         retry the chosen failed step
c         cancel the chosen failure's or worker's task (asks)
Esc       back
?         this help
q         quit: leave the view; Ctrl-C does, too

pipeline: claim (from the database), ring (waiting for a worker),
run (in the handler), collect (the result on its way back),
commit (until it is on record). Rates and times are those of
the last ten seconds."""

_T = TypeVar("_T")

_WORKER_VIEWS = ("overview", "workers")
_FAILURE_VIEWS = ("failures", "quarantined")
_MOVES = {"up": -1, "down": 1, "page up": -10, "page down": 10, "home": -10_000, "end": 10_000}


def press(scene: Scene, key: str, size: tuple[int, int]) -> Intent | None:
    """Changes the scene's choice, for a frame of that size; what is to be done, if anything."""
    choice = scene.choice
    choice.tell("")
    if choice.question is not None:
        return _answer(choice, choice.question, key)
    if choice.typing is not None:
        _type(choice, choice.typing, key)
        return None
    if choice.page is not None and key in (*_MOVES, ESCAPE, "q", "enter"):
        choice.page = choice.page.turned(_MOVES[key], *size) if key in _MOVES else None
        return None
    return _command(scene, key)


def _answer(choice: Choice, question: Question, key: str) -> Intent | None:
    choice.question = None
    if key in ("y", "Y"):
        return question.intent
    choice.tell("nothing done")
    return None


def _type(choice: Choice, text: str, key: str) -> None:
    if key == "enter":
        choice.filter, choice.typing = text, None
    elif key == ESCAPE:
        choice.filter, choice.typing = "", None
    elif key == "backspace":
        choice.typing = text[:-1]
    elif len(key) == 1:
        choice.typing = text + key


def _command(scene: Scene, key: str) -> Intent | None:
    choice = scene.choice
    if key.isdecimal() and len(key) == 1 and 1 <= int(key) <= len(VIEWS):
        choice.view, choice.page = VIEWS[int(key) - 1], None
    elif key == "q":
        return Quit()
    elif key == "?":
        choice.page = Page("keys", tuple(HELP.splitlines()))
    elif key == "/":
        choice.typing = choice.filter
    elif key == ESCAPE:
        choice.filter, choice.worker, choice.failure = "", None, None
    elif scene.seen is None or scene.gone_for is not None:
        if key in "pdksRc":
            choice.tell("no supervisor is running here", bad=True)
    elif key in _MOVES:
        _move(scene, scene.seen, _MOVES[key])
    elif key in _COMMANDS:
        return _COMMANDS[key](scene, scene.seen)
    return None


def _move(scene: Scene, seen: Observation, by: int) -> None:
    """The next row of the view's list; the first one where none is chosen yet."""
    choice = scene.choice
    if choice.view in _WORKER_VIEWS:
        indexes = [view.worker.index for view in workers(seen, choice)]
        choice.worker = _moved(indexes, choice.worker, by)
    elif choice.view in _FAILURE_VIEWS:
        only = choice.view == "quarantined"
        keys = [failure_key(failure) for failure in failures(seen, choice, only_quarantined=only)]
        choice.failure = _moved(keys, choice.failure, by)


def _moved(keys: Sequence[_T], chosen: _T | None, by: int) -> _T | None:
    if not keys:
        return None
    nowhere = -1 if by > 0 else len(keys)
    place = keys.index(chosen) if chosen in keys else nowhere
    return keys[min(max(place + by, 0), len(keys) - 1)]


# -- commands -------------------------------------------------------------------------------------


def _pause(_scene: Scene, seen: Observation) -> Intent | None:
    return Steer("resume" if seen.snapshot.state == "paused" else "pause")


def _drain(scene: Scene, seen: Observation) -> Intent | None:
    held = seen.snapshot.in_flight
    text = f"drain: finish {held:,} steps in flight, then stop the supervisor?"
    _ask(scene, text, Steer("drain"))
    return None


def _kill(scene: Scene, seen: Observation) -> Intent | None:
    view = _chosen_worker(scene, seen, "kill it")
    if view is None:
        return None
    worker = view.worker
    running = f", running {single_line(worker.step)}" if worker.step else ""
    text = f"kill worker {worker.index} (pid {worker.pid}{running})?"
    _ask(scene, text, KillWorker(worker.index))
    return None


def _stack(scene: Scene, seen: Observation) -> Intent | None:
    view = _chosen_worker(scene, seen, "see its stack")
    return ShowStack(view.worker.index) if view else None


def _retry(scene: Scene, seen: Observation) -> Intent | None:
    failure = _chosen_failure(scene, seen, "retry its step")
    return RetryStep(UUID(failure.step_uuid), failure.step) if failure else None


def _cancel(scene: Scene, seen: Observation) -> Intent | None:
    task = _chosen_task(scene, seen)
    if task is not None:
        _ask(scene, f"cancel task {task}?", CancelTask(UUID(task)))
    return None


def _chosen_task(scene: Scene, seen: Observation) -> str | None:
    """The one that the chosen worker runs a step of, or that of the chosen failure."""
    choice = scene.choice
    if choice.view not in _WORKER_VIEWS or choice.worker is None:
        failure = _chosen_failure(scene, seen, "cancel its task")
        return failure.task if failure else None
    view = _chosen_worker(scene, seen, "cancel its task")
    if view is not None and view.worker.task is None:
        choice.tell(f"worker {view.worker.index} runs no step now", bad=True)
    return view.worker.task if view else None


_COMMANDS: dict[str, Callable[[Scene, Observation], Intent | None]] = {
    "p": _pause,
    "d": _drain,
    "k": _kill,
    "s": _stack,
    "R": _retry,
    "c": _cancel,
}


def _ask(scene: Scene, text: str, intent: Intent) -> None:
    scene.choice.question = Question(text, intent)


def _chosen_worker(scene: Scene, seen: Observation, what: str) -> WorkerView | None:
    """None, and the operator is told how, where none is chosen."""
    choice = scene.choice
    for view in workers(seen, choice):
        if view.worker.index == choice.worker and choice.view in _WORKER_VIEWS:
            return view
    if choice.view not in _WORKER_VIEWS:
        choice.view = "workers"
    choice.tell(f"choose a worker with ↑ ↓ to {what}")
    return None


def _chosen_failure(scene: Scene, seen: Observation, what: str) -> Failure | None:
    choice = scene.choice
    for failure in failures(seen, choice):
        if failure_key(failure) == choice.failure and choice.view in _FAILURE_VIEWS:
            return failure
    if choice.view not in _FAILURE_VIEWS:
        choice.view = "failures"
    choice.tell(f"choose a failure with ↑ ↓ to {what}")
    return None
