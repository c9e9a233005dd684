"""The operating-system user that the embedded server runs as."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_FOR_ROOT = ("postgres", "nobody")
_TIMED_OUT = 124  # as timeout(1) says it


@dataclass(frozen=True)
class Account:
    """A user; `switch` says that we are root, and a program of the server must become it."""

    name: str
    uid: int
    gid: int
    switch: bool

    def run(
        self, command: Sequence[str | Path], *, limit: float, descriptors: Sequence[int] = ()
    ) -> tuple[int, str]:
        """Runs a program as this user for at most `limit` seconds: its exit status and output.

        It gets no standard input, no environment of ours that could steer PostgreSQL (`PGDATA`,
        `PGOPTIONS`, …), and no other descriptor of ours than `descriptors`, so that a server
        started by it keeps no lock.
        """
        try:
            done = subprocess.run(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=limit,
                check=False,
                text=True,
                errors="replace",
                cwd="/",
                env=_clean_environment(),
                umask=0o077,
                pass_fds=descriptors,
                start_new_session=True,
                user=self.uid if self.switch else None,
                group=self.gid if self.switch else None,
                extra_groups=[] if self.switch else None,
            )
        except subprocess.TimeoutExpired:
            return _TIMED_OUT, f"{command[0]} did not end within {limit:.0f} s"
        return done.returncode, done.stdout.strip()

    def reaches(self, folder: Path) -> bool:
        """Whether this user may look into `folder`, judged by the permission bits of the path."""
        if not self.switch:
            return os.access(folder, os.X_OK)
        folder = folder.resolve()
        return all(self._may_search(part) for part in (folder, *folder.parents))

    def _may_search(self, folder: Path) -> bool:
        status = folder.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & 0o100)
        if status.st_gid == self.gid:
            return bool(status.st_mode & 0o010)
        return bool(status.st_mode & 0o001)

    def give(self, path: Path) -> None:
        """Makes `path` this user's."""
        if self.switch:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def server_account(data: Path) -> Account:
    """Who serves the folder `data`: for root, which PostgreSQL refuses, its owner if it exists.

    Else root takes `postgres` where that user exists, or `nobody`; anybody else is it himself.
    """
    if os.geteuid() != 0:
        return Account(_name_of(os.geteuid()), os.geteuid(), os.getegid(), switch=False)
    owner = data.stat() if data.exists() else None
    if owner and owner.st_uid != 0:
        return Account(_name_of(owner.st_uid), owner.st_uid, owner.st_gid, switch=True)
    for name in _FOR_ROOT:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid, switch=True)
    return Account("nobody", 65534, 65534, switch=True)


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _clean_environment() -> dict[str, str]:
    kept = {k: os.environ[k] for k in ("LD_LIBRARY_PATH", "TZDIR") if k in os.environ}
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", **kept}
