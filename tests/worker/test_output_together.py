"""Whose words they are, where several steps of a worker speak at the same time."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any

import pytest
from msgspec import Raw

from tasker_mp import StepContext
from tasker_mp.messages import StepEvent, StepSpec, encode
from tasker_mp.template.model import HandlerDefinition, StepDefinition
from tasker_mp.worker.output import Output

_NAMES = ("one", "two", "three")


def _context(name: str) -> StepContext:
    spec = StepSpec("n", "t", "1.0.0", StepDefinition(name, HandlerDefinition("a.B")))
    event = StepEvent("0" * 32, 1, name, 1, Raw(encode(spec)), Raw(b"{}"), Raw(b"{}"))
    return StepContext(name.encode().ljust(16), event, spec)


class _Said:
    """An output whose lines are kept as (step, text)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.output = Output("json", "info")
        self.lines: list[tuple[str | None, str]] = []
        monkeypatch.setattr(self.output, "_render", lambda *said: said)
        monkeypatch.setattr(self.output._outlet, "write", self._keep)
        self.stdout = self.output._stream("stdout", "info", 1)
        self.log = logging.Logger("test")
        self.log.addHandler(self.output)

    def _keep(self, said: Any) -> None:
        _, _, text, fields = said
        self.lines.append((fields.get("step"), text))


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Said]:
    said = _Said(monkeypatch)
    yield said
    said.output._streams.clear()


def test_coroutines_that_take_turns_each_speak_for_their_step(said: _Said) -> None:
    async def speak(name: str) -> None:
        context = _context(name)
        said.output.enter(context)
        print(f"{name} begins, ", end="", file=said.stdout)
        await asyncio.sleep(0.01)
        print("and ends", file=said.stdout)
        await asyncio.gather(speak_in_a_task(name))
        said.log.info("%s logs", name)
        print(f"{name} has no end", end="", file=said.stdout)
        await asyncio.sleep(0.01)
        said.output.settle(context)

    async def speak_in_a_task(name: str) -> None:
        print(f"{name} in a task", file=said.stdout)

    async def all_of_them() -> None:
        await asyncio.gather(*map(speak, _NAMES))

    asyncio.run(all_of_them())
    texts = ("{} begins, and ends", "{} in a task", "{} logs", "{} has no end")
    assert sorted(said.lines) == sorted((n, text.format(n)) for n in _NAMES for text in texts)
    assert not said.output.unsettled


def test_threads_each_speak_for_their_step(said: _Said) -> None:
    together = threading.Barrier(len(_NAMES))

    def speak(name: str) -> None:
        context = _context(name)
        said.output.enter(context)
        for number in range(100):
            together.wait()
            print(f"{name} {number} ", end="", file=said.stdout)
            said.log.info("%s logs", name)
            print("ends", file=said.stdout)

    threads = [threading.Thread(target=copy_context().run, args=(speak, n)) for n in _NAMES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said.lines) == 600
    assert all(text.startswith(str(step)) for step, text in said.lines)


def test_a_plain_step_s_threads_speak_for_it(said: _Said) -> None:
    said.output.alone = _context("plain")
    thread = threading.Thread(target=lambda: print("in a thread", end="", file=said.stdout))
    thread.start()
    thread.join()
    said.output.settle()
    said.output.alone = None
    print("between steps", file=said.stdout)
    assert said.lines == [("plain", "in a thread"), (None, "between steps")]


def test_settling_one_step_leaves_the_beginnings_of_others(said: _Said) -> None:
    one, two = _context("one"), _context("two")
    for context in (one, two):
        copy_context().run(_begin, said, context)
    said.output.settle(one)
    assert said.lines == [("one", "begins")]
    assert said.output.unsettled
    said.output.settle(two)
    assert said.lines == [("one", "begins"), ("two", "begins")]
    assert not said.output.unsettled


def _begin(said: _Said, context: StepContext) -> None:
    said.output.enter(context)
    print("begins", end="", file=said.stdout)
