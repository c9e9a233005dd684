"""Submit and follow tasks, from any process; no supervisor is needed."""

from tasker_mp.client.async_client import AsyncClient
from tasker_mp.client.client import Client
from tasker_mp.client.submission import Submission
from tasker_mp.client.task import DeadLetter, Step, Task, TaskSummary, Transition

__all__ = [
    "AsyncClient",
    "Client",
    "DeadLetter",
    "Step",
    "Submission",
    "Task",
    "TaskSummary",
    "Transition",
]
