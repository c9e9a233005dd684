"""The goals of all documents: which are met, and of those that are not, why."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

from bench.document import Document, Series
from bench.saved import UnreadableError

REASONS = "reasons.toml"
Reasons: TypeAlias = Mapping[str, Mapping[str, str]]
"""What bounds a figure, by the command that measures it and its name."""


class Goal(NamedTuple):
    """A series that has a goal; `why` is empty where it is met."""

    bench: str
    series: Series
    why: str


def goals(documents: Iterable[Document], reasons: Reasons) -> list[Goal]:
    """Those that were measured, in the documents' order."""
    return [
        Goal(document.bench, series, "" if series.met else _why(document.bench, series, reasons))
        for document in documents
        for series in document.measured()
        if series.goal is not None
    ]


def _why(bench: str, series: Series, reasons: Reasons) -> str:
    """What somebody found out; or else what the figure is."""
    return reasons.get(bench, {}).get(series.name, series.note)


def told(found: list[Goal]) -> str:
    """How many are met, in a sentence."""
    missed = sum(not goal.series.met for goal in found)
    return f"{len(found) - missed} of {len(found)} goals are met" + (
        f", {missed} missed." if missed else "."
    )


def read_reasons(folder: Path) -> Reasons:
    """Of `reasons.toml` there, none where there is no such file; `UnreadableError`.

    A table a command; in it the figures' names, each with a sentence.
    """
    path = folder / REASONS
    try:
        found = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UnreadableError(f"{path} cannot be read: {error}") from None
    for bench, sentences in found.items():
        if not isinstance(sentences, dict) or not all(
            isinstance(sentence, str) for sentence in sentences.values()
        ):
            raise UnreadableError(
                f'{path}: [{bench}] must hold lines of the form "figure" = "what bounds it"'
            )
    return found
