"""Check the model of the dispatch protocol with SPIN: it holds, and every broken variant does not.

    python tools/model/check.py           everything: about a minute on two cores
    python tools/model/check.py --quick   smaller models and the variants only: a few seconds

Needs `spin` and `gcc` and nothing of this project. Exit 1 where a result is not the expected one.
"""

import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

MODEL = Path(__file__).with_name("dispatch.pml")
MEMORY_MB = 900
"""Of one search; two run side by side."""
MAX_STEPS = 200_000
SEARCH_LIMIT = 300
"""Seconds for a compiler or a search, on a machine that has much else to do."""

DEADLOCK = "invalid end state"
ENDLESS = "acceptance cycle"
STATES = r"(\d+) states, stored"
ELAPSED = r"elapsed time ([\d.]+)"


class Check(NamedTuple):
    """A search of one model. `refuted` is how it must fail: a part of what SPIN says of it."""

    title: str
    macros: str
    live: bool = False
    refuted: str = ""

    @property
    def bounds(self) -> str:
        sizes = dict(re.findall(r"(EVENTS|WORKERS|FAULTS)=(\d)", self.macros))
        return (
            f"{sizes.get('EVENTS', 3)} events, {sizes.get('WORKERS', 2)} workers, "
            f"{sizes.get('FAULTS', 2)} faults"
        )


class Verdict(NamedTuple):
    check: Check
    complaint: str
    states: int
    seconds: float

    @property
    def expected(self) -> bool:
        wanted = self.check.refuted
        return wanted in self.complaint if wanted else not self.complaint

    def __str__(self) -> str:
        ending = f"refuted: {self.complaint}" if self.complaint else "holds"
        mark = "ok  " if self.expected else "FAIL"
        kind = "resolved" if self.check.live else "safety"
        return (
            f"{mark} {self.check.title:<52} {kind:<8} {self.check.bounds}  "
            f"{self.states:>9,} states {self.seconds:>5.1f} s  {ending}"
        )


GOOD = [
    Check("the protocol", "FAULTS=2"),
    Check("the protocol, two records a ring", "FAULTS=1 REQUESTS=2 RESULTS=2"),
    Check("the protocol", "FAULTS=1", live=True),
    Check("the protocol", "FAULTS=2 EVENTS=2", live=True),
]
GOOD_QUICK = [
    Check("the protocol", "FAULTS=1 EVENTS=2"),
    Check("the protocol", "FAULTS=1 EVENTS=2", live=True),
]
SCENARIOS = [
    Check("a step kills every worker after its end", "FAULTS=0 EVENTS=2 POISON", live=True),
    Check("a worker stops anywhere", "FAULTS=1 EVENTS=2 STALL_ANYWHERE", live=True),
]
BROKEN = [
    Check("publish before store", "PUBLISH_BEFORE_STORE FAULTS=0", refuted="batch[size]!=0"),
    Check("no final drain", "NO_FINAL_DRAIN FAULTS=1", refuted="answered==0"),
    Check("fate decided before death", "FATE_BEFORE_DEATH FAULTS=1", refuted="at[e]=="),
    Check("revocation without the gate", "NO_GATE FAULTS=0", refuted="assertion violated"),
    Check("a timeout for whatever ran", "TIMEOUT_FOR_ANY FAULTS=2", refuted="condemned"),
    Check(
        "no wake-up by credit",
        "NO_WAKE_ON_CREDIT FAULTS=0 EVENTS=2 WORKERS=1",
        refuted=DEADLOCK,
    ),
    Check(
        "finished when staged, not when published",
        "FAULTS=0 EVENTS=2 POISON FINISHED_WHEN_STAGED",
        live=True,
        refuted=ENDLESS,
    ),
    Check(
        "only a running step is watched",
        "FAULTS=1 EVENTS=2 STALL_ANYWHERE SILENCE_IGNORED",
        live=True,
        refuted=ENDLESS,
    ),
]


def main() -> int:
    missing = [tool for tool in ("spin", "gcc") if shutil.which(tool) is None]
    if missing:
        print(
            f"the model checker needs {' and '.join(missing)}: apt-get install spin gcc "
            "(Debian, Ubuntu), or the packages of that name elsewhere; https://spinroot.com",
            file=sys.stderr,
        )
        return 2
    good = GOOD_QUICK if "--quick" in sys.argv else GOOD
    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        verdicts = []
        for verdict in pool.map(judge, [*good, *SCENARIOS, *BROKEN]):
            print(verdict, flush=True)
            verdicts.append(verdict)
    wrong = sum(not verdict.expected for verdict in verdicts)
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(
        f"{len(verdicts)} checks, {wrong} not as expected; {time.monotonic() - began:.0f} s, "
        f"largest process {peak_mb} MiB"
    )
    return 1 if wrong else 0


def judge(check: Check) -> Verdict:
    """Generate, compile and run one verifier; seconds are those of the search."""
    with tempfile.TemporaryDirectory(prefix="tasker-mp-model-") as folder:
        said = _search(check, folder)
    return Verdict(check, _complaint(said), int(_figure(STATES, said)), _figure(ELAPSED, said))


def _search(check: Check, folder: str) -> str:
    macros = [f"-D{macro}" for macro in check.macros.split()]
    if not check.live:
        macros.append("-DSAFETY_ONLY")
    _run(["spin", "-a", *macros, str(MODEL)], folder)
    options = ["-DCOLLAPSE", f"-DMEMLIM={MEMORY_MB}"]
    options += ["-DNFAIR=3"] if check.live else ["-DSAFETY"]
    effort = "-O0" if check.refuted or "EVENTS=2" in check.macros else "-O2"
    _run(["gcc", effort, "-w", *options, "-o", "pan", "pan.c"], folder)
    # -a -f: cycles that never resolve, under weak fairness; -n: no list of unreached code.
    how = ["-a", "-f"] if check.live else []
    return _run(["./pan", *how, f"-m{MAX_STEPS}", "-n"], folder)


def _complaint(said: str) -> str:
    """What SPIN has against the model; "" where it searched all of it and found nothing."""
    if found := re.search(r"pan:1: (.*?)(?: \(at depth \d+\))?$", said, re.M):
        return found[1]
    if re.search(r"errors: 0$", said, re.M) and not re.search(r"limit|too small|not comp", said):
        return ""
    return f"the search was not completed: {said.strip()[:300]}"


def _figure(pattern: str, said: str) -> float:
    found = re.search(pattern, said)
    return float(found[1]) if found else 0.0


def _run(command: list[str], folder: str) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=SEARCH_LIMIT, check=False
    )
    if done.returncode and command[0] != "./pan":
        raise SystemExit(f"{' '.join(command)}: {(done.stdout + done.stderr).strip()[:2000]}")
    return done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main())
