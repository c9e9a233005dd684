"""The web process of a supervisor, which holds the socket and starts it.

python -m tasker_mp.web FD PID ROOT     listening socket FD, supervisor PID, project in ROOT
"""

import signal
import socket
import sys
from pathlib import Path

from tasker_mp import process
from tasker_mp.observer import Observer
from tasker_mp.web.server import WebServer


def main() -> None:
    """Serve until the supervisor ends this process, or dies."""
    fd, supervisor, root = sys.argv[1:]
    process.die_with_parent(int(supervisor))
    process.set_title(f"web of supervisor {supervisor}")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    observer = Observer(Path(root))
    WebServer(socket.socket(fileno=int(fd)), observer.look).serve_forever()


if __name__ == "__main__":
    main()
