"""A case: work in two waves for an armed project, until all of it has ended."""

import signal
from uuid import UUID

from engine_project import eventually
from fault_project import NAMESPACE, FaultProject
from fault_service import LIMIT, Launcher, Service
from points import Scenario

from tasker_mp.client.client import Client
from tasker_mp.client.submission import Submission

_FIRSTS: dict[Scenario, str] = {"slow": "slow_line", "late": "late_line"}
_OTHERS = ("diamond", "line", "diamond", "line", "diamond")


class Submitted:
    """The tasks of a case: two waves, so that work comes while the first one's results wait."""

    def __init__(self, client: Client, scenario: Scenario) -> None:
        self._client = client
        self._graphs = (
            _FIRSTS.get(scenario, "line"),
            *_OTHERS * (2 if scenario == "narrow" else 1),
        )
        self.graphs: dict[UUID, tuple[str, int]] = {}

    def first_wave(self) -> None:
        self._submit(*self._graphs)

    def second_wave(self) -> None:
        self._submit("line", "diamond")

    def _submit(self, *graphs: str) -> None:
        numbers = range(len(self.graphs) + 2, len(self.graphs) + 2 + len(graphs))
        kinds = list(zip(graphs, numbers, strict=True))
        submissions = [
            Submission(namespace=NAMESPACE, name=graph, context={"n": n}) for graph, n in kinds
        ]
        self.graphs |= zip(self._client.submit_many(submissions), kinds, strict=True)

    def all_ended(self) -> bool:
        return all(
            self._client.get_task(uuid).state not in ("pending", "in_progress")
            for uuid in self.graphs
        )


def run_case(
    launcher: Launcher, project: FaultProject, client: Client, scenario: Scenario = "plain"
) -> Submitted:
    """Run the armed case to its end: all tasks ended, the supervisor gone in peace."""
    submitted = Submitted(client, scenario)
    submitted.first_wave()
    with Service(launcher, project) as service:

        def came_far() -> bool:
            service.keep()
            return bool(project.reached()) or len(project.ledger()) >= len(submitted.graphs)

        def ended() -> bool:
            service.keep()
            return submitted.all_ended()

        eventually(came_far, LIMIT, "the first wave runs")
        submitted.second_wave()
        eventually(ended, LIMIT, "all tasks have ended")
        service.stop()
    killed = project.deaths("supervisor")
    assert service.ends == [*[-signal.SIGKILL] * killed, 0], service.ends
    project.await_quiet(15.0)
    return submitted
