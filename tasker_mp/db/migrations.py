"""The SQL files that make the schema: numbered migrations, and the code that is made anew."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tasker_mp.errors import EngineError

SQL_FOLDER = Path(__file__).parent / "sql"
_NAME = re.compile(r"(\d{4})_(\w+)\.sql")


class MigrationError(EngineError):
    """The migrations in the database and the ones here do not fit together, or one fails."""


@dataclass(frozen=True)
class SqlFile:
    """One file; `number` is 0 for code."""

    number: int
    name: str
    text: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class Applied:
    """A row of `tasker.schema_migrations`."""

    number: int
    name: str
    digest: str


def read_migrations(folder: Path) -> list[SqlFile]:
    """The `NNNN_name.sql` of `<folder>/migrations`, in order; numbers are unique."""
    files: list[SqlFile] = []
    for path in sorted((folder / "migrations").glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"migration {path.name} is not named NNNN_name.sql")
        number = int(match[1])
        if files and files[-1].number == number:
            raise MigrationError(f"migrations {files[-1].name} and {path.name} share a number")
        files.append(SqlFile(number, path.name, _read(path)))
    return files


def read_code(folder: Path) -> list[SqlFile]:
    """The files of `<folder>/functions`, in the order of their names."""
    return [SqlFile(0, p.name, _read(p)) for p in sorted((folder / "functions").glob("*.sql"))]


def digest_of(files: Iterable[SqlFile]) -> str:
    """One digest over names and texts."""
    joined = "\n".join(f"{file.name} {file.digest}" for file in files)
    return hashlib.sha256(joined.encode()).hexdigest()


def pending(ours: list[SqlFile], applied: list[Applied]) -> list[SqlFile]:
    """What is still to apply; `MigrationError` where the database holds what we do not know."""
    known = {file.number: file for file in ours}
    last = max((row.number for row in applied), default=0)
    if last > max(known, default=0):
        raise MigrationError(
            f"the database was migrated by a newer version (to {last:04d}; "
            f"this one knows up to {max(known, default=0):04d}): upgrade tasker-mp"
        )
    for row in applied:
        _check(row, known.get(row.number))
    missing = [file for file in ours if file.number not in {row.number for row in applied}]
    if missing and missing[0].number < last:
        raise MigrationError(
            f"migration {missing[0].name} is new but {last:04d} is applied already: "
            f"give it a number above {last:04d}"
        )
    return missing


def _check(row: Applied, file: SqlFile | None) -> None:
    if file is None:
        raise MigrationError(
            f"the database holds migration {row.name}, which is not here: use its version"
        )
    if file.digest != row.digest:
        raise MigrationError(
            f"migration {file.name} was edited after it was applied (as {row.name}): "
            "restore it, and write what changed as a new migration"
        )


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")  # any line end becomes \n
