"""`python -m bench peers`."""

import sys
from pathlib import Path

import rich_click as click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from bench.peers.environments import FOLDER, Environment
from bench.peers.page import page, section
from bench.peers.peer import PEERS, Peer, PeerError
from bench.peers.run import Sizes, measure_peers, ready
from bench.report import encode, save
from tasker_mp.config import load_config
from tasker_mp.errors import EngineError


@click.command()
@click.option(
    "--peer", "names", multiple=True, metavar="NAME", help=f"Only {', '.join(PEERS)}; repeatable."
)
@click.option("--install", is_flag=True, help="Download the peers first; nothing else does.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.1),
    default=5.0,
    show_default=True,
    help="Of a throughput run.",
)
@click.option(
    "--singles",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Tasks one by one, each round.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the measurements as JSON.")
@click.option(
    "--save", "folder", type=click.Path(path_type=Path), help="Write report and JSON here."
)
def peers(
    names: tuple[str, ...],
    install: bool,
    rounds: int,
    seconds: float,
    singles: int,
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
    skipped: list[str] = []

    def tell(problem: str) -> None:
        skipped.append(problem)
        console.print(problem, markup=False, soft_wrap=True)

    chosen = [PEERS[name] for name in dict.fromkeys(names or PEERS)]
    failed = install and not _install(chosen, console)
    others = ready(chosen, tell)
    config = load_config(overrides={"logging.level": "error"})
    try:
        document = measure_peers(config, others, Sizes(rounds, seconds, singles), console)
    except EngineError as error:
        console.print(f"error: {error}")
        sys.exit(error.exit_code)
    document["skipped"] = skipped
    if folder is not None:
        console.print(f"written: {save(folder, 'peers', document, page(document))}")
    click.echo(encode(document) if as_json else section(document))
    sys.exit(130 if document["interrupted"] else bool(document["problems"] or failed))


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
