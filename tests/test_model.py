"""The model checker's quick run: the model holds, every broken variant is refuted."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).parent.parent / "tools" / "model" / "check.py"
HAS_SPIN = shutil.which("spin") is not None and shutil.which("gcc") is not None


def run_check(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CHECK), "--quick"],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=100,
        check=False,
    )


@pytest.mark.long
@pytest.mark.skipif(not HAS_SPIN, reason="spin or gcc is not installed: apt-get install spin gcc")
def test_the_model_holds_and_every_broken_variant_is_refuted() -> None:
    done = run_check()
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts = done.stdout.splitlines()[:-1]
    assert all(line.startswith("ok ") for line in verdicts)
    assert sum("refuted: " in line for line in verdicts) == 8
    assert sum(line.endswith(" holds") for line in verdicts) == 4


def test_without_spin_it_says_how_to_get_it(tmp_path: Path) -> None:
    done = run_check(PATH=str(tmp_path))
    assert done.returncode == 2
    assert "apt-get install spin" in done.stderr
    assert not done.stdout
