"""Domain events: every condition fires, nothing is told before its commit, and nothing twice."""

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from example_project import LIMIT, Example, Running

from tasker_mp.client.submission import Submission
from tasker_mp.client.task import Task

PATH = "payments/payment"
FLAKY = ["payment.attempted", "payment.failed", "payment.postponed"]
"""What is durable of an attempt that is followed by another one."""

_DOCS = Path(__file__).parents[2] / "docs" / "domain-events.md"

_EARLY = """
    select count(*) from pgmq.q_domain_events_payments q
    join tasker.steps s on s.task_uuid = (q.message #>> '{metadata,task_uuid}')::uuid
    where s.state = 'in_progress' and q.message ->> 'event_name' = 'payment.charged'
"""

_AUDIT = """
import psycopg
from pathlib import Path
from tasker_mp.domain_events import BaseSubscriber
from tasker_mp.event_bridge import EventBridge

def note(file, *words):
    with open(file, "a") as notes:
        notes.write(" ".join(map(str, words)) + "\\n")

bridge = EventBridge.instance()
bridge.subscribe("handler.registered", lambda name, cls: note("bus", "registered", name))
bridge.subscribe("step.execution.received", lambda c: note("bus", "received", c.task_uuid))
bridge.subscribe("step.completion.sent", lambda d: note("bus", d["success"], d["task_uuid"]))
bridge.subscribe("handler.error", lambda c, e: note("bus", e.error_code, c.task_uuid))
bridge.subscribe("poller.metrics", lambda metrics: note("metrics", metrics["claimed"]))

class Audit(BaseSubscriber):
    def __init__(self):
        self.connection = psycopg.connect(Path("dsn").read_text(), autocommit=True)

    @classmethod
    def subscribes_to(cls):
        return ["payment.charged"]

    def handle(self, event):
        uuid = event["metadata"]["task_uuid"]
        state = self.connection.execute(
            "select state from tasker.steps where task_uuid = %s", [uuid]).fetchone()[0]
        note("audit", uuid, state)

class Fax(Audit):
    def __init__(self):
        pass

    def handle(self, event):
        print(event["payload"])
        raise SystemExit("nobody answers")
"""


def eventually(predicate: Callable[[], Any], limit: float = LIMIT) -> Any:
    deadline = time.monotonic() + limit
    while not (value := predicate()):
        assert time.monotonic() < deadline, predicate
        time.sleep(0.02)
    return value


def payment(card: str) -> Submission:
    return Submission(namespace="payments", name="payment", context={"card": card, "cents": 5})


def durable(dsn: str) -> list[dict[str, Any]]:
    """All that is in the queue, read the way that the docs show."""
    [code] = [
        block.partition("```")[0]
        for block in _DOCS.read_text().split("```python\n")[1:]
        if "def consume" in block
    ]
    names: dict[str, Any] = {}
    exec(code, names)
    events: list[dict[str, Any]] = []
    while names["consume"](dsn, "payments", events.append):
        pass
    return events


def names(events: list[dict[str, Any]], task: Task) -> list[str]:
    return sorted(e["event_name"] for e in events if e["metadata"]["task_uuid"] == str(task.uuid))


def lines(file: str) -> list[str]:
    path = Path(file)
    return path.read_text().splitlines() if path.exists() else []


def test_every_condition_fires_after_its_commit_and_each_subscriber_for_itself(
    example: Callable[[str], Example], database: str
) -> None:
    project = example("domain_events")
    (project.root / "dsn").write_text(database)
    (project.root / "handlers" / "audit.py").write_text(_AUDIT)
    with project.running(steps__timeout=0.5) as running:
        ends = {
            card: running.run(PATH, {"card": card, "cents": 500})
            for card in ("valid", "declined", "flaky", "offline", "deadly", "hanging")
        }
        quiet = running.run(PATH, {"card": "valid", "cents": 13})
        broken = running.run(PATH, {"card": "valid", "cents": 0})
        untyped = running.run(PATH, {"card": "valid", "cents": "many"})
        early = tell_while_it_runs(running, database, 50)
        counted = running.system.status()["stats"]["domain_events"]
    # Whoever leaves tells the rest first.
    told = [json.loads(line) for line in lines("outbox.jsonl")]
    assert len(lines("audit")) == 52
    events = durable(database)
    assert {card: task.state for card, task in ends.items()} == {
        "valid": "complete", "declined": "error", "flaky": "complete",
        "offline": "error", "deadly": "error", "hanging": "error",
    }  # fmt: skip
    charged = ["payment.attempted", "payment.charged"]
    lost = ["payment.attempted", "payment.failed", "payment.lost"]
    assert names(events, ends["valid"]) == charged
    assert names(events, ends["declined"]) == lost
    assert names(events, ends["flaky"]) == sorted(charged + FLAKY)
    for card in ("offline", "deadly", "hanging"):
        assert names(events, ends[card]) == sorted(FLAKY + lost), card
    assert names(events, quiet) == ["payment.attempted"], "its publisher declines"

    assert_refused(broken, "INVALID_EVENT", "payload['cents'] is 0")
    assert names(events, broken) == lost
    assert_refused(untyped, "INVALID_RESULT_SCHEMA", """result['cents'] is "many\"""")
    assert names(events, untyped) == lost

    [receipt] = [e for e in events if e["event_name"] == "payment.charged"
                 and e["metadata"]["task_uuid"] == str(ends["valid"].uuid)]  # fmt: skip
    assert receipt["payload"] == {"receipt": "receipt of charge", "cents": 500}
    assert receipt["metadata"]["currency"] == "EUR"
    assert receipt["metadata"]["namespace"] == "payments"
    assert receipt["execution_result"]["result"] == {"cents": 500, "card": "valid"}
    [died] = [e for e in events if e["event_name"] == "payment.lost"
              and e["metadata"]["task_uuid"] == str(ends["deadly"].uuid)]  # fmt: skip
    assert died["payload"]["error"]["error_code"] == "WORKER_CRASHED"

    # Fast events reach their subscribers only, durable ones the queue only, broadcasts both.
    heard = Counter(name for name, _, _ in told)
    assert set(heard) == {"payment.charged", "payment.postponed", "payment.seen"}
    assert heard["payment.seen"] == sum(e["event_name"] == "payment.attempted" for e in events)
    assert "payment.seen" not in {e["event_name"] for e in events}
    assert {line.split()[1] for line in lines("audit")} == {"complete"}
    assert early == 0
    assert_bus(ends)
    assert counted == len(events) + heard["payment.seen"]


def tell_while_it_runs(running: Running, dsn: str, count: int) -> int:
    """Run tasks; how many events were in the queue while their step was still in progress."""
    found, done = [0], threading.Event()

    def watch() -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            while not done.is_set():
                row = connection.execute(_EARLY).fetchone()
                assert row is not None
                found[0] += row[0]

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        submission = payment("valid")
        for uuid in running.client.submit_many([submission] * count):
            assert running.client.wait(uuid, LIMIT).state == "complete"
    finally:
        done.set()
        watcher.join()
    return found[0]


def assert_bus(ends: dict[str, Task]) -> None:
    """What listeners in the workers and in the supervisor were told."""
    bus = Counter(lines("bus"))
    assert bus["registered handlers.payments.Charge"] >= 1
    declined, deadly = ends["declined"].uuid, ends["deadly"].uuid
    for word in ("received", "CARD_DECLINED", "False"):
        assert bus[f"{word} {declined}"] == 1, word
    assert (bus[f"received {deadly}"], bus[f"False {deadly}"]) == (2, 0)
    assert bus[f"True {ends['flaky'].uuid}"] == bus[f"False {ends['flaky'].uuid}"] == 1
    assert int(lines("metrics")[-1]) > 0


def assert_refused(task: Task, code: str, words: str) -> None:
    [step] = task.steps
    assert task.state == "error"
    assert step.error is not None
    assert step.error["error_code"] == code
    assert words in step.error["message"]
    assert step.attempts == 1, "another attempt would end the same"


@pytest.mark.long
def test_durable_events_are_there_exactly_once_under_killed_supervisors(
    example: Callable[[str], Example], database: str
) -> None:
    project = example("domain_events")
    submission = payment("flaky")
    uuids = []
    for _ in range(4):
        with project.running() as running:
            uuids += running.client.submit_many([submission] * 300)
            before = len(committed(database))
            eventually(lambda: len(committed(database)) > before + 50)  # noqa: B023
            os.kill(running.system.pid, signal.SIGKILL)
            eventually(lambda: not running.system.is_running())
    with project.running() as running:
        for uuid in uuids:
            assert running.client.wait(uuid, 60).state == "complete"
    told = Counter((task, name) for task, name in committed(database))
    expected = [*FLAKY, "payment.attempted", "payment.charged"]
    assert told == Counter((str(uuid), name) for uuid in uuids for name in expected)


def committed(dsn: str) -> list[tuple[str, str]]:
    """(task, event) of all that is in the queue."""
    query = (
        "select message #>> '{metadata,task_uuid}', message ->> 'event_name' "
        "from pgmq.q_domain_events_payments"
    )
    with psycopg.connect(dsn) as connection, suppress(psycopg.errors.UndefinedTable):
        return connection.execute(query).fetchall()
    return []
