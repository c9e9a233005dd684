"""What a peer's program and the bench say to each other: lines of JSON.

`python -m bench.peers.<name> prepare|work|client`, its settings as the first line on stdin:

    prepare   makes the schema and ends
    work      says {"ready": true} and serves until it is killed
    client    says {"ready": true, "versions": {…}}, then answers {"run": n} (n tasks at once) with
              {"seconds": s, "submit_seconds": s, "wrong": n}, and {"singles": n} (one after the
              other) with {"latencies_ms": […], "wrong": n}

It runs in each peer's own environment: the standard library is all it has.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, NamedTuple, Protocol, TextIO, TypeVar

T = TypeVar("T")

NUMBER = 6
EXPECTED = NUMBER**8
LIMIT = 600.0
"""Seconds; for a program that is left alone. The bench loses patience first."""


class Answers:
    """Where they are said: the output that the bench listens to, out of reach of the engine."""

    stream: TextIO = sys.stdout


class Settings(NamedTuple):
    """`dsn` is PostgreSQL's, `socket` Redis'; `cores` is the number of them to use."""

    dsn: str
    socket: str
    cores: int


class Engine(Protocol):
    """A client of the running engine."""

    def submit(self, count: int) -> Any:
        """So many tasks, durable when it returns."""

    def wait(self, submitted: Any) -> Any:
        """Until all of them have ended."""

    def results(self, ended: Any) -> Sequence[Any]:
        """Of what `wait` returned; not timed."""

    def single(self) -> Any:
        """The result of one task, as soon as it can be seen."""


def play(
    roles: Mapping[str, Callable[[Settings], None]],
    engine: Callable[[Settings], Engine],
    distributions: Sequence[str],
) -> None:
    """The program: does what its first argument says."""
    # An engine's banners go where its log goes; the bench hears answers only. Celery prints its own
    # to sys.__stdout__, so that is no place for them either.
    Answers.stream = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    settings = Settings(**json.loads(sys.stdin.readline()))
    if (role := sys.argv[1]) == "client":
        _serve(engine(settings), distributions)
    else:
        roles[role](settings)


def say(document: dict[str, Any]) -> None:
    print(json.dumps(document), file=Answers.stream, flush=True)


def until(look: Callable[[], T | None], interval: float) -> T:
    """What `look` finds in the end."""
    deadline = time.monotonic() + LIMIT
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"not done within {LIMIT:g} s")
        time.sleep(interval)
    return found


def run(engine: Engine, count: int) -> dict[str, Any]:
    """The answer to {"run": count}."""
    started = time.perf_counter()
    submitted = engine.submit(count)
    submit_seconds = time.perf_counter() - started
    ended = engine.wait(submitted)
    seconds = time.perf_counter() - started
    wrong = count - sum(result == EXPECTED for result in engine.results(ended))
    return {"seconds": seconds, "submit_seconds": submit_seconds, "wrong": wrong}


def singles(engine: Engine, count: int) -> dict[str, Any]:
    """The answer to {"singles": count}."""
    latencies = []
    wrong = 0
    for _ in range(count):
        started = time.perf_counter()
        wrong += engine.single() != EXPECTED
        latencies.append((time.perf_counter() - started) * 1000)
    return {"latencies_ms": latencies, "wrong": wrong}


def _serve(engine: Engine, distributions: Sequence[str]) -> None:
    say({"ready": True, "versions": {name: version(name) for name in distributions}})
    for line in sys.stdin:
        match json.loads(line):
            case {"run": count}:
                say(run(engine, count))
            case {"singles": count}:
                say(singles(engine, count))
