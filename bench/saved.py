"""Documents that were saved, read again."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from bench.document import Document, decode_document
from tasker_mp.errors import EngineError

RESULTS = Path("bench") / "results"
_ORDER = (
    "run",
    "latency",
    "seeds",
    "ceiling",
    "scale",
    "transport",
    "size",
    "idle",
    "watching",
    "peers",
    "reliability",
)


class UnreadableError(EngineError):
    """A file that is no document of the bench, in one line."""

    exit_code = 2


def read(path: Path) -> Document:
    try:
        document = decode_document(path.read_bytes())
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableError(
            f"{path} is not a document of the bench ({error}): measure with --save to have one"
        ) from None
    if not document.measured() and not document.tables:
        raise UnreadableError(f"{path} holds no measurement: it ended before the first one")
    return document


def latest(folder: Path) -> list[Path]:
    """The newest document of each bench; what cannot be read is left out."""
    newest: dict[str, tuple[str, Path]] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            document = read(path)
        except UnreadableError:
            continue
        started = (document.started_at, path)
        newest[document.bench] = max(started, newest.get(document.bench, started))
    return [path for _, path in newest.values()]


def in_order(documents: Iterable[Document]) -> list[Document]:
    """As the page shows them."""
    known = {name: place for place, name in enumerate(_ORDER)}
    return sorted(documents, key=lambda d: (known.get(d.bench, len(known)), d.bench, d.started_at))
