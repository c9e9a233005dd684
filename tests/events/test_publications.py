"""What a worker makes of an outcome: publishers and their hooks, schemas of results and events."""

import logging
from typing import Any

import msgspec
import pytest
from msgspec import Raw
from step_ends import context, failure, spec, success

from tasker_mp.domain_events import BasePublisher, PublisherRegistry, StepEventContext
from tasker_mp.messages import StepOutcome, StepSpec, encode
from tasker_mp.publishing import Publications
from tasker_mp.template.model import EventPublication

LIMIT = 100_000


class Receipts(BasePublisher):
    """Does what `acts` says of a hook's name, and notes the hooks."""

    def __init__(self, **acts: Any) -> None:
        self.acts = acts
        self.seen: list[Any] = []

    publisher_name = "receipts"

    def _act(self, hook: str, default: Any) -> Any:
        self.seen.append(hook)
        act = self.acts.get(hook, default)
        if isinstance(act, BaseException):
            raise act
        return act

    def should_publish(self, ctx: StepEventContext) -> bool:
        return bool(self._act("should_publish", True))

    def transform_payload(self, ctx: StepEventContext) -> Any:
        got = None if ctx.result is None else dict(ctx.result)
        payload = self._act("transform_payload", {"got": got, "error": ctx.error})
        if ctx.result:
            ctx.result.clear()
        return payload

    def additional_metadata(self, ctx: StepEventContext) -> Any:
        return self._act("additional_metadata", {"channel": "mail", "task_uuid": "forged"})

    def before_publish(self, event_name: str, payload: Any, metadata: Any) -> bool:
        metadata["seen"] = event_name
        metadata["namespace"] = "forged"
        return bool(self._act("before_publish", True))

    def after_publish(self, event_name: str, payload: Any, metadata: Any) -> None:
        self._act("after_publish", None)

    def on_publish_error(self, event_name: str, error: Exception, payload: Any) -> None:
        self.seen.append((event_name, type(error).__name__, str(error)))
        self._act("on_publish_error", None)


PAID = EventPublication("paid", publisher="receipts")
HOOKS = ["should_publish", "transform_payload", "additional_metadata", "before_publish"]


def settle(of: StepSpec, outcome: StepOutcome, *publishers: BasePublisher) -> StepOutcome:
    registry = PublisherRegistry()
    for publisher in publishers:
        registry.register(publisher)
    return Publications("alpha", LIMIT, registry).settle(context(of), of, outcome)


def test_a_step_without_events_and_schema_keeps_its_very_outcome() -> None:
    outcome = success({"a": 1})
    assert settle(spec(), outcome) is outcome
    assert outcome.events == []


def test_a_checkpoint_is_no_end() -> None:
    outcome = StepOutcome(checkpoint=Raw(b"{}"))
    of = spec(EventPublication("e", condition="always"), result_schema=False)
    assert settle(of, outcome).events == []
    assert outcome.error is None


# -- publishers -----------------------------------------------------------------------------------


def test_a_publisher_makes_the_event_with_its_hooks_in_their_order() -> None:
    receipts = Receipts()
    event = settle(spec(PAID, EventPublication("raw")), success({"sum": 5}), receipts)
    assert receipts.seen == [*HOOKS, "after_publish"]
    paid, raw = event.events
    assert msgspec.json.decode(paid.payload) == {"got": {"sum": 5}, "error": None}
    metadata = msgspec.json.decode(paid.metadata)
    assert metadata["channel"] == "mail"
    assert metadata["seen"] == "paid"
    assert metadata["publisher"] == "receipts"
    # Who and where is not the publisher's to say; and what it does to its context stays there.
    assert "forged" not in metadata.values()
    assert msgspec.json.decode(raw.payload) == {"sum": 5}


def test_a_publisher_of_a_failure_is_given_the_error_and_no_result() -> None:
    declared = EventPublication("failed", condition="failure", publisher="receipts")
    outcome = settle(spec(declared), failure(), Receipts())
    payload = msgspec.json.decode(outcome.events[0].payload)
    assert payload["got"] is None
    assert payload["error"]["message"] == "card declined"


@pytest.mark.parametrize("hook", ["should_publish", "before_publish"])
def test_a_publisher_may_decline(hook: str) -> None:
    receipts = Receipts(**{hook: False})
    outcome = settle(spec(PAID), success({}), receipts)
    assert (outcome.events, outcome.error) == ([], None)
    assert receipts.seen == HOOKS[: HOOKS.index(hook) + 1]


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("kind", [RuntimeError, SystemExit])
def test_a_hook_that_raises_costs_its_event_and_never_the_step(
    hook: str, kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    receipts = Receipts(**{hook: kind("no ink")})
    outcome = settle(spec(PAID, EventPublication("raw")), success({"a": 1}), receipts)
    assert [event.name for event in outcome.events] == ["raw"]
    assert outcome.error is None
    (_, _, reason) = receipts.seen[-2]
    assert "no ink" in reason
    assert receipts.seen[-1] == "on_publish_error"
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        f"the event paid is not published: Receipts raised {kind.__name__}: no ink"
    )


def test_an_event_that_is_handed_over_goes_its_way_whatever_after_publish_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    receipts = Receipts(after_publish=ValueError("x"), on_publish_error=ValueError("y"))
    outcome = settle(spec(PAID), success({}), receipts)
    assert [event.name for event in outcome.events] == ["paid"]
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "the event paid is published all the same: Receipts raised ValueError: x",
        "Receipts.on_publish_error raised ValueError: y",
    ]


def test_what_is_no_dict_is_no_payload(caplog: pytest.LogCaptureFixture) -> None:
    receipts = Receipts(transform_payload=["a"])
    assert settle(spec(PAID), success({}), receipts).events == []
    assert "transform_payload must return a dict, not list" in caplog.text


def test_an_unknown_publisher_is_warned_of_once_and_the_default_one_publishes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    of = spec(EventPublication("paid", publisher="receipt"))
    publications = Publications("w", LIMIT, PublisherRegistry())
    publications._publishers.register(Receipts())
    for _ in range(3):
        outcome = publications.settle(context(of), of, success({"a": 1}))
        assert bytes(outcome.events[0].payload) == b'{"a":1}'
    assert [record.getMessage() for record in caplog.records] == [
        "there is no publisher 'receipt', the default one is used: did you mean 'receipts'?"
    ]


# -- schemas --------------------------------------------------------------------------------------

SUM = {"type": "object", "properties": {"sum": {"type": "integer", "maximum": 9}}}


def test_an_event_that_breaks_its_schema_fails_the_step_for_good() -> None:
    of = spec(
        EventPublication("paid", schema=SUM),
        EventPublication("other"),
        EventPublication("lost", condition="permanent_failure"),
    )
    assert [e.name for e in settle(of, success({"sum": 9})).events] == ["paid", "other"]
    outcome = settle(of, success({"sum": 10}))
    assert outcome.error is not None
    assert (outcome.error.error_code, outcome.error.retryable) == ("INVALID_EVENT", False)
    assert outcome.error.message == (
        "event 'paid' does not fit its schema: payload['sum'] is 10: "
        "10 is greater than the maximum of 9"
    )
    # What happened is a failure now: the events of a success would tell of what never was.
    assert [event.name for event in outcome.events] == ["lost"]


def test_integers_of_any_size_are_checked_exactly() -> None:
    exact = {"properties": {"sum": {"const": 6**64}}}
    of = spec(EventPublication("paid", schema=exact), result_schema=exact)
    assert settle(of, success({"sum": 6**64})).error is None
    assert settle(of, success({"sum": 6**64 + 1})).error is not None


def test_a_failure_event_that_breaks_its_schema_keeps_what_was_wrong_before(
    caplog: pytest.LogCaptureFixture,
) -> None:
    of = spec(
        EventPublication("bad", condition="always", schema={"required": ["sum"]}),
        EventPublication("lost", condition="permanent_failure"),
    )
    outcome = settle(of, failure())
    assert outcome.error is not None
    assert outcome.error.error_code == "INVALID_EVENT"
    assert "'bad'" in outcome.error.message
    assert outcome.error.message.endswith("before that the step failed: card declined")
    assert [event.name for event in outcome.events] == ["lost"]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "left out: event 'bad'" in caplog.text


def test_a_publisher_is_not_told_of_a_publication_that_its_schema_prevents() -> None:
    receipts = Receipts()
    of = spec(EventPublication("paid", publisher="receipts", schema=False))
    assert settle(of, success({}), receipts).error is not None
    assert "after_publish" not in receipts.seen


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"sum": float("nan")}, "event 'paid' cannot be encoded as JSON: result.sum is nan"),
        ({"sum": object()}, "event 'paid' cannot be encoded as JSON"),
        ({"text": "a\x00"}, "event 'paid' has a NUL character in it"),
        ({"text": "\\\x00"}, "event 'paid' has a NUL character in it"),
        ({"text": "x" * LIMIT}, "event 'paid' makes the outcome 101"),
    ],
)
def test_a_payload_that_no_queue_can_hold_fails_the_step(payload: Any, reason: str) -> None:
    outcome = settle(spec(PAID), success({}), Receipts(transform_payload=payload))
    assert outcome.error is not None
    assert outcome.error.error_code == "INVALID_EVENT"
    assert outcome.error.message.startswith(reason)
    assert outcome.events == []


def test_text_that_only_looks_like_nul_is_text() -> None:
    outcome = settle(spec(EventPublication("e")), success({"text": "\\u0000"}))
    assert (outcome.error, len(outcome.events)) == (None, 1)
    fast = spec(EventPublication("e", delivery_mode="fast"))
    assert settle(fast, success({"text": "\x00"})).error is None, "it meets no jsonb"


def test_a_result_that_breaks_its_schema_fails_the_step_for_good() -> None:
    schema = {"properties": {"rows": {"items": {"type": "string"}}}}
    of = spec(EventPublication("lost", condition="failure"), result_schema=schema)
    assert settle(of, success({"rows": ["a"]})).error is None
    outcome = settle(of, success({"rows": ["a", 7]}))
    assert outcome.error is not None
    assert (outcome.error.error_code, outcome.error.retryable) == ("INVALID_RESULT_SCHEMA", False)
    assert outcome.error.message == (
        "the result does not fit the step's result_schema: "
        """result['rows'][1] is 7: 7 is not of type "string\""""
    )
    assert [event.name for event in outcome.events] == ["lost"]
    assert bytes(outcome.result) == b"null"


def test_a_failure_and_an_empty_result_meet_the_result_schema_as_they_are() -> None:
    of = spec(result_schema={"type": "object"})
    failed = failure()
    assert settle(of, failed) is failed
    outcome = settle(of, success(None))
    assert outcome.error is not None
    assert "result is null" in outcome.error.message


def test_a_long_value_is_named_in_short() -> None:
    outcome = settle(spec(result_schema={"maxLength": 3, "type": "string"}), success("x" * 90_000))
    assert outcome.error is not None
    assert len(outcome.error.message) < 1500


def test_the_time_in_the_handler_survives_a_refusal() -> None:
    outcome = success({})
    outcome.run_ns, outcome.ended_ns = 5, 6
    refused = settle(spec(result_schema=False), outcome)
    assert (refused.run_ns, refused.ended_ns) == (5, 6)
    assert encode(refused)


def test_schemas_are_compiled_once_for_a_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    of = spec(EventPublication("e", schema=SUM), result_schema=SUM)
    publications = Publications("w", LIMIT, PublisherRegistry())
    publications.settle(context(of), of, success({"sum": 1}))
    monkeypatch.setattr("tasker_mp.publishing.SchemaCheck", None)
    assert len(publications.settle(context(of), of, success({"sum": 2})).events) == 1
