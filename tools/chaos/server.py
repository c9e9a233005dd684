"""The run's own embedded PostgreSQL, durable as any: killed here, and started again as an operator
would."""

import threading
import time
from pathlib import Path

from tasker_mp.db.embedded import EmbeddedServer
from tools.chaos.processes import kill_server


class Server:
    """Held by a lease of the run, so that it outlives every supervisor."""

    def __init__(self, root: Path) -> None:
        self._server = EmbeddedServer(root)
        self._lease = self._server.lease()
        self._repair: threading.Thread | None = None
        self.dsn = self._lease.dsn
        self.error: Exception | None = None
        self.data = self._server.status().data
        self.slowest_start = 0.0

    @property
    def is_away(self) -> bool:
        """Killed, and not started again by us yet; a supervisor that starts may have done so."""
        return self._repair is not None and self._repair.is_alive()

    def kill(self, outage: float) -> int | None:
        """SIGKILL to the postmaster, which is started again after `outage` seconds; its pid, None
        where it is away as yet."""
        status = self._server.status()
        if self.is_away or not status.ready or status.pid is None:
            return None
        if not kill_server(status.pid, self.data):
            return None
        self._repair = threading.Thread(target=self._start, args=[outage], daemon=True)
        self._repair.start()
        return status.pid

    def _start(self, outage: float) -> None:
        time.sleep(outage)
        began = time.monotonic()
        try:
            self._server.ensure_running()
        except Exception as error:
            self.error = error
        self.slowest_start = max(self.slowest_start, time.monotonic() - began)

    def remove(self) -> None:
        """Stop it and delete its data."""
        self.stop()
        self._server.reset()

    def stop(self) -> None:
        if self._repair is not None:
            self._repair.join()
        self._lease.release()
