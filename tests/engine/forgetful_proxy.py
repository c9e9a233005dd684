"""A way to the database that loses answers: the server has committed, and nobody hears of it."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_CHUNK = 1 << 16
_TICK = 0.05


class ForgetfulProxy:
    """Passes everything on, but for the answers that `lose` names."""

    def __init__(self, dsn: str, folder: Path) -> None:
        parameters = conninfo_to_dict(dsn)
        name = f".s.PGSQL.{parameters.get('port') or 5432}"
        self._server = str(Path(str(parameters["host"])) / name)
        self.dsn = make_conninfo(dsn, host=str(folder))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / name))
        self._listener.listen(100)
        self._listener.settimeout(_TICK)
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._marker: bytes | None = None
        self._threads: list[threading.Thread] = []
        self.lost = 0

    def lose(self, marker: bytes) -> None:
        """Swallow the next answer that contains `marker`, and hang up on both sides."""
        self._marker = marker

    @property
    def armed(self) -> bool:
        return self._marker is not None

    def serve(self) -> None:
        while not self._closing.is_set():
            with suppress(TimeoutError):
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                thread = threading.Thread(target=self._relay, args=(client, server))
                self._threads.append(thread)
                thread.start()

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        others = {client: server, server: client}
        with client, server, suppress(OSError):
            while not self._closing.is_set():
                for source in select.select([client, server], [], [], _TICK)[0]:
                    data = source.recv(_CHUNK)
                    if not data or (source is server and self._swallows(data)):
                        return
                    others[source].sendall(data)

    def _swallows(self, data: bytes) -> bool:
        with self._lock:
            if self._marker is None or self._marker not in data:
                return False
            self._marker = None
            self.lost += 1
            return True

    def close(self) -> None:
        self._closing.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()


@contextmanager
def forgetful_proxy(dsn: str, folder: Path) -> Iterator[ForgetfulProxy]:
    proxy = ForgetfulProxy(dsn, folder)
    server = threading.Thread(target=proxy.serve)
    server.start()
    try:
        yield proxy
    finally:
        proxy._closing.set()
        server.join()
        proxy.close()
