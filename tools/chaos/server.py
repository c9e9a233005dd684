"""The run's own embedded PostgreSQL, durable as any: killed here, and started again by whichever
supervisor misses it."""

import fcntl
import os
import threading
import time
from pathlib import Path
from typing import Final

from tasker_mp.db.embedded import EmbeddedServer
from tasker_mp.db.place import open_lock, place_of
from tools.chaos.processes import kill_server

_START_LIMIT: Final = 60.0
_LOOK_SECONDS: Final = 0.01


class Server:
    """Held by a lease of the run, so that it outlives every supervisor."""

    def __init__(self, root: Path) -> None:
        self._server = EmbeddedServer(root)
        self._start_lock = place_of(root).start_lock
        self._lease = self._server.lease()
        self._outage: threading.Thread | None = None
        self.dsn = self._lease.dsn
        self.error: Exception | None = None
        self.data = self._server.status().data
        self.slowest_start = 0.0

    @property
    def is_away(self) -> bool:
        """Killed, and not started again yet."""
        return self._outage is not None and self._outage.is_alive()

    def kill(self, outage: float) -> int | None:
        """SIGKILL to the postmaster, whom nobody can replace for `outage` seconds; its pid, None
        where it is away as yet, or somebody is starting or leaving it."""
        lock = open_lock(self._start_lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            pid = self._kill()
        except BlockingIOError:
            pid = None
        if pid is None:
            os.close(lock)
            return None
        self._outage = threading.Thread(target=self._last, args=[lock, outage], daemon=True)
        self._outage.start()
        return pid

    def _kill(self) -> int | None:
        status = self._server.status()
        if self.is_away or not status.ready or status.pid is None:
            return None
        return status.pid if kill_server(status.pid, self.data) else None

    def _last(self, lock: int, outage: float) -> None:
        """Keep it away, then see it come back by itself."""
        time.sleep(outage)
        os.close(lock)
        began = time.monotonic()
        while not self._server.status().ready:
            if time.monotonic() - began > _START_LIMIT:
                self.error = TimeoutError(f"no supervisor has started PostgreSQL in {self.data}")
                return
            time.sleep(_LOOK_SECONDS)
        self.slowest_start = max(self.slowest_start, time.monotonic() - began)

    def remove(self) -> None:
        """Stop it and delete its data."""
        self.stop()
        self._server.reset()

    def stop(self) -> None:
        if self._outage is not None:
            self._outage.join()
        self._lease.release()
