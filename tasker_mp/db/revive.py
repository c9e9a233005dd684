"""python -m tasker_mp.db.revive ROOT: starts the embedded server of a project again, if it is used.

A process of its own, since starting takes seconds and locks, and a supervisor's loop must not wait.
"""

import sys
from pathlib import Path

from tasker_mp.db.embedded import EmbeddedServer
from tasker_mp.errors import EngineError


def main() -> None:
    try:
        EmbeddedServer(Path(sys.argv[1])).revive()
    except (EngineError, OSError) as error:
        sys.exit(" ".join(str(error).split()))


if __name__ == "__main__":
    main()
