"""`python -m bench compare A B`: what changed by more than the noise of the rounds."""

from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import rich_click as click

from bench.document import Document, Series
from bench.markdown import environment_rows
from bench.noise import FEWEST, SIGNIFICANT, p_value
from bench.page import number
from bench.saved import read
from tasker_mp.errors import EngineError

Verdict = Literal["better", "worse", "same", "undecided"]
_LOADS = {"load before"}
"""Of the environment, what is never the same twice."""


class IncomparableError(EngineError):
    """Two documents that have nothing in common."""

    exit_code = 2


class Change(NamedTuple):
    """One figure in both documents; `p` is the chance of such a difference without any cause."""

    before: Series
    after: Series
    verdict: Verdict
    p: float

    def line(self) -> str:
        old, new = self.before.value, self.after.value
        share = f" ({100 * (new - old) / abs(old):+.1f} %)" if old else ""
        rounds = f"{len(self.before.samples)} and {len(self.after.samples)} rounds"
        why = f"p = {self.p:.3g}, {rounds}" if self.verdict != "undecided" else rounds
        unit = self.after.unit
        told = f"{self.after.name}: {number(old)} → {number(new)} {unit}{share}"
        return f"{told}, {self.verdict} ({why})"


class Comparison(NamedTuple):
    """`other` are lines on what cannot be compared."""

    changes: list[Change]
    other: list[str]

    def of(self, *verdicts: Verdict) -> list[Change]:
        return [change for change in self.changes if change.verdict in verdicts]


def compared(one: Document, other: Document) -> Comparison:
    """Series by name; those of one document only, or of another unit, are told of."""
    before = {series.name: series for series in one.measured()}
    after = {series.name: series for series in other.measured()}
    both = [name for name in after if name in before]
    if not both:
        raise IncomparableError(
            f"nothing to compare: no figure of the first ({one.bench}) is in the second"
            f" ({other.bench})"
        )
    lines = [f"{name}: only in the first" for name in before if name not in after]
    lines += [f"{name}: only in the second" for name in after if name not in before]
    changes = []
    for name in both:
        if before[name].unit == after[name].unit:
            changes.append(_change(before[name], after[name]))
        else:
            lines.append(f"{name}: {before[name].unit} in the first, {after[name].unit} after")
    return Comparison(changes, _surroundings(one, other) + lines)


def _change(before: Series, after: Series) -> Change:
    p = p_value(before.samples, after.samples)
    if min(len(before.samples), len(after.samples)) < FEWEST:
        return Change(before, after, "same" if before.value == after.value else "undecided", p)
    if p >= SIGNIFICANT or before.value == after.value:
        return Change(before, after, "same", p)
    rose = after.value > before.value
    return Change(before, after, "better" if rose == (after.better == "higher") else "worse", p)


def _surroundings(one: Document, other: Document) -> list[str]:
    """What else differs: a machine, a setting, an interruption."""
    lines = [
        f"the {name} document is partial: its run was interrupted"
        for name, document in (("first", one), ("second", other))
        if document.interrupted
    ]
    was, is_ = dict(environment_rows(one.environment)), dict(environment_rows(other.environment))
    for name in dict.fromkeys([*was, *is_]):
        if was.get(name) != is_.get(name) and name not in _LOADS:
            lines.append(f"environment: {name}: {was.get(name, '-')} → {is_.get(name, '-')}")
    return lines


def lines_of(found: Comparison, *, everything: bool) -> list[str]:
    """A line each, the worse ones first; then how it was decided."""
    shown = [*found.other, *(c.line() for c in [*found.of("worse"), *found.of("better")])]
    shown += [change.line() for change in found.of("same", "undecided") if everything]
    same, undecided = len(found.of("same")), len(found.of("undecided"))
    tested = len(found.changes) - undecided
    if same:
        shown.append(f"{same} of {len(found.changes)} figures are the same within the noise")
    if undecided:
        shown.append(f"{undecided} undecided: with fewer than {FEWEST} rounds on either side")
    chance = f"; by chance alone about {tested * SIGNIFICANT:.1f} of {tested} would differ"
    return [*shown, f"Mann-Whitney U test, two-sided, p < {SIGNIFICANT}{chance if tested else ''}"]


def _document(found: Comparison) -> dict[str, Any]:
    changes = [
        {
            "name": change.after.name,
            "unit": change.after.unit,
            "before": change.before.value,
            "after": change.after.value,
            "verdict": change.verdict,
            "p": round(change.p, 6),
        }
        for change in found.changes
    ]
    return {"test": "Mann-Whitney U", "p": SIGNIFICANT, "changes": changes, "other": found.other}


@click.command()
@click.argument("one", metavar="A", type=click.Path(path_type=Path))
@click.argument("other", metavar="B", type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="Also what did not change.")
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON.")
def compare(one: Path, other: Path, everything: bool, as_json: bool) -> None:
    """What changed from document A to document B beyond the noise, a line each.

    By the Mann-Whitney U test on the rounds of each figure, which takes 4 of them on either side.
    """
    found = compared(read(one), read(other))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(_document(found)), indent=2).decode())
    else:
        click.echo("\n".join(lines_of(found, everything=everything)))
