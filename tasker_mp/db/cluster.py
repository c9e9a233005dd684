"""A PostgreSQL data folder of our own: made, configured, started, stopped."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tasker_mp.db.account import Account
from tasker_mp.db.binaries import Binaries, EmbeddedServerError
from tasker_mp.db.place import Place, make_socket_folder, open_lock
from tasker_mp.db.postmaster import running_postmaster, stragglers, wait_until
from tasker_mp.db.tuning import ACCESS_RULES, SETTINGS_FILE, server_settings

SUPERUSER = "tasker"
_START_LIMIT = 300  # seconds; recovery after a crash replays up to max_wal_size
_STOP_LIMIT = 120
_INIT_LIMIT = 120
_STRAGGLER_LIMIT = 10
_BUILTIN_LOCALE_SINCE = 17
_SHOWN_LINES = 3
_NOISE = ("LOG:  starting", "LOG:  listening", "is ready to", "is shut down", "log output")


@dataclass(frozen=True)
class Cluster:
    """The data folder at `place`, served by `binaries` as its account.

    The caller holds the start lock around every method that changes something.
    """

    place: Place
    binaries: Binaries
    extra: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def account(self) -> Account:
        return self.place.account

    def start(self) -> None:
        """Starts the server, making the data folder first where there is none."""
        if not self.place.data.exists():
            self._initialise()
        self._check_data_folder()
        make_socket_folder(self.place)
        self._configure()
        self._clear_after_crash()
        self._launch()

    def stop(self, mode: str) -> None:
        """Stops a running server; `mode` is `smart`, `fast` or `immediate`."""
        data = self.place.data
        code, output = self._control("stop", "-m", mode, limit=_STOP_LIMIT)
        if code and running_postmaster(data):
            raise EmbeddedServerError(f"the server of {data} does not stop: {_last(output)}")
        with suppress(OSError):  # it is not there, or not empty
            self.place.socket_folder.rmdir()

    # -- making ----------------------------------------------------------------------------------

    def _initialise(self) -> None:
        """Into a temporary sibling, renamed when complete: an interrupted one leaves no data.

        initdb holds a lock by itself: killed, we may have left one behind that still writes.
        """
        lock = open_lock(self.place.init_lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._remove_leftovers()
            self._make(lock)
        finally:
            os.close(lock)

    def _remove_leftovers(self) -> None:
        for leftover in self.place.home.glob("postgres.new-*"):
            shutil.rmtree(leftover)

    def _make(self, lock: int) -> None:
        fresh = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=self.place.home))
        try:
            self.account.give(fresh)
            self._run_initdb(fresh, lock)
            self._write(fresh / "pg_hba.conf", ACCESS_RULES)
            main = fresh / "postgresql.conf"
            self._write(main, f"{main.read_text()}\ninclude '{SETTINGS_FILE}'\n")
            fresh.rename(self.place.data)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _run_initdb(self, folder: Path, lock: int) -> None:
        options = ["-U", SUPERUSER, *self._options()]
        limit, held = _INIT_LIMIT, [lock]
        code, output = self._run("initdb", "-D", folder, *options, limit=limit, descriptors=held)
        if code:
            raise EmbeddedServerError(f"initdb failed in {folder}: {_last(output)}")

    def _options(self) -> list[str]:
        options = ["--encoding=UTF8", "--locale=C", "--data-checksums", "--auth=trust"]
        if self.binaries.major >= _BUILTIN_LOCALE_SINCE:
            options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if self.extra.get("fsync") == "off":
            options.append("--no-sync")
        return options

    def _check_data_folder(self) -> None:
        data = self.place.data
        try:
            major = (data / "PG_VERSION").read_text().strip()
        except OSError as error:
            raise EmbeddedServerError(
                f"{data} is not a readable PostgreSQL data folder ({error.strerror}): "
                "move it away, or run as its owner"
            ) from error
        if major != str(self.binaries.major):
            raise EmbeddedServerError(
                f"{data} was made by PostgreSQL {major} and this one is {self.binaries.version}: "
                f"move the data over with pg_upgrade or pg_dump, or move that folder away"
            )
        if not self.account.reaches(data):
            raise EmbeddedServerError(
                f"user {self.account.name} cannot reach {data} any more: "
                "let it search the parent folders (chmod o+x), or move the project"
            )

    def _configure(self) -> None:
        data = self.place.data
        path = data / SETTINGS_FILE
        if not path.exists():
            self._write(path, "")
        text = server_settings(self.place.socket_folder, lz4=self._has_lz4(), extra=self.extra)
        if path.read_text() != text:
            self._write(path, text)

    def _has_lz4(self) -> bool:
        """Whether this build takes the setting: `-C` prints a value, having checked all of them."""
        asked = ("-C", "wal_compression", "-c", "wal_compression=lz4")
        return self._run("postgres", "-D", self.place.data, *asked, limit=_INIT_LIMIT)[0] == 0

    def _write(self, path: Path, text: str) -> None:
        fresh = path.with_name(f"{path.name}.new")
        with fresh.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.chmod(0o600)
        self.account.give(fresh)
        fresh.replace(path)

    # -- running ---------------------------------------------------------------------------------

    def _clear_after_crash(self) -> None:
        """PostgreSQL believes a stale lock file whose pid is any process of its user, or a zombie.

        Its own guard, the shared memory that a live server is attached to, stays.
        """
        self._end_stragglers()
        (self.place.data / "postmaster.pid").unlink(missing_ok=True)
        for leftover in self.place.socket_folder.glob(".s.PGSQL.*"):
            leftover.unlink(missing_ok=True)

    def _end_stragglers(self) -> None:
        """Ends the processes of a killed postmaster, which would keep a new one from starting.

        pg_ctl sends the signal as the server's own user, never root: a wrong pid cannot be hit
        unless it is that user's.
        """

        def alive() -> list[int]:
            return stragglers(self.place.data, self.account.uid)

        for name in ("QUIT", "KILL"):
            for pid in alive():
                self._run("pg_ctl", "kill", name, str(pid), limit=_STRAGGLER_LIMIT)
            if wait_until(lambda: not alive(), _STRAGGLER_LIMIT):
                return
        raise EmbeddedServerError(f"processes {alive()} still work in {self.place.data}: end them")

    def _launch(self) -> None:
        data = self.place.data
        start_log = data / "start.log"
        start_log.unlink(missing_ok=True)
        # pg_ctl gives the server a session of its own, so that Ctrl-C here does not reach it.
        code, output = self._control("start", "-l", start_log, limit=_START_LIMIT)
        if code and running_postmaster(data) is None:
            raise EmbeddedServerError(
                f"the embedded PostgreSQL in {data} did not start: {self._reason(output)}"
            )

    def _control(self, action: str, *options: str | Path, limit: int) -> tuple[int, str]:
        """pg_ctl, which waits for the effect; the exit status and the output."""
        waiting = ("-s", "-w", "-t", str(limit), "-D", self.place.data)
        return self._run("pg_ctl", action, *waiting, *options, limit=limit + 10)

    def _run(
        self, program: str, *arguments: str | Path, limit: float, descriptors: Sequence[int] = ()
    ) -> tuple[int, str]:
        command = [self.binaries.folder / program, *arguments]
        return self.account.run(command, limit=limit, descriptors=descriptors)

    def _reason(self, output: str) -> str:
        logs = [self.place.data / "start.log", *(self.place.data / "log").glob("*.log")]
        written = [log for log in logs if log.exists()]
        for log in sorted(written, key=lambda path: path.stat().st_mtime, reverse=True):
            if text := log.read_text(errors="replace").strip():
                return f"{_last(text)} (log: {log})"
        return _last(output)

    def wait_ready(self) -> None:
        """Waits for a server that another command was starting when it died."""

        def settled() -> bool:
            found = running_postmaster(self.place.data)
            return found is None or found.ready

        if not wait_until(settled, _START_LIMIT):
            raise EmbeddedServerError(f"the server of {self.place.data} is not ready: see its log")


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if not any(noise in line for noise in _NOISE)]
    return " | ".join((telling or lines)[-_SHOWN_LINES:]) or "no output"
