"""`python -m bench peers`."""

from collections.abc import Callable
from pathlib import Path

import rich_click as click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from bench.command import (
    COUNT,
    bench_config,
    conclude,
    new_document,
    output_options,
    rounds_option,
)
from bench.peers.environments import FOLDER, Environment
from bench.peers.peer import PEERS, Peer, PeerError
from bench.peers.run import Sizes, measure_peers, not_measured, ready


@click.command()
@click.option(
    "--peer", "names", multiple=True, metavar="NAME", help=f"Only {', '.join(PEERS)}; repeatable."
)
@click.option("--install", is_flag=True, help="Download the peers first; nothing else does.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.1, max=3600),
    default=5.0,
    show_default=True,
    help="Of a throughput run.",
)
@click.option(
    "--singles", type=COUNT, default=100, show_default=True, help="Tasks one by one, each round."
)
@rounds_option(5)
@output_options
def peers(
    names: tuple[str, ...],
    install: bool,
    seconds: float,
    singles: int,
    rounds: int,
    as_json: bool,
    folder: Path | None,
) -> None:
    """The linear workflow by other engines, in the same run as ours.

    Each peer has an environment of its own, which --install makes. A Ctrl-C ends it with the rounds
    that there are.
    """
    unknown = [name for name in names if name not in PEERS]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r}; there are {', '.join(PEERS)}")
    console = Console(stderr=True)
    document = new_document("peers")
    chosen = [PEERS[name] for name in dict.fromkeys(names or PEERS)]
    skipped: list[tuple[str, str]] = []
    failed = install and not _install(chosen, console)
    others = ready(chosen, _teller(skipped, console))
    measure_peers(bench_config(), others, Sizes(rounds, seconds, singles), console, document)
    document.tables += not_measured(skipped)
    conclude(document, folder, as_json, console, failed=failed)


def _teller(skipped: list[tuple[str, str]], console: Console) -> Callable[[str, str], None]:
    def tell(name: str, why: str) -> None:
        skipped.append((name, why))
        console.print(f"{name}: {why}", markup=False, soft_wrap=True)

    return tell


def _install(chosen: list[Peer], console: Console) -> bool:
    """Whether all of them are there; a line about each that is not."""
    good = True
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), console=console, transient=True
    ) as progress:
        bar = progress.add_task("", total=None)
        for peer in chosen:
            progress.update(bar, description=f"installing {peer.name}")
            try:
                Environment(peer, FOLDER).install()
            except PeerError as error:
                console.print(f"error: {peer.name}: {error}", markup=False, soft_wrap=True)
                good = False
    return good
