"""What a death interrupts: a supervisor that works off a backlog."""

from bench.reliability.patience import until
from bench.reliability.probe import Probe
from bench.reliability.service import Service
from bench.reliability.stage import Stage

_DRAIN_LIMIT = 120.0


def put_under_load(stage: Stage, service: Service, tasks: int) -> None:
    """Until it finishes steps of `tasks` more tasks, and holds others."""
    with stage.probe() as probe:
        supervisor = probe.supervisor(service.pid)
        before = probe.completions()
        stage.submit_linear(tasks)
        until(lambda: probe.completions() > before, "steps finish")
        until(lambda: probe.claims(supervisor) > 0, "the supervisor holds steps")


def await_end(probe: Probe) -> None:
    """Until nothing is left to do: what one death left behind must not count for the next."""
    until(lambda: probe.open_tasks() == 0, "all tasks end", _DRAIN_LIMIT)
