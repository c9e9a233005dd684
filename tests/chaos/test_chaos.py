"""The short chaos run: about a hundred kills, and a ledger without a single violation."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).parents[2]
_FAULTS = {
    "kill worker": 82,
    "kill supervisor": 6,
    "kill zygote": 9,
    "kill postgres": 3,
}


@pytest.mark.timeout(300)
def test_nothing_is_lost_doubled_or_charged_wrongly_under_a_hundred_kills() -> None:
    # On a busy machine all that is killed may still be starting for as long as a short run takes.
    assert any(_faults_hit_work(seconds) for seconds in (10, 30, 60))


def _faults_hit_work(seconds: int) -> bool:
    """Whether a run, which must be without fault itself, was of more than an idle system."""
    ledger = _run(
        "--seed=20", "--steps=2500", f"--seconds={seconds}", "--stops=8", "--worker-kills=82",
        "--supervisor-kills=6", "--zygote-kills=9", "--postgres-kills=3",
    )  # fmt: skip
    assert not ledger["violations"], "\n".join(ledger["violations"])
    assert {name: ledger["faults"].get(name, 0) >= count for name, count in _FAULTS.items()} == (
        dict.fromkeys(_FAULTS, True)
    )
    assert ledger["server"]["fsync"] == ledger["server"]["synchronous_commit"] == "on"
    totals = ledger["totals"]
    assert totals["complete"] == totals["tasks"] == ledger["accepted"] > 400
    touched = totals["returned"] + totals["charged"].get("WORKER_CRASHED", 0)
    return totals["executions"] > totals["steps"] and touched > 0


def _run(*arguments: str) -> dict:
    command = [sys.executable, "-m", "tools.chaos", "--json", *arguments]
    with subprocess.Popen(
        command, cwd=_REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            output, errors = process.communicate(timeout=150)
        except BaseException:
            process.send_signal(signal.SIGTERM)  # it takes along what it has started
            raise
    assert output, errors
    ledger = json.loads(output)
    assert process.returncode == (1 if ledger["violations"] else 0)
    return ledger
