"""Kills its own process at an armed point, by wrapping what the point names; once a project."""

import asyncio
import functools
import inspect
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from points import POINTS, PUBLISHED, Point, Process

ARMED = "armed.json"
REACHED = "reached"
LOG = "readiness"
_ANSWER_SECONDS = 0.002
_PROCESSES: list[Process] = ["zygote", "between", "worker"]

_generation = 0
_published = False


def armed() -> dict[str, Any]:
    """What the project in the working directory is armed with."""
    found: dict[str, Any] = json.loads(Path(ARMED).read_text())
    return found


def install(process: Process) -> None:
    """Arm this process and, in the zygote, those that it forks."""
    names: list[str] = armed()["points"]
    mine = ["supervisor"] if process == "supervisor" else _PROCESSES
    for name in names:
        if POINTS[name].process in mine:
            _wrap(POINTS[name].target, functools.partial(_Trigger, name, POINTS[name], process))
    if process == "zygote":
        os.register_at_fork(after_in_child=_count_generation)
        _wrap("tasker_mp.transport.memory:MemoryWriter.publish", _noting_publication)


class _Trigger:
    """Counts the calls of one target, and kills at the right one."""

    def __init__(self, name: str, point: Point, installed: Process, original: Any) -> None:
        self.name = name
        self.point = point
        self.original = original
        self._supervisor = installed == "supervisor"
        self._calls = 0
        self._open = False

    def meets(self) -> bool:
        """Whether this call is the one."""
        if self._process() != self.point.process or not self._may_count():
            return False
        if self.point.within and not _on_stack(self.point.within):
            return False
        self._calls += 1
        return self._calls == self.point.nth

    def _process(self) -> Process:
        if self._supervisor:
            return "supervisor"
        return _PROCESSES[min(_generation, len(_PROCESSES) - 1)]

    def _may_count(self) -> bool:
        match self.point.after:
            case "":
                return True
            case str(after) if after == PUBLISHED:
                return _published
            case after:
                self._open = self._open or (Path(REACHED, after).exists() and self._noticed())
                return self._open

    def _noticed(self) -> bool:
        """As the order of readiness has it on record, where one is forced."""
        return not self.point.noticed or not armed()["order"] or Path(LOG).exists()

    def check(self, when: str) -> None:
        if self.point.when == when and self.meets():
            self.strike()

    def strike(self) -> None:
        """Die here, unless another process has at this point."""
        try:
            marker = os.open(Path(REACHED, self.name), os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            return
        os.write(marker, str(os.getpid()).encode())
        os.kill(os.getpid(), signal.SIGKILL)


def _wrap(target: str, make: Callable[[Any], Any]) -> None:
    """Put a wrapper in the place of `target`; of a system call, for one module alone."""
    owner, name = _owner(target)
    if isinstance(owner, type) and not hasattr(owner, name):
        _wrap_memory(owner, name, make)
        return
    original = getattr(owner, name)
    made = make(original)
    setattr(owner, name, _calling(made) if isinstance(made, _Trigger) else made)


def _owner(target: str) -> tuple[Any, str]:
    module_name, _, path = target.partition(":")
    *owners, name = path.split(".")
    owner: Any = _module(module_name)
    for part in owners:
        value = getattr(owner, part)
        if isinstance(value, ModuleType):
            value = _Overlay(value)
            setattr(owner, part, value)
        owner = value
    return owner, name


def _module(name: str) -> ModuleType:
    """The module as it runs: under `python -m` it has another name."""
    main = sys.modules["__main__"]
    if getattr(main.__spec__, "name", None) == name:
        return main
    __import__(name)
    return sys.modules[name]


class _Overlay(ModuleType):
    """A module of which one other module sees a few names changed."""

    def __init__(self, original: ModuleType) -> None:
        super().__init__(original.__name__)
        self._original = original

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


def _calling(trigger: _Trigger) -> Callable[..., Any]:
    original = trigger.original

    @functools.wraps(original)
    def called(*args: Any, **keys: Any) -> Any:
        trigger.check("before")
        value = original(*args, **keys)
        trigger.check("after")
        return value

    @functools.wraps(original)
    async def awaited(*args: Any, **keys: Any) -> Any:
        trigger.check("before")
        if trigger.point.when == "during" and trigger.meets():
            sent = asyncio.ensure_future(original(*args, **keys))
            await asyncio.wait({sent}, timeout=_ANSWER_SECONDS)
            trigger.strike()
            return await sent
        value = await original(*args, **keys)
        trigger.check("after")
        return value

    return awaited if inspect.iscoroutinefunction(original) else called


def _wrap_memory(owner: type, name: str, make: Callable[[Any], Any]) -> None:
    trigger = make(None)
    construct = owner.__init__  # type: ignore[misc]

    @functools.wraps(construct)
    def constructed(self: Any, *args: Any, **keys: Any) -> None:
        construct(self, *args, **keys)
        setattr(self, name, _Stores(getattr(self, name), trigger))

    owner.__init__ = constructed  # type: ignore[misc]


class _Stores:
    """Memory whose stores are watched."""

    def __init__(self, memory: memoryview, trigger: _Trigger) -> None:
        self._memory = memory
        self._trigger = trigger

    def __setitem__(self, place: Any, value: Any) -> None:
        self._trigger.check("before")
        if self._trigger.point.when == "during" and self._trigger.meets():
            half = len(value) // 2
            self._memory[place.start : place.start + half] = value[:half]
            self._trigger.strike()
        self._memory[place] = value
        self._trigger.check("after")

    def __getitem__(self, place: Any) -> Any:
        return self._memory[place]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._memory, name)


def _on_stack(function: str) -> bool:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_name != function:
        frame = frame.f_back
    return frame is not None


def _count_generation() -> None:
    global _generation  # noqa: PLW0603 - one process, one generation
    _generation += 1


def _noting_publication(original: Callable[[Any], int]) -> Callable[[Any], int]:
    @functools.wraps(original)
    def publish(self: Any) -> int:
        global _published  # noqa: PLW0603 - one process publishes in one place
        count = original(self)
        _published = _published or count > 0
        return count

    return publish
