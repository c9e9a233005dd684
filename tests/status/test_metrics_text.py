"""The metrics as Prometheus reads them: names, types, labels, cumulative buckets; the dashboard."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from snapshots import durations, seen, stages

from tasker_mp.metrics import prometheus
from tasker_mp.snapshot import OutcomeCount, StageSnapshot

_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,|$)')
_LINE = re.compile(r"([a-z_:]+)(?:\{(.+)\})? (\S+)")
_DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana.json"


class Scraped(NamedTuple):
    """`series`: (name, sorted labels) → value; `types` by the metric's name."""

    series: dict[tuple[str, tuple[tuple[str, str], ...]], float]
    types: dict[str, str]

    def value(self, name: str, **labels: str) -> float:
        return self.series[name, tuple(sorted(labels.items()))]


def scrape(text: str) -> Scraped:
    """As strict as a parser: every line is a comment or a sample, no series is there twice."""
    scraped = Scraped({}, {})
    assert text.endswith("\n")
    for line in text.removesuffix("\n").split("\n"):
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in scraped.types
            scraped.types[name] = kind
        elif not line.startswith("# HELP "):
            match = _LINE.fullmatch(line)
            assert match, line
            labels = match[2] or ""
            assert "".join(m[0] for m in _LABEL.finditer(labels)) == labels, line
            key = (match[1], tuple(sorted((m[1], m[2]) for m in _LABEL.finditer(labels))))
            assert key not in scraped.series, line
            scraped.series[key] = float(match[3])
    return scraped


def observed(**changes: Any) -> Scraped:
    return scrape(prometheus(seen(**changes)))


def test_every_series_belongs_to_a_metric_of_its_type() -> None:
    found = observed()
    for name, labels in found.series:
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        kind = found.types.get(name) or found.types[base]
        assert name.startswith("tasker_")
        assert (kind == "counter") == name.endswith("_total"), name
        assert (kind == "histogram") == (name != base and base in found.types), name
        assert ("le" in dict(labels)) == name.endswith("_bucket")


def test_values_are_those_of_the_snapshot() -> None:
    found = observed()
    steps = {"namespace": "shop", "template": "order", "step": "pay", "outcome": "succeeded"}
    assert found.value("tasker_steps_total", **steps) == 38
    assert found.value("tasker_steps_claimed_total") == 40
    assert found.value("tasker_state", state="running") == 1
    assert found.value("tasker_state", state="paused") == 0
    assert found.value("tasker_queue_depth_messages", namespace="shop") == 3
    assert found.value("tasker_queue_oldest_age_seconds", namespace="shop") == 1.5
    assert found.value("tasker_worker_busy_seconds", worker="0") == 1.0
    assert found.value("tasker_database_connections", state="busy") == 1
    assert found.value("tasker_database_tuples", kind="dead") == 3
    assert found.value("tasker_lease_age_seconds") == 1.0


def test_buckets_are_cumulative_and_in_seconds() -> None:
    run = StageSnapshot(6, 0, durations(10, 127, 128, 200, 3_000_000, 1 << 40))
    found = observed(stages=stages(1) | {"run": run})
    name = "tasker_stage_duration_seconds"
    counts = {
        dict(labels)["le"]: value
        for (series, labels), value in found.series.items()
        if series == f"{name}_bucket" and dict(labels)["stage"] == "run"
    }
    assert list(counts.values()) == sorted(counts.values())
    chosen = [counts[le] for le in ("6.4e-05", "0.000128", "0.000256", "4.1943", "+Inf")]
    assert chosen == [1, 2, 4, 5, 6]
    assert found.value(f"{name}_count", stage="run") == 6
    total = (10 + 127 + 128 + 200 + 3_000_000 + (1 << 40)) / 1e6
    assert found.value(f"{name}_sum", stage="run") == pytest.approx(total)


def test_labels_with_quotes_and_line_ends_break_nothing() -> None:
    odd = 'a"b\\c\nd'
    found = observed(outcomes=[OutcomeCount("shop", "order", odd, "failed", 1)])
    steps = {"namespace": "shop", "template": "order", "outcome": "failed"}
    assert found.value("tasker_steps_total", step='a\\"b\\\\c\\nd', **steps) == 1


def test_the_dashboard_asks_for_what_there_is() -> None:
    """Of processes that do not live here, there are no series: their names come from the types."""
    found = observed()
    known = {name for name, _ in found.series} | set(found.types)
    dashboard = json.loads(_DASHBOARD.read_text())
    asked = re.findall(r"\btasker_[a-z_]+\b", json.dumps(dashboard["panels"]))
    assert asked
    assert set(asked) <= known
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in dashboard["panels"])
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
