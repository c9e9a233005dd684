"""Documents made up for the tests of what reads them."""

from pathlib import Path
from typing import Any

from bench.document import Document, Series, Table, encode_document

FAST = [100.0, 101.0, 102.0, 103.0]


def series(name: str = "linear", samples: list[float] | None = None, **fields: Any) -> Series:
    known: dict[str, Any] = {"unit": "steps/s", "better": "higher", "samples": samples or FAST}
    return Series(name, **(known | fields))


def document(*found: Series, **fields: Any) -> Document:
    machine = {"cpu": "Z80", "load before": 0.1, "database": {"fsync": "on"}}
    known: dict[str, Any] = {
        "bench": "run",
        "started_at": "2026-01-02T03:04:05+00:00",
        "command": "python -m bench run",
        "environment": machine,
        "series": list(found),
        "tables": [Table("Patterns", ["pattern", "p50 ms"], [["linear", 2.5], ["tree", None]])],
    }
    return Document(**(known | fields))


def save(path: Path, saved: Document) -> Path:
    path.write_text(encode_document(saved))
    return path
