"""Files that a command makes for its user: all of them or none, and never over another one."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tasker_mp.errors import EngineError, InvalidInputError


def write_new(root: Path, files: Mapping[str, str]) -> None:
    """Write the files, by their paths below `root`; `InvalidInputError` names what is in the way,
    `EngineError` says why one cannot be written, and then there is none of them."""
    _refuse_what_is_there(root, files)
    made: list[Path] = []
    try:
        for name, text in files.items():
            _make_folders((root / name).parent, made)
            with (root / name).open("x", encoding="utf-8") as file:
                made.append(root / name)
                file.write(text)
    except BaseException as error:
        _take_back(made)
        if isinstance(error, OSError):
            raise EngineError(
                f"cannot write {error.filename or root}: {error.strerror}; nothing was made"
            ) from error
        raise


def _refuse_what_is_there(root: Path, files: Mapping[str, str]) -> None:
    there = [name for name in files if (root / name).is_symlink() or (root / name).exists()]
    if there:
        raise InvalidInputError(
            f"{root} has {', '.join(there)} already: nothing was written; move away what is there, "
            "or choose another place"
        )
    for name in files:
        for folder in (root / name).parents:
            if folder.exists() and not folder.is_dir():
                raise InvalidInputError(
                    f"{folder} is a file, and should be a folder: nothing was written; "
                    "move it away, or choose another place"
                )


def _make_folders(folder: Path, made: list[Path]) -> None:
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir()
        made.append(place)


def _take_back(made: list[Path]) -> None:
    for path in reversed(made):
        with suppress(OSError):  # somebody else has put something there meanwhile
            path.rmdir() if path.is_dir() else path.unlink()
