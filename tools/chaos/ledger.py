"""The result of a run, for people and as JSON."""

from collections import Counter
from collections.abc import Iterator, Mapping

from msgspec import Struct

from tools.chaos.audit import Totals
from tools.chaos.schedule import Options


class Ledger(Struct, kw_only=True):
    """`seconds` of faults, `calm_seconds` from the last fault to the last task's end."""

    options: Options
    seconds: float
    calm_seconds: float
    server: dict[str, str]
    faults: Counter[str]
    accepted: int
    repeated_submits: int
    supervisor_starts: int
    supervisor_exits: Counter[str]
    server_start_seconds: float
    descriptors: tuple[int, int]
    totals: Totals
    log: dict[str, int]
    violations: list[str]

    @property
    def ok(self) -> bool:
        return not self.violations

    def lines(self) -> Iterator[str]:
        """For people to read."""
        totals = self.totals
        calm = f"{self.calm_seconds:g} s more to the end"
        yield f"seed                {self.options.seed}"
        yield f"time                {self.seconds:g} s of faults, {calm}"
        yield f"database            {_listed(self.server)}"
        yield f"faults              {sum(self.faults.values())}: {_listed(self.faults)}"
        yield f"supervisors         {self.supervisor_starts} starts; ends by status: " + _listed(
            self.supervisor_exits
        )
        yield f"tasks               {self.accepted} accepted, {totals.complete} complete"
        yield f"repeated submits    {self.repeated_submits}"
        yield f"steps               {totals.steps}"
        yield f"executions          {totals.executions}, {totals.cut_short} of them cut short"
        yield f"run again           {totals.repeated.total()}: {_listed(totals.repeated)}"
        yield f"most runs of a step {totals.most_runs_of_a_step}"
        yield f"attempts charged    {totals.charged.total()}: {_listed(totals.charged)}"
        yield f"given back          {totals.returned}, uncharged"
        yield f"file descriptors    {self.descriptors[0]} before, {self.descriptors[1]} after"
        yield f"server's slowest start {self.server_start_seconds:g} s"
        yield f"in the log          {_listed(self.log)}"
        yield f"violations          {len(self.violations) or 'none'}"
        yield from (f"  {line}" for line in self.violations)


def _listed(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "none"
