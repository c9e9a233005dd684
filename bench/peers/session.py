"""An engine at work on a fresh database, ours or a peer's: what is asked of both."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, urlencode

from psycopg.conninfo import conninfo_to_dict

from bench.peers.broker import broker
from bench.peers.environments import Environment
from bench.peers.peer import Peer, PeerError
from bench.peers.program import Program
from tasker_mp.config import Config, redact

_START_LIMIT = 60.0


class Session(Protocol):
    """`ask` takes {"run": n} or {"singles": n}, as `conversation` describes, and a time limit."""

    versions: dict[str, str]

    def ask(self, question: dict[str, int], limit: float) -> dict[str, Any]: ...
    def crowd(self) -> None:
        """Many tasks are to come."""


class Contender(NamedTuple):
    """`open` gives its session on the database that a configuration names."""

    name: str
    settings: str
    durability: str
    open: Callable[[Config], Any]


class PeerSession:
    """Its worker processes and its client; made by `peer_session`."""

    def __init__(self, peer: Peer, start: Callable[..., Program]) -> None:
        self._peer = peer
        self._start = start
        self._workers = 0
        if peer.prepares:
            start("prepare").finish(_START_LIMIT)
        self._employ(peer.alone)
        self._client = start("client", *peer.arguments)
        self.versions: dict[str, str] = self._client.hear(_START_LIMIT)["versions"]

    def _employ(self, count: int) -> None:
        more = [self._start("work") for _ in range(count - self._workers)]
        for worker in more:
            worker.hear(_START_LIMIT)
        self._workers = max(count, self._workers)

    def crowd(self) -> None:
        self._employ(self._peer.crowd(os.cpu_count() or 1))

    def ask(self, question: dict[str, int], limit: float) -> dict[str, Any]:
        return self._client.ask(question, limit)


def contender(peer: Peer, environment: Environment) -> Contender:
    @contextmanager
    def opened(config: Config) -> Iterator[PeerSession]:
        with peer_session(peer, [str(environment.python), "-m", peer.module], config) as session:
            yield session

    return Contender(peer.name, peer.settings, peer.durability, opened)


@contextmanager
def peer_session(peer: Peer, command: list[str], config: Config) -> Iterator[PeerSession]:
    """All its processes are gone afterwards."""
    dsn = url_of(config.database.url)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tasker-mp-peer-")))
        socket = stack.enter_context(broker(folder)) if peer.broker else ""
        settings = {"dsn": dsn, "socket": socket, "cores": os.cpu_count() or 1}

        def start(*arguments: str) -> Program:
            log = folder / f"log-{len(list(folder.glob('log-*')))}"
            return stack.enter_context(Program([*command, *arguments], settings, log))

        try:
            yield PeerSession(peer, start)
        except PeerError as error:
            raise PeerError(str(error).replace(dsn, redact(dsn))) from error


def url_of(conninfo: str) -> str:
    """As a URL, the only form that all of them take."""
    rest = {name: str(value) for name, value in conninfo_to_dict(conninfo).items()}
    user, password = rest.pop("user", ""), rest.pop("password", "")
    account = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    name = quote(rest.pop("dbname", ""), safe="")
    return f"postgresql://{account}{'@' if account else ''}/{name}?{urlencode(rest)}"
