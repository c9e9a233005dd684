"""Where the embedded server of a project keeps its data, locks and socket."""

import hashlib
import os
import shutil
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from tasker_mp.db.account import Account, server_account
from tasker_mp.db.binaries import EmbeddedServerError

SHARED_HOME = Path("/var/lib/tasker-mp")
# Not $TMPDIR: the place must be the same for every command, and a socket's path fits 108 bytes.
_SOCKETS = Path("/tmp")  # noqa: S108  the folder made there is 0700 and its owner is checked


@dataclass(frozen=True)
class Place:
    """The folders and files of one project's embedded server, and the user that serves them.

    Nothing of it is created yet.
    """

    root: Path
    home: Path
    socket_folder: Path
    account: Account

    @property
    def data(self) -> Path:
        return self.home / "postgres"

    @property
    def start_lock(self) -> Path:
        return self.home / "postgres.start.lock"

    @property
    def users_lock(self) -> Path:
        return self.home / "postgres.users.lock"

    @property
    def init_lock(self) -> Path:
        return self.home / "postgres.init.lock"

    @property
    def stay_marker(self) -> Path:
        return self.home / "postgres.stay"

    def beside_project(self) -> bool:
        return self.home.parent == self.root

    def remove_data(self) -> None:
        """Deletes what a stopped server leaves: its data and its socket's folder."""
        for folder in (self.data, self.socket_folder):
            if folder.exists() and folder.stat().st_uid in (self.account.uid, os.geteuid()):
                shutil.rmtree(folder)


def place_of(root: Path) -> Place:
    """`<root>/.tasker`, or below /var/lib where root's server account cannot reach that folder.

    What exists decides before permissions do, so a place once taken is found again.
    """
    root = root.resolve()
    if not root.is_dir():
        raise EmbeddedServerError(f"the project folder {root} does not exist")
    name = hashlib.sha256(f"{os.geteuid()}:{root}".encode()).hexdigest()[:16]
    beside, away = root / ".tasker", SHARED_HOME / name
    home = away if os.geteuid() == 0 and _taken(away) and not _taken(beside) else beside
    account = server_account(home / "postgres")
    if not _taken(home) and not account.reaches(home if home.is_dir() else root):
        home = away
    return Place(root, home, _SOCKETS / f"tasker-mp-{name}", account)


def open_lock(path: Path) -> int:
    """A descriptor to `flock`; no program that we start inherits it."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _taken(home: Path) -> bool:
    try:
        return (home / "postgres").exists()
    except PermissionError:
        return True  # somebody else's, and the first use of it will say so


def make_home(place: Place) -> None:
    """Creates the folder of the data and the locks, and says so where that is not the project's."""
    if place.home.is_dir():
        return
    # As root the server's account passes through: it may search here, and nothing more.
    mode = 0o711 if place.account.switch else 0o700
    if not place.beside_project():
        make_shared_home()
    place.home.mkdir(exist_ok=True)
    place.home.chmod(mode)
    if not place.beside_project():
        (place.home / "project").write_text(f"{place.root}\n")
        sys.stderr.write(
            f"tasker-mp: user {place.account.name} cannot reach {place.root}; "
            f"the embedded PostgreSQL keeps its data in {place.data}\n"
        )


def make_shared_home() -> None:
    """Creates the folder for what root's server account cannot reach elsewhere."""
    if not SHARED_HOME.is_dir():
        SHARED_HOME.mkdir(parents=True, exist_ok=True)
        SHARED_HOME.chmod(0o755)  # whatever root's umask is


def make_socket_folder(place: Place) -> None:
    """Creates the socket's 0700 folder; refuses one that another user made."""
    folder, account = place.socket_folder, place.account
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    trusted = {account.uid, os.geteuid()}
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in trusted:
        raise EmbeddedServerError(
            f"{folder} belongs to uid {status.st_uid}, not to {account.name}: remove it"
        )
    account.give(folder)
    folder.chmod(0o700)
