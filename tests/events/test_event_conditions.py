"""Which declared events the end of an attempt leads to, and the message that each becomes."""

from itertools import product
from typing import get_args

import msgspec
import pytest
from step_ends import CORRELATION, STEP, TASK, context, entry, failure, spec, success

from tasker_mp.domain_events import InProcessDomainEvent, PublisherRegistry
from tasker_mp.messages import Published, StepOutcome
from tasker_mp.publication import default_events, fate_of, is_durable, is_fast, message_of
from tasker_mp.publishing import Publications
from tasker_mp.settle import settle, settle_crash
from tasker_mp.states import StepState
from tasker_mp.template.event_schemas import with_event_schemas
from tasker_mp.template.model import (
    DomainEvent,
    EventCondition,
    EventPublication,
    RetryPolicy,
    Template,
)

ALL = [EventPublication(f"on.{c}", condition=c) for c in get_args(EventCondition)]
NOW = 1_700_000_000.0

ENDS = {
    "success": (success({"paid": 5}), 1, {"success", "always"}),
    "tried again": (failure(), 2, {"failure", "retryable_failure", "always"}),
    "attempts used up": (failure(), 3, {"failure", "permanent_failure", "always"}),
    "not retryable": (failure(retryable=False), 1, {"failure", "permanent_failure", "always"}),
}


@pytest.mark.parametrize("end", ENDS)
def test_each_end_of_an_attempt_fires_its_conditions_and_no_others(end: str) -> None:
    outcome, attempt, conditions = ENDS[end]
    of = spec(*ALL)
    made = Publications("w", 1 << 20, PublisherRegistry()).events_of(
        context(of, attempt), of, outcome
    )
    assert {event.name for event in made} == {f"on.{condition}" for condition in conditions}


def test_a_policy_that_forbids_retries_makes_every_failure_permanent() -> None:
    of = spec(*ALL, retry=RetryPolicy(retryable=False, max_attempts=9))
    made = Publications("w", 1 << 20, PublisherRegistry()).events_of(context(of), of, failure())
    assert {e.name for e in made} == {"on.failure", "on.permanent_failure", "on.always"}


def test_worker_and_supervisor_agree_on_every_fate() -> None:
    fates = {
        StepState.COMPLETE: "success",
        StepState.WAITING_FOR_RETRY: "retryable_failure",
        StepState.ERROR: "permanent_failure",
    }
    outcomes = [success({}), failure(), failure(retryable=False)]
    for outcome, attempt, retryable, most in product(outcomes, (1, 2, 3), (True, False), (1, 3)):
        policy = RetryPolicy(retryable=retryable, max_attempts=most)
        settled = settle(entry(spec(retry=policy), attempt), outcome, 0.0)
        assert fate_of(outcome.error, policy, attempt) == fates[StepState(settled.state)]


def test_a_failure_without_a_workers_word_has_the_same_events_as_one_with_it() -> None:
    of = spec(*ALL)
    for attempt, crash_limit in ((1, 3), (3, 3), (1, 1)):
        settled = settle_crash(entry(of, attempt), 4711, "killed by SIGKILL", crash_limit)
        told = default_events(settled, "w", NOW)
        error = msgspec.json.decode(told[0].payload)["error"]
        outcome = failure(retryable=error["retryable"], message=error["message"])
        publications = Publications("w", 1 << 20, PublisherRegistry())
        made = publications.events_of(context(of, attempt), of, outcome)
        assert {e.name for e in told} == {e.name for e in made}
        assert error["attempt"] == attempt
        assert error["message"] == "worker 4711 died while it ran this step: killed by SIGKILL"
        theirs, ours = (msgspec.json.decode(e[0].metadata) for e in (made, told))
        assert theirs | {"fired_at": 0} == ours | {"fired_at": 0}


def test_the_supervisor_makes_no_events_of_a_success_and_none_that_nobody_declared() -> None:
    assert default_events(settle(entry(spec(*ALL)), success({}), 0.0), "w", NOW) == []
    assert default_events(settle(entry(spec()), failure(), 0.0), "w", NOW) == []


def test_without_a_correlation_id_the_tasks_uuid_stands_for_it() -> None:
    settled = settle(entry(spec(*ALL), correlation=None), failure(), 0.0)
    metadata = msgspec.json.decode(default_events(settled, "w", NOW)[0].metadata)
    assert metadata["correlation_id"] == str(TASK)


def message(outcome: StepOutcome, index: int = 0) -> dict[str, object]:
    of = spec(EventPublication("paid", condition="always"))
    publications = Publications("alpha", 1 << 20, PublisherRegistry())
    outcome = publications.settle(context(of), of, outcome)
    outcome.run_ns = 12_345_678
    settled = settle(entry(of), outcome, 0.0)
    document: dict[str, object] = msgspec.json.decode(message_of(outcome.events[0], settled, index))
    return document


def test_the_message_says_who_where_when_and_what_came_of_the_step() -> None:
    told = message(success({"paid": 6**64}, {"took": 3}))
    event_id, metadata = told.pop("event_id"), told.pop("metadata")
    assert told == {
        "event_name": "paid",
        "event_version": "1.0",
        "payload": {"paid": 6**64},
        "execution_result": {
            "success": True,
            "execution_time_ms": 12,
            "result": {"paid": 6**64},
        },
    }
    assert isinstance(metadata, dict)
    assert metadata.pop("fired_at").endswith("+00:00")
    assert metadata == {
        "task_uuid": str(TASK),
        "step_uuid": str(STEP),
        "step_name": "pay",
        "namespace": "shop",
        "correlation_id": CORRELATION,
        "fired_by": "alpha",
        "publisher": "default",
        "took": 3,
    }
    assert event_id == message(success({"paid": 1}))["event_id"], "of the same attempt and place"
    assert event_id != message(success({"paid": 1}), index=1)["event_id"]


def test_the_message_of_a_failure_names_the_error() -> None:
    told = message(failure())
    assert told["payload"] == {
        "error": {
            "message": "card declined",
            "error_type": "handler_error",
            "error_code": "DECLINED",
            "retryable": True,
            "attempt": 1,
        }
    }
    assert told["execution_result"] == {
        "success": False,
        "execution_time_ms": 12,
        "error_message": "card declined",
        "error_type": "handler_error",
    }


def test_a_message_reads_back_as_an_event_with_all_that_it_held() -> None:
    encoded = msgspec.json.encode(message(success({"paid": 5}, {"took": 3})))
    event = InProcessDomainEvent.from_message(encoded)
    assert event.metadata.namespace == "shop"
    assert event.execution_result is not None
    assert event.execution_result.execution_time_ms == 12
    document = event.copy_of_document()
    assert document == msgspec.json.decode(encoded)
    document["payload"]["paid"] = 6
    assert event.copy_of_document()["payload"] == {"paid": 5}


@pytest.mark.parametrize(
    ("mode", "durable", "fast"),
    [("durable", True, False), ("fast", False, True), ("broadcast", True, True)],
)
def test_each_delivery_mode_has_its_ways(mode: str, durable: bool, fast: bool) -> None:
    event = Published("e", mode, msgspec.Raw(b"{}"))
    assert (is_durable(event), is_fast(event)) == (durable, fast)


def test_an_event_without_a_schema_has_the_templates_one_of_its_name() -> None:
    own = EventPublication("own", schema={"type": "array"})
    step = spec(own, EventPublication("paid"), EventPublication("free")).step
    template = Template(
        "shop",
        "order",
        "1.0.0",
        (step,),
        domain_events=(DomainEvent("paid", schema=False), DomainEvent("own", schema=True)),
    )
    found = with_event_schemas(template, step).publishes_events
    assert [event.schema for event in found] == [{"type": "array"}, False, None]
