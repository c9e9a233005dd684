"""The one form of a measurement: what a command of the bench saves, and what the report reads."""

from datetime import UTC, datetime
from statistics import median
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

Better = Literal["higher", "lower"]
Row: TypeAlias = list[str | float | None]


class Series(Struct):
    """One figure, measured several times; its value is the median of `samples`, each of a round.

    `name` is unique in the document. Series of one `group` have one unit and belong side by side.
    `goal` is one of the median; `note` says what the figure is, in one sentence.
    """

    name: str
    unit: str
    better: Better
    goal: float | None = None
    samples: list[float] = []
    note: str = ""
    group: str = ""

    @property
    def value(self) -> float:
        """Of at least one sample."""
        return median(self.samples)

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none, or nothing was measured."""
        if self.goal is None or not self.samples:
            return None
        return self.value >= self.goal if self.better == "higher" else self.value <= self.goal


class Table(Struct):
    """What is no series: text and numbers, a row a list of cells in the order of `headings`."""

    title: str
    headings: list[str]
    rows: list[Row] = []
    note: str = ""


class Document(Struct):
    """`started_at` is ISO 8601 with its offset. `problems`: what was not measured, and why.

    `environment` is flat but for `database`, the server's settings by name.
    """

    bench: str
    started_at: str
    command: str = ""
    interrupted: bool = False
    environment: dict[str, Any] = {}
    series: list[Series] = []
    tables: list[Table] = []
    problems: list[str] = []

    def measured(self) -> list[Series]:
        """The series that have samples."""
        return [series for series in self.series if series.samples]

    def record(
        self,
        name: str,
        sample: float,
        unit: str,
        better: Better,
        *,
        goal: float | None = None,
        note: str = "",
        group: str = "",
    ) -> None:
        """Add a round's value to the series of that name, which the first one makes."""
        series = next((known for known in self.series if known.name == name), None)
        if series is None:
            series = Series(name, unit, better, goal, [], note, group)
            self.series.append(series)
        series.samples.append(round(sample, 4))


def started_now() -> str:
    """For `Document.started_at`."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def encode_document(document: Document) -> str:
    """Indented JSON, without series that have no sample: they were not measured."""
    kept = msgspec.structs.replace(document, series=document.measured())
    return msgspec.json.format(msgspec.json.encode(kept), indent=2).decode()


def decode_document(text: str | bytes) -> Document:
    """`msgspec.DecodeError` (a `ValidationError` where only the form is wrong)."""
    return msgspec.json.decode(text, type=Document)
