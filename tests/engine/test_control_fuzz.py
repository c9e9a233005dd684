"""The control socket among clients that send garbage, floods, half a line, or nothing at all."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from dags import asynchronous
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasker_mp.control import Command, short_address
from tasker_mp.engine import control
from tasker_mp.engine.control import ControlServer

_LIMIT = 10.0
_PING = b'{"command":"ping"}\n'


class Served:
    """A control socket whose handler counts what it answers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.handled = 0
        self.writers: list[asyncio.StreamWriter] = []
        self.server = ControlServer(path, self._handle)

    async def _handle(self, command: Command) -> dict[str, Any]:
        self.handled += 1
        return {"ok": command.command}

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        with short_address(self.path) as address:
            reader, writer = await asyncio.open_unix_connection(address, limit=1 << 24)
        self.writers.append(writer)
        return reader, writer

    async def close(self) -> None:
        """Everybody hangs up; the server's tasks have ended when this returns."""
        await self.server.stop()
        for writer in self.writers:
            writer.close()
        await asyncio.gather(*(w.wait_closed() for w in self.writers), return_exceptions=True)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    async def ping(self) -> None:
        """A well-behaved client is answered."""
        async with asyncio.timeout(_LIMIT):
            reader, writer = await self.connect()
            writer.write(_PING)
            assert json.loads(await reader.readline()) == {"ok": "ping"}
            writer.close()


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Served]:
    served = Served(folder / "control.sock")
    await served.server.start()
    try:
        yield served
    finally:
        await served.close()
        served.path.unlink(missing_ok=True)


async def until(predicate: Callable[[], bool]) -> None:
    async with asyncio.timeout(_LIMIT):
        while not predicate():
            await asyncio.sleep(0.005)


_LINES = st.lists(
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=50).map(lambda text: json.dumps({"command": text}).encode()),
        st.dictionaries(
            st.sampled_from(["command", "timeout", "worker", "level", "more"]),
            st.recursive(st.none() | st.integers() | st.floats() | st.text(max_size=9), st.lists),
        ).map(lambda fields: json.dumps(fields).encode()),
        st.sampled_from([b"[" * 60_000, b'{"command":' + b"[" * 60_000, b"x" * 70_000, b"\0" * 99]),
    ).map(lambda line: line.replace(b"\n", b"")),
    min_size=1,
    max_size=6,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lines=_LINES)
def test_every_line_has_an_answer_and_the_next_one_is_as_good_as_ever(
    tmp_path: Path, lines: list[bytes]
) -> None:
    async def fuzz() -> None:
        async with serving(tmp_path) as served, asyncio.timeout(_LIMIT):
            reader, writer = await served.connect()
            writer.write(b"".join(line + b"\n" for line in lines) + _PING)
            for _ in lines:
                assert set(json.loads(await reader.readline())) <= {"ok", "error"}
            assert json.loads(await reader.readline()) == {"ok": "ping"}

    asyncio.run(fuzz())


@asynchronous
async def test_clients_that_only_hang_on_keep_nobody_out(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        silent = [await served.connect() for _ in range(control._CLIENTS + 20)]
        for _, writer in silent[40::2]:  # the first ones may be dropped by now
            writer.write(b'{"comm')
        await served.ping()
        oldest, _ = silent[0]
        async with asyncio.timeout(_LIMIT):
            assert await oldest.read() == b""
        assert len(served.server._clients) <= control._CLIENTS
        reader, writer = silent[-1]
        writer.write(b"\n" + _PING)
        answers = [json.loads(await reader.readline()) for _ in range(2)]
        assert answers[-1] == {"ok": "ping"}


@asynchronous
async def test_a_flood_leaves_others_their_turn(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        reader, writer = await served.connect()
        count = 2_000
        writer.write(_PING * count)
        await until(lambda: served.handled > 0)
        await served.ping()
        assert served.handled < count
        async with asyncio.timeout(_LIMIT):
            for _ in range(count):
                assert await reader.readline() == b'{"ok":"ping"}\n'


@asynchronous
async def test_who_does_not_read_the_answers_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_IDLE_LIMIT", 0.3)
    async with serving(tmp_path) as served:
        with socket.socket(socket.AF_UNIX) as deaf:
            with short_address(served.path) as address:
                deaf.connect(address)
            deaf.setblocking(False)
            loop = asyncio.get_running_loop()
            flood = asyncio.create_task(loop.sock_sendall(deaf, _PING * 60_000))
            await until(lambda: served.handled > 1000)
            await served.ping()
            await until(lambda: not served.server._clients)
            async with asyncio.timeout(_LIMIT):
                with pytest.raises(OSError, match=r"."):
                    await flood


@asynchronous
async def test_a_slow_client_is_served_and_a_half_sent_line_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path) as served:
        reader, writer = await served.connect()
        for byte in _PING:
            writer.write(bytes([byte]))
            await writer.drain()
            await served.ping()
        async with asyncio.timeout(_LIMIT):
            assert json.loads(await reader.readline()) == {"ok": "ping"}
            monkeypatch.setattr(control, "_IDLE_LIMIT", 0.1)
            writer.write(_PING + b'{"comm')
            assert json.loads(await reader.readline()) == {"ok": "ping"}
            assert await reader.read() == b""


@asynchronous
async def test_a_client_that_hangs_up_in_the_middle_harms_nobody(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for sent in (b"", b"{", _PING[:-1], _PING * 500, b"x" * 100_000):
            _, writer = await served.connect()
            writer.write(sent)
            writer.transport.abort()
        await served.ping()
        await until(lambda: not served.server._clients)


_INTRUDE = """
import os, socket, sys
os.setgid(65534); os.setuid(65534)
client = socket.socket(socket.AF_UNIX)
try:
    client.connect(f"/proc/self/fd/{sys.argv[1]}/control.sock")
    client.sendall(b'{"command":"ping"}\\n')
    print("answer", client.recv(100))
except OSError as error:
    print(type(error).__name__)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(("mode", "said"), [(0o600, "PermissionError"), (0o666, "answer b''")])
def test_another_user_is_refused_by_the_file_and_else_by_name(
    tmp_path: Path, mode: int, said: str
) -> None:
    async def intrude() -> str:
        async with serving(tmp_path) as served:
            assert served.path.stat().st_mode & 0o777 == 0o600
            served.path.chmod(mode)
            folder = os.open(tmp_path, os.O_PATH)
            try:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-c", _INTRUDE, str(folder)),
                    stdout=subprocess.PIPE,
                    pass_fds=[folder],
                    cwd="/",
                )
                out, _ = await process.communicate()
            finally:
                os.close(folder)
            assert served.handled == 0
            await served.ping()
            return out.decode().strip()

    tmp_path.chmod(0o755)
    answer = asyncio.run(intrude())
    assert answer == said or (
        mode == 0o666 and answer in ("ConnectionResetError", "BrokenPipeError")
    )
