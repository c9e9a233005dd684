"""What an operator can have done to a running supervisor."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Steer:
    """`command` is pause, resume or drain."""

    command: str


@dataclass(frozen=True)
class KillWorker:
    index: int


@dataclass(frozen=True)
class ShowStack:
    index: int


@dataclass(frozen=True)
class RetryStep:
    step: UUID
    name: str


@dataclass(frozen=True)
class CancelTask:
    task: UUID


@dataclass(frozen=True)
class Quit:
    """Leave the view; `sure` where the operator was asked already."""

    sure: bool = False


Intent = Steer | KillWorker | ShowStack | RetryStep | CancelTask | Quit
