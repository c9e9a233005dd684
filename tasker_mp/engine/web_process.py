"""The process that answers on the web address: holds its socket, starts it, and starts it again."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import structlog

from tasker_mp.config.model import WebConfig
from tasker_mp.engine.zygote_process import exit_reason
from tasker_mp.errors import ConfigError

log = structlog.get_logger("tasker_mp.web")

_BACKLOG = 64
_RESTART_SECONDS = 1.0
_DEATH_LIMIT = 2.0


class WebProcess:
    """The socket is this process's, so a restart refuses nobody and loses no address."""

    def __init__(self, config: WebConfig, root: Path) -> None:
        self._config = config
        self._root = root
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._pidfd = -1
        self._restart: asyncio.TimerHandle | None = None
        self._started_at = 0.0

    @property
    def address(self) -> str:
        host = f"[{self._config.host}]" if ":" in self._config.host else self._config.host
        return f"{host}:{self._config.port}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def bind(self) -> None:
        """Take the address; `ConfigError` where it cannot be had."""
        host, port = self._config.host, self._config.port
        try:
            family, _, _, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            self._socket = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise ConfigError(
                f"[web] cannot listen on {self.address}: {reason}; "
                "set another web.host or web.port, or web.enabled = false"
            ) from None

    def start(self) -> None:
        """Start the process on the socket; from now on it is started again when it dies."""
        assert self._socket is not None
        fd = self._socket.fileno()
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tasker_mp.web", str(fd), str(os.getpid()), str(self._root)],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            pass_fds=[fd],
            start_new_session=True,
        )
        self._pidfd = os.pidfd_open(self._process.pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._on_death)

    def _on_death(self) -> None:
        pid, reason = self.pid, self._bury()
        log.warning("web process died", pid=pid, reason=reason)
        wait = max(0.0, self._started_at + _RESTART_SECONDS - time.monotonic())
        self._restart = asyncio.get_running_loop().call_later(wait, self.start)

    def _bury(self) -> str:
        assert self._process is not None
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        reason = exit_reason(self._process.wait(_DEATH_LIMIT))
        self._process = None
        return reason

    def stop(self) -> None:
        if self._restart is not None:
            self._restart.cancel()
        if self._process is not None:
            self._process.kill()
            self._bury()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
