"""python -m bench scale: 1, 2, 4, … workers, with several kinds of handlers."""

import os
from collections.abc import Iterator
from pathlib import Path

import rich_click as click
from rich.console import Console

from bench import steps
from bench.command import (
    COUNT,
    SECONDS,
    bench_config,
    conclude,
    measuring,
    new_document,
    output_options,
    rounds_option,
)
from bench.environment import environment
from bench.project import bench_project
from bench.scale.kinds import templates
from bench.scale.scaling import Scaling, Sizes
from bench.usage import load_average

_MILLISECONDS = click.FloatRange(0.1, 1000)


@click.command()
@click.option(
    "--up-to",
    type=click.IntRange(1, 256),
    default=max(4, os.cpu_count() or 1),
    show_default=True,
    help="Worker processes at most; 1, 2, 4, … below.",
)
@click.option(
    "--step-ms",
    type=_MILLISECONDS,
    default=250.0,
    show_default=True,
    help="How long a cpu step computes: so long that all else leaves the cores to it.",
)
@click.option(
    "--short-ms",
    type=_MILLISECONDS,
    default=20.0,
    show_default=True,
    help="How long a short cpu step computes, and an io step waits.",
)
@click.option(
    "--concurrency",
    "crowd",
    type=COUNT,
    default=2000,
    show_default=True,
    help="Tasks in flight where steps do nothing; else it is a few a worker.",
)
@click.option(
    "--seconds",
    type=SECONDS,
    default=3.0,
    show_default=True,
    help="Length of a round; at least 40 steps of a worker.",
)
@rounds_option(4)
@output_options
def scale(
    up_to: int,
    step_ms: float,
    short_ms: float,
    crowd: int,
    seconds: float,
    rounds: int,
    as_json: bool,
    folder: Path | None,
) -> None:
    """Speed-up by more workers, with CPU-bound, I/O-bound and no-op handlers.

    About six minutes. A Ctrl-C ends it with what there is.
    """
    config, console, document = bench_config(), Console(stderr=True), new_document("scale")
    counts, sizes = list(_counts(up_to)), Sizes(step_ms, short_ms, crowd, seconds, rounds)
    with (
        measuring(document, console),
        bench_project(config, "scale", steps, templates()) as (own, settings),
    ):
        document.environment = environment(settings, config)
        document.environment |= {
            "workers": ", ".join(map(str, counts)),
            "load before": load_average(),
        }
        Scaling(own, sizes, document).measure(counts, console)
    conclude(document, folder, as_json, console)


def _counts(up_to: int) -> Iterator[int]:
    count = 1
    while count < up_to:
        yield count
        count *= 2
    yield up_to
