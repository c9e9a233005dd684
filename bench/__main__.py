"""python -m bench …: what the engine does a second, and how long one task takes."""

import signal
import sys

import rich_click as click

from bench.ceiling.command import ceiling
from bench.compare import compare
from bench.idle.command import idle
from bench.latency.command import latency
from bench.peers.command import peers
from bench.reliability.command import reliability
from bench.report import report
from bench.run import run
from bench.scale.command import scale
from bench.seeds.command import seeds
from bench.size.command import size
from bench.transport.command import transport
from bench.watching.command import watching
from tasker_mp.cli.failure import exit_code_of
from tasker_mp.cli.settings import Settings


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure on this machine what the engine does; one document a command."""


main.add_command(run)
main.add_command(scale)
main.add_command(transport)
main.add_command(ceiling)
main.add_command(seeds)
main.add_command(latency)
main.add_command(idle)
main.add_command(watching)
main.add_command(size)
main.add_command(peers)
main.add_command(reliability)
main.add_command(report)
main.add_command(compare)


def call() -> int:
    """Run the command line; the exit code. Every error is one line on stderr."""

    def invoked() -> int | None:
        code: int | None = main(prog_name="python -m bench", standalone_mode=False)
        return code

    settings = Settings(json="--json" in sys.argv, debug="--debug" in sys.argv)
    return exit_code_of(invoked, settings)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # leaves nothing, as after a Ctrl-C
    sys.exit(call())
