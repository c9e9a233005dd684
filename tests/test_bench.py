"""The benchmark harness measures what really ran."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

_REPOSITORY = Path(__file__).parent.parent


def _bench(tmp_path: Path, dsn: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    for name in ("config", "handlers"):
        shutil.copytree(_REPOSITORY / name, tmp_path / name)
    environ = os.environ | {
        "TASKER_CONFIG_PATH": str(tmp_path / "config"),
        "TASKER_MP_DATABASE__URL": dsn,
    }
    return subprocess.run(
        [sys.executable, "-m", "bench", "run", *arguments],
        cwd=_REPOSITORY,
        env=environ,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_every_pattern_is_measured_and_saved(tmp_path: Path, database: str) -> None:
    folder = tmp_path / "results"
    sizes = ("--tasks", "20", "--singles", "4", "--rounds", "2", "--workers", "1")
    done = _bench(tmp_path, database, *sizes, "--json", "--save", str(folder))
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    patterns = {row["pattern"]: row for row in document["patterns"]}
    assert list(patterns) == ["linear", "diamond", "tree", "mixed_dag", "order"]
    for row in patterns.values():
        assert (row["tasks"], row["success_rate"]) == (40, 100.0)
        assert row["steps_per_second"] > row["tasks_per_second"] > 0
        assert 0 < row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"]
    assert document["environment"]["workers"] == 1
    assert {"server_version", "fsync", "synchronous_commit"} <= set(
        document["environment"]["database"]
    )
    saved = {path.suffix for path in folder.iterdir()}
    assert saved == {".json", ".md"}


def test_an_unknown_pattern_is_refused_with_the_known_ones(tmp_path: Path, database: str) -> None:
    done = _bench(tmp_path, database, "--pattern", "circle")
    assert done.returncode == 2
    assert "circle" in done.stderr
    assert "mixed_dag" in done.stderr
