"""The command `tasker-mp`: parses, calls the rest of the package, and shows what came of it."""

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command that `sys.argv` names, and exit with its code."""
    from tasker_mp.cli.app import run  # noqa: PLC0415  the submodules must not pay for it

    sys.exit(run(sys.argv[1:]))
