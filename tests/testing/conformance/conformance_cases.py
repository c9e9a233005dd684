"""Workflows with what must come of them, inline and by the engine: data only."""

from typing import Any

from msgspec import Struct

PACKAGE = "conformance_acting"
NAMESPACE = "conformance"
LIMIT = 65536
"""[ring] max_payload_bytes of both."""

MAX_BATCHES = 4

BIG = 6**64


class Case(Struct, kw_only=True):
    """`states`: by step, all there are in the end; `attempts` of those that took another number
    than 1; `results` and `codes` (error code, or error type where it has none) by step; `delays`
    in seconds of those that were retried; `refused`: part of the submit's error."""

    name: str
    steps: list[dict[str, Any]]
    context: dict[str, Any] = {}
    input_schema: dict[str, Any] | None = None
    domain_events: list[dict[str, Any]] = []
    state: str = "complete"
    states: dict[str, str] = {}
    attempts: dict[str, int] = {}
    results: dict[str, Any] = {}
    codes: dict[str, str] = {}
    messages: dict[str, str] = {}
    delays: dict[str, list[float]] = {}
    events: list[str] = []
    refused: str | None = None

    @property
    def template(self) -> dict[str, Any]:
        given = {"input_schema": self.input_schema, "domain_events": self.domain_events}
        return {
            "name": self.name,
            "namespace_name": NAMESPACE,
            "version": "1.0.0",
            "steps": self.steps,
        } | {key: value for key, value in given.items() if value}


def step(
    name: str, *parents: str, of: str = "Act", does: str = "call", **keys: Any
) -> dict[str, Any]:
    """Tried once and without a delay, unless `retry` says otherwise."""
    retry = {"max_attempts": 1, "backoff": "none"} | keys.pop("retry", {})
    handler = {"callable": f"{PACKAGE}.{of}", "method": does}
    if "config" in keys:
        handler["initialization"] = keys.pop("config")
    return {"name": name, "dependencies": list(parents), "handler": handler, "retry": retry} | keys


def value(name: str, *parents: str) -> dict[str, Any]:
    return step(name, *parents, does="value", config={"of": name})


def retried(name: str, kind: str, attempt: int, **retry: Any) -> dict[str, Any]:
    policy = {"max_attempts": 5, "backoff": kind, "backoff_base_ms": 10} | retry
    return step(name, does="fails_before", config={"attempt": attempt}, retry=policy)


def choice(
    name: str, *parents: str, chosen: list[str] | None = None, **keys: Any
) -> dict[str, Any]:
    """A decision step must depend on another."""
    config = {} if chosen is None else {"steps": chosen}
    return step(
        name, *(parents or ("before",)), of="Choose", type="decision", config=config, **keys
    )


def cut(ranges: list[list[int]], strategy: str = "continue_on_failure", **config: Any) -> Any:
    settings = {"worker_template": "work", "failure_strategy": strategy, "cursor_field": "row"}
    config["ranges"] = ranges
    return step("cut", of="Cut", type="batchable", batch_config=settings, config=config)


def work(does: str = "call", **keys: Any) -> dict[str, Any]:
    return step("work", "cut", of="Work", does=does, type="batch_worker", **keys)


def gather(*parents: str, name: str = "gather") -> dict[str, Any]:
    return step(name, *parents, of="Gather", type="deferred_convergence")


_BRANCHES = [step("before"), step("left", "choose"), step("right", "choose")]
_BATCHES = [[0, 3], [3, 6], [6, 9]]
_WORKERS = ["work_001", "work_002", "work_003"]
_DONE = dict.fromkeys


CASES = [
    # -- what a handler may return ------------------------------------------------------------
    Case(
        name="values",
        steps=[
            *map(value, ["nothing", "text", "list", "zero", "false", "float", "empty", "point"]),
            *map(value, ["money", "wrapped", "unicode", "set", "nul"]),
            step("seen", "nothing", "text", "list", "wrapped", "unicode", "nul", does="seen"),
            step("seen_again", "seen", "nothing", does="seen"),
        ],
        context={"größe": "☃", "n": 2**80},
        results={
            "nothing": None,
            "text": {"result": "straße"},
            "list": {"result": [1, [2, {"a": None}]]},
            "zero": {"result": 0},
            "false": {"result": False},
            "empty": {},
            "point": {"x": 3, "label": "p"},
            "money": {"result": "1.10"},
            "wrapped": {"result": 5, "more": True},
            "set": {"result": [7]},
        },
    ),
    Case(
        name="values_refused",
        steps=[*map(value, ["nan", "nan_inside", "bytes", "surrogate", "object"]), value("zero")],
        state="error",
        states=_DONE(["nan", "nan_inside", "bytes", "surrogate", "object"], "error")
        | {"zero": "complete"},
        codes=_DONE(["nan", "nan_inside", "bytes", "surrogate", "object"], "INVALID_RESULT"),
    ),
    Case(
        name="big_integers",
        steps=[
            step("power", does="power", config={"to": 64}),
            step("more", "power", does="add_one"),
        ],
        context={"base": 6},
        results={"power": {"result": BIG}, "more": {"result": BIG + 1}},
    ),
    Case(
        name="depth",
        steps=[
            step("deep", does="nested", config={"levels": 256}),
            step("deeper", does="nested", config={"levels": 257}),
            step("below", "deep", of="Gather"),
        ],
        state="error",
        states={"deep": "complete", "deeper": "error", "below": "complete"},
        codes={"deeper": "INVALID_RESULT"},
        messages={"deeper": "nested 257 levels deep"},
    ),
    Case(
        name="sizes",
        steps=[
            step("too_large", does="size", config={"bytes": LIMIT}),
            step("half", does="size", config={"bytes": LIMIT * 3 // 5}),
            step("other_half", does="size", config={"bytes": LIMIT * 3 // 5}),
            step("both", "half", "other_half"),
            step("one", "half", of="Gather"),
        ],
        state="error",
        states={
            "too_large": "error",
            "half": "complete",
            "other_half": "complete",
            "both": "error",
            "one": "complete",
        },
        codes={"too_large": "INVALID_RESULT", "both": "PayloadTooLargeError"},
    ),
    Case(
        name="handlers",
        steps=[
            step("first", config={"a": [1, {"b": 2**70}]}),
            step("metadata", does="described"),
            step("waits", does="waits"),
            step("told", "first", of="tell_name"),
        ],
        context={"name": "Ada"},
        results={
            "first": {
                "inputs": {"name": "Ada"},
                "config": {"a": [1, {"b": 2**70}]},
                "same": {"a": [1, {"b": 2**70}]},
            },
            "metadata": {"a": 1},
            "waits": {"waited": True},
        },
    ),
    Case(
        name="no_handlers",
        steps=[
            step("missing", of="Nobody"),
            step("no_method", does="dance"),
            step("unmakeable", of="Unmakeable"),
            step("outside") | {"handler": {"callable": "os.path.Join"}},
            step("behind", "missing"),
            step("beside"),
        ],
        state="error",
        states=_DONE(["missing", "no_method", "unmakeable", "outside"], "error")
        | {"behind": "pending", "beside": "complete"},
        attempts={"behind": 0},
        codes=_DONE(["missing", "no_method", "unmakeable", "outside"], "HANDLER_NOT_FOUND"),
        messages={"missing": f"No handler found for {PACKAGE}.Nobody"},
    ),
    # -- failures and retries -----------------------------------------------------------------
    Case(
        name="backoff",
        steps=[
            retried("exponential", "exponential", 4),
            retried("linear", "linear", 4),
            retried("fibonacci", "fibonacci", 5),
            retried("none", "none", 3),
            retried("capped", "exponential", 4, max_backoff_ms=15),
        ],
        attempts={"exponential": 4, "linear": 4, "fibonacci": 5, "none": 3, "capped": 4},
        delays={
            "exponential": [0.01, 0.02, 0.04],
            "linear": [0.01, 0.02, 0.03],
            "fibonacci": [0.01, 0.01, 0.02, 0.03],
            "none": [0, 0],
            "capped": [0.01, 0.015, 0.015],
        },
        results={"fibonacci": {"attempt": 5, "last": True, "of": 4}},
    ),
    Case(
        name="retry_after",
        steps=[
            step(
                "asked", does="busy", config={"seconds": 0.03}, retry={"max_attempts": 2}
            ),
            step(
                "capped",
                does="busy",
                config={"seconds": 60},
                retry={"max_attempts": 2, "max_backoff_ms": 20},
            ),
        ],
        attempts={"asked": 2, "capped": 2},
        delays={"asked": [0.03], "capped": [0.02]},
    ),
    Case(
        name="exhausted",
        steps=[
            step("network", does="network", retry={"max_attempts": 2}),
            step("once", does="network", retry={"max_attempts": 9, "retryable": False}),
            step("reports", does="reports", retry={"max_attempts": 2}),
            step("exits", does="exits", retry={"max_attempts": 2}),
            step("cancels", does="cancels"),
            step("late", does="waits_and_fails", retry={"max_attempts": 2}),
        ],
        state="error",
        states=_DONE(["network", "once", "reports", "exits", "cancels", "late"], "error"),
        attempts={"network": 2, "reports": 2, "exits": 2, "late": 2},
        codes={
            "network": "E_ROUTE",
            "once": "E_ROUTE",
            "reports": "R1",
            "exits": "handler_error",
            "cancels": "handler_error",
            "late": "handler_error",
        },
        messages={"exits": "SystemExit: 3", "late": "LookupError: late"},
        delays={"network": [0], "reports": [0], "exits": [0], "late": [0]},
    ),
    Case(
        name="independent_branches",
        steps=[
            step("root"),
            step("wrong", "root", does="wrong", retry={"max_attempts": 5}),
            step("behind_wrong", "wrong"),
            step("good", "root"),
            step("better", "good", of="Gather"),
            step("both", "better", "behind_wrong"),
            step("own", does="own_word", retry={"max_attempts": 5}),
            step("forbidden", does="forbidden", retry={"max_attempts": 5}),
        ],
        state="error",
        states={
            "root": "complete",
            "wrong": "error",
            "behind_wrong": "pending",
            "good": "complete",
            "better": "complete",
            "both": "pending",
            "own": "error",
            "forbidden": "error",
        },
        attempts={"behind_wrong": 0, "both": 0},
        codes={"wrong": "WRONG", "own": "my_kind", "forbidden": "permanent_error"},
    ),
    # -- decisions ----------------------------------------------------------------------------
    Case(
        name="one_branch",
        steps=[choice("choose", chosen=["left"]), *_BRANCHES, gather("left", "right")],
        states=_DONE(["before", "choose", "left", "gather"], "complete"),
        results={"gather": {"seen": ["before", "choose", "left"]}},
    ),
    Case(
        name="both_branches",
        steps=[choice("choose", chosen=["right", "left"]), *_BRANCHES, gather("left", "right")],
        states=_DONE(["before", "choose", "left", "right", "gather"], "complete"),
    ),
    Case(
        name="no_branches",
        steps=[choice("choose"), *_BRANCHES, gather("left", "right"), step("beside")],
        states=_DONE(["before", "choose", "beside"], "complete"),
    ),
    Case(
        name="nested_decisions",
        steps=[
            choice("choose", chosen=["left", "right"]),
            *_BRANCHES,
            choice("again", "left", chosen=["far"]),
            step("far", "again"),
            step("farther", "far"),
            step("never", "again"),
            gather("right", "farther", "never"),
            step("last", "gather", of="Gather"),
        ],
        states=_DONE(
            ["before", "choose", "left", "right", "again", "far", "farther", "gather", "last"],
            "complete",
        ),
        results={
            "gather": {
                "seen": ["again", "before", "choose", "far", "farther", "left", "right"]
            }
        },
    ),
    Case(
        name="step_behind_two_decisions",
        steps=[
            choice("choose", chosen=["left", "right"]),
            *_BRANCHES,
            choice("again", "left", chosen=["joined"]),
            step("joined", "again", "right", of="Gather"),
        ],
        states=_DONE(["before", "choose", "left", "right", "again", "joined"], "complete"),
    ),
    Case(
        name="two_deciders",
        steps=[
            choice("choose", chosen=["left"]),
            *_BRANCHES,
            choice("other", chosen=["third"]),
            step("third", "other"),
            gather("left", "right", "third"),
        ],
        states=_DONE(["before", "choose", "left", "other", "third", "gather"], "complete"),
    ),
    *(
        Case(
            name=f"decision_{name}",
            steps=[choice("choose", chosen=chosen, **keys), *_BRANCHES, step("beside"), *more],
            state="error",
            states={"before": "complete", "choose": "error", "beside": "complete"},
            codes={"choose": code},
            messages={"choose": message},
        )
        for name, chosen, keys, more, code, message in [
            ("unknown", ["lef"], {}, [], "INVALID_OUTCOME", "unknown step 'lef'"),
            ("existing", ["beside"], {}, [], "INVALID_OUTCOME", "exists already"),
            ("empty", [], {}, [], "INVALID_OUTCOME", "names no step"),
            ("undecided", ["left"], {"does": "undecided"}, [], "INVALID_OUTCOME", "outcome"),
            ("refused", [], {"does": "refuses"}, [], "decision_error", "cannot decide"),
            (
                "lonely",
                ["joined"],
                {},
                [step("joined", "left", "choose")],
                "INVALID_OUTCOME",
                "waits for left",
            ),
        ]
    ),
    # -- batches ------------------------------------------------------------------------------
    Case(
        name="batches",
        steps=[cut(_BATCHES), work(), gather("work"), step("last", "gather", of="Gather")],
        states=_DONE(["cut", *_WORKERS, "gather", "last"], "complete"),
        results={
            "work_002": {
                "inputs": {
                    "cursor": {
                        "batch_id": "002", "start_cursor": 3, "end_cursor": 6, "batch_size": 3
                    },
                    "batch_metadata": {
                        "file": "f",
                        "cursor_field": "row",
                        "failure_strategy": "continue_on_failure",
                    },
                    "is_no_op": False,
                },
                "name": "work_002",
            },
            "gather": {"seen": ["cut", *_WORKERS]},
        },
    ),
    Case(
        name="no_batches",
        steps=[cut([]), work(), gather("work")],
        states=_DONE(["cut", "work_000", "gather"], "complete"),
    ),
    Case(
        name="batches_continue",
        steps=[cut(_BATCHES), work(config={"fail": ["002"]}), gather("work")],
        states=_DONE(["cut", "work_001", "work_003", "gather"], "complete")
        | {"work_002": "error"},
        codes={"work_002": "validation_error"},
        results={"gather": {"seen": ["cut", "work_001", "work_003"]}},
    ),
    Case(
        name="batches_isolate",
        steps=[cut(_BATCHES, "isolate"), work(config={"fail": ["002"]}), gather("work")],
        state="error",
        states=_DONE(["cut", "work_001", "work_003"], "complete")
        | {"work_002": "error", "gather": "pending"},
        attempts={"gather": 0},
    ),
    Case(
        name="batches_fail_fast",
        steps=[
            cut(_BATCHES, "fail_fast"),
            work("first_fails_late", retry={"max_attempts": 3, "max_backoff_ms": 60_000}),
            gather("work"),
        ],
        state="error",
        states={
            "cut": "complete",
            "work_001": "error",
            "work_002": "cancelled",
            "work_003": "cancelled",
            "gather": "pending",
        },
        attempts={"work_001": 2, "gather": 0},
        delays={"work_001": [0.2], "work_002": [30], "work_003": [30]},
    ),
    *(
        Case(
            name=f"batches_{name}",
            steps=[cut(ranges, **config), work(), gather("work"), step("beside")],
            state="error",
            states={"cut": "error", "beside": "complete"},
            codes={"cut": "INVALID_OUTCOME"},
            messages={"cut": message},
        )
        for name, ranges, config, message in [
            ("overlapping", [[0, 5], [4, 9]], {}, "overlap at 4"),
            ("negative", [[-1, 5]], {}, "from -1 to 5"),
            ("backwards", [[5, 5]], {}, "from 5 to 5"),
            ("too_many", [[n, n + 1] for n in range(5)], {}, "5 batches are more than"),
            ("of_nobody", [[0, 5]], {"worker": "wrk"}, "unknown step 'wrk'"),
            ("of_another", [[0, 5]], {"worker": "gather"}, "no batch_worker"),
        ]
    ),
    # -- checkpoints --------------------------------------------------------------------------
    Case(
        name="checkpoints",
        steps=[
            step("often", of="Yield", config={"times": 12}, retry={"max_attempts": 2}),
            step("behind", "often", of="Gather"),
            step("too_large", of="Yield", does="too_large", retry={"max_attempts": 3}),
        ],
        state="error",
        states={"often": "complete", "behind": "complete", "too_large": "error"},
        attempts={"often": 2},
        delays={"often": [0]},
        codes={"too_large": "INVALID_RESULT"},
        results={
            "often": {
                "kept": {
                    "cursor": 2**70 + 11,
                    "items_processed": 12,
                    "accumulated_results": {"sum": sum(range(12))},
                },
                "history": [[2**70 + n, n + 1] for n in range(2, 12)],
                "retry": 1,
            }
        },
    ),
    # -- what is submitted --------------------------------------------------------------------
    Case(
        name="input_schema",
        steps=[step("only")],
        context={"amount": -1},
        input_schema={"properties": {"amount": {"minimum": 0}}},
        refused="context['amount'] does not fit the input_schema",
    ),
    Case(
        name="context_of_nan",
        steps=[step("only")],
        context={"a": [float("nan")]},
        refused="nan, which JSON cannot carry",
    ),
    Case(
        name="context_too_large",
        steps=[step("only")],
        context={"a": "x" * LIMIT},
        refused="above [ring] max_payload_bytes",
    ),
    # -- what is published --------------------------------------------------------------------
    Case(
        name="events",
        domain_events=[{"name": "ended", "schema": {"required": ["loud"]}}],
        steps=[
            step(
                "power",
                does="power",
                config={"to": 64},
                publishes_events=[
                    {"name": "powered"},
                    {"name": "ended", "condition": "always", "publisher": "loud"},
                    {"name": "never", "condition": "failure"},
                    {"name": "quick", "delivery_mode": "fast"},
                    {"name": "wide", "delivery_mode": "broadcast", "publisher": "nobody"},
                ],
            ),
            step(
                "network",
                does="network",
                retry={"max_attempts": 2},
                publishes_events=[
                    {"name": "postponed", "condition": "retryable_failure"},
                    {"name": "lost", "condition": "permanent_failure"},
                    {"name": "failed", "condition": "failure"},
                ],
            ),
            step(
                "bad_event",
                publishes_events=[
                    {"name": "shaped", "schema": {"required": ["none"]}},
                    {"name": "sorry", "condition": "failure"},
                ],
            ),
            step("bad_result", result_schema={"required": ["none"]}),
            step("before"),
            choice("choose", chosen=["nowhere"])
            | {
                "publishes_events": [
                    {"name": "chosen"},
                    {"name": "unchosen", "condition": "permanent_failure"},
                ]
            },
            step(
                "too_large",
                "half",
                "other_half",
                publishes_events=[{"name": "refused", "condition": "always"}],
            ),
            step("half", does="size", config={"bytes": LIMIT * 3 // 5}),
            step("other_half", does="size", config={"bytes": LIMIT * 3 // 5}),
            step(
                "often",
                of="Yield",
                config={"times": 3},
                retry={"max_attempts": 2},
                publishes_events=[{"name": "yielded", "condition": "always"}],
            ),
        ],
        state="error",
        states={
            "power": "complete",
            "network": "error",
            "bad_event": "error",
            "bad_result": "error",
            "before": "complete",
            "choose": "error",
            "too_large": "error",
            "half": "complete",
            "other_half": "complete",
            "often": "complete",
        },
        attempts={"network": 2, "often": 2},
        delays={"network": [0], "often": [0]},
        codes={
            "bad_event": "INVALID_EVENT",
            "bad_result": "INVALID_RESULT_SCHEMA",
            "choose": "INVALID_OUTCOME",
            "too_large": "PayloadTooLargeError",
        },
        events=[
            "ended", "failed", "failed", "lost", "postponed", "powered", "quick", "refused",
            "sorry", "unchosen", "wide", "yielded", "yielded",
        ],
    ),
]  # fmt: skip
