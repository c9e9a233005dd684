"""Deadline overshoot: how long after its deadline a step's whole process group is dead."""

from collections.abc import Callable
from itertools import cycle, islice

from bench.reliability.entries import Entry
from bench.reliability.figure import Figure, milliseconds
from bench.reliability.stage import FORMS, TIMEOUT_SECONDS, Stage
from bench.reliability.watch import Watch
from bench.samples import summary
from tasker_mp.errors import EngineError

_SILENCE = 30.0
_DEFINITION = (
    f"From the handler's entry (by its own clock) + timeout_seconds = {TIMEOUT_SECONDS:g} until the"
    " worker, and the child that it forked, are dead (pidfd); all workers at it at once."
)


class Deadlines:
    """Every form equally often, in turn."""

    name = "deadlines"

    def __init__(self, count: int) -> None:
        self.total = max(1, count // len(FORMS)) * len(FORMS)
        self._samples: dict[str, list[float]] = {form: [] for form in FORMS}
        self._entries: dict[int, Entry] = {}
        self._unseen = 0

    def measure(self, stage: Stage, advance: Callable[[], None]) -> None:
        with stage.serving(), Watch(stage.entries.fileno()) as watch:
            stage.submit(list(islice(cycle(FORMS), self.total)))
            done = 0
            while done < self.total:
                ends = watch.wait(_SILENCE)
                began = stage.entries.read()
                if not (ends or began):
                    raise EngineError(f"nothing began or died for {_SILENCE:g} s")
                done += sum(not self._follow(entry, watch) for entry in began)
                for pid, at_ns in ends.items():
                    if self._ended(pid, at_ns):
                        done += 1
                        advance()

    def _follow(self, entry: Entry, watch: Watch) -> bool:
        """False where one of its processes was gone before it could be watched: no sample."""
        pids = [pid for pid in (entry.pid, entry.child) if pid]
        watched = [watch.add(pid) for pid in pids]
        if not all(watched):
            self._unseen += 1
            return False
        self._entries |= dict.fromkeys(pids, entry)
        return True

    def _ended(self, pid: int, at_ns: int) -> bool:
        """Whether that was the last of a step's processes: then its sample is complete."""
        entry = self._entries.pop(pid, None)
        if entry is None or entry in self._entries.values():
            return False
        deadline = entry.at_ns + int(TIMEOUT_SECONDS * 1e9)
        self._samples[entry.form].append(milliseconds(at_ns - deadline))
        return True

    def figures(self) -> list[Figure]:
        samples = {form: found for form, found in self._samples.items() if found}
        if not samples:
            return []
        found = summary((x for values in samples.values() for x in values), 50, 99)
        forms = ", ".join(f"{form} {summary(x, 99)['p99']:.0f}" for form, x in samples.items())
        unseen = f"; {self._unseen} not seen in time" if self._unseen else ""
        return [
            Figure(
                name="deadline overshoot",
                unit="ms",
                statistic="p99",
                value=found["p99"],
                goal=250,
                measured=f"p50 {found['p50']:.0f}, p99 {found['p99']:.0f}, max {found['max']:.0f}"
                f" ms (p99 by form: {forms}{unseen})",
                count=sum(map(len, samples.values())),
                samples=samples,
                definition=_DEFINITION,
            )
        ]
