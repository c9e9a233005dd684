"""Watches a project's embedded server from a supervisor's loop, and has it started when it dies."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import structlog

from tasker_mp.db.embedded import EmbeddedServer
from tasker_mp.db.patience import Patience
from tasker_mp.db.postmaster import Postmaster, running_postmaster
from tasker_mp.errors import EngineError

log = structlog.get_logger("tasker_mp.database")

_RESTART_SECONDS = 1.0
"""A server that was stopped in order may be about to be started again (`pg_ctl restart`)."""
_LONGEST_SECONDS = 5.0
_UNREADABLE_SECONDS = 5.0


class Reviver:
    """Nothing here waits for the server but on descriptors: its own death's and the starter's.

    The supervisor holds a lease, so nobody stops the server on purpose as long as this runs, unless
    by PostgreSQL's own commands.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._data = EmbeddedServer(root).status().data

    async def watch(self) -> None:
        """For ever."""
        while True:
            try:
                await self._death()
                await self._revive()
            except EngineError as error:  # the data folder cannot be read any more
                log.error("embedded database cannot be watched", error=str(error))
                await asyncio.sleep(_UNREADABLE_SECONDS)

    async def _death(self) -> None:
        while (server := self._server()) is not None:
            try:
                pidfd = os.pidfd_open(server.pid)
            except ProcessLookupError:
                continue
            try:
                if self._server() == server:  # and the pid is not another process's by now
                    await _readable(pidfd)
            finally:
                os.close(pidfd)

    async def _revive(self) -> None:
        died = time.monotonic()
        log.warning("embedded database died", data=str(self._data))
        if not (self._data / "postmaster.pid").exists():
            await asyncio.sleep(_RESTART_SECONDS)
        patience = Patience(longest=_LONGEST_SECONDS)
        while self._server() is None:
            said = await self._start()
            if self._server() is None:
                delay = patience.delay()
                log.warning("embedded database not started", error=said, retry_in=round(delay, 3))
                await asyncio.sleep(delay)
        log.warning("embedded database runs again", seconds=round(time.monotonic() - died, 3))

    async def _start(self) -> str:
        """What the starter said. Its status is whose it is that reaps it first, for the supervisor
        collects orphans; the server itself tells whether it runs.

        Left alone where this is cancelled: the end of the lease waits for it, at the start lock.
        """
        starter = subprocess.Popen(
            [sys.executable, "-m", "tasker_mp.db.revive", str(self._root)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C in the terminal is the supervisor's
        )
        assert starter.stderr is not None
        with starter.stderr as said:
            pidfd = os.pidfd_open(starter.pid)
            try:
                await _readable(pidfd)
            finally:
                os.close(pidfd)
            starter.poll()
            return said.read().decode(errors="replace").strip()

    def _server(self) -> Postmaster | None:
        return running_postmaster(self._data)


async def _readable(fd: int) -> None:
    """Until a process, given as a pidfd, has ended."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(fd, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(fd)
