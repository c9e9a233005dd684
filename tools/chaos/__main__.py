"""python -m tools.chaos: serve tasks while everything is killed, and prove that nothing is lost.

Exit status 0 where everything held, 1 where something did not, 2 for wrong usage, 130 where it was
interrupted.
"""

import argparse
import random
import signal
import sys
from collections.abc import Sequence

import msgspec

from tools.chaos.run import Run
from tools.chaos.schedule import Options, usual_seconds


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    options = _options(given)
    _say(f"seed {options.seed}: {options.seconds:g} s of faults")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    run = Run(options, _say)
    try:
        ledger = run.run()
    except KeyboardInterrupt:
        _say("interrupted")
        return 130
    finally:
        run.close(keep=given.keep)
        if given.keep:
            _say(f"kept: {run.project.root}")
    if given.json:
        print(msgspec.json.encode(ledger).decode())
    else:
        print("\n".join(ledger.lines()))
    return 0 if ledger.ok else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.chaos", description=_summary())
    number = parser.add_argument
    number("--seed", type=int, help="of the schedule (default: drawn, and printed)")
    number("--steps", type=int, default=105_000, help="about so many (default: %(default)s)")
    number("--seconds", type=float, help="of faults (default: by their number)")
    number("--worker-kills", type=int, default=1000, help="default: %(default)s")
    number("--supervisor-kills", type=int, default=50, help="default: %(default)s")
    number("--zygote-kills", type=int, default=50, help="default: %(default)s")
    number("--postgres-kills", type=int, default=20, help="default: %(default)s")
    number("--stops", type=int, default=100, help="SIGSTOP and SIGCONT (default: %(default)s)")
    number("--workers", type=int, default=4, help="processes (default: %(default)s)")
    number("--keep", action="store_true", help="keep the project's folder")
    number("--json", action="store_true", help="print the ledger as JSON")
    return parser


def _summary() -> str:
    return (__doc__ or "").splitlines()[0].partition(": ")[2]


def _options(given: argparse.Namespace) -> Options:
    kills = (given.worker_kills, given.supervisor_kills, given.zygote_kills, given.postgres_kills)
    seconds = given.seconds or usual_seconds(*kills, given.stops)
    return Options(
        seed=random.randrange(1 << 32) if given.seed is None else given.seed,
        steps=given.steps,
        seconds=seconds,
        worker_kills=given.worker_kills,
        supervisor_kills=given.supervisor_kills,
        zygote_kills=given.zygote_kills,
        postgres_kills=given.postgres_kills,
        stops=given.stops,
        workers=given.workers,
    )


def _say(text: str) -> None:
    sys.stderr.write(f"chaos: {text}\n")


if __name__ == "__main__":
    sys.exit(main())
