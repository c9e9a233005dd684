import msgspec
import pytest
from stepping import context_of, run

from tasker_mp import Batchable, BatchAggregationScenario, StepHandler
from tasker_mp.errors import ValidationError
from tasker_mp.types import (
    BatchAnalyzerOutcome,
    BatchWorkerContext,
    BatchWorkerOutcome,
    CursorConfig,
    FailureStrategy,
    RustBatchWorkerInputs,
    RustCursorConfig,
    aggregate_batch_results,
    create_batches,
    no_batches,
)


class Before(Batchable, StepHandler):
    pass


class Behind(StepHandler, Batchable):
    pass


@pytest.fixture(params=[Before, Behind])
def handler(request):
    return request.param()


def bounds(configs):
    return [(config.start_cursor, config.end_cursor) for config in configs]


@pytest.mark.parametrize(
    ("total", "size", "most", "expected"),
    [
        (0, 0, None, []),
        (0, 10, None, []),
        (3, 10, None, [(0, 3)]),
        (20, 10, None, [(0, 10), (10, 20)]),
        (21, 10, None, [(0, 10), (10, 20), (20, 21)]),
        (21, 10, 2, [(0, 11), (11, 21)]),
        (21, 10, 5, [(0, 10), (10, 20), (20, 21)]),
    ],
)
def test_work_is_cut_by_size(total, size, most, expected):
    configs = Before().create_cursor_ranges(total, size, step_size=2, max_batches=most)
    assert bounds(configs) == expected
    assert all(config.step_size == 2 for config in configs)


@pytest.mark.parametrize(("total", "size"), [(5, 0), (5, -1), (-1, 5)])
def test_sizes_that_cannot_be_are_refused(total, size):
    with pytest.raises(ValueError, match=r"(batch_size|total_items) is (0|-1)"):
        Before().create_cursor_ranges(total, size)


def test_work_is_cut_by_workers():
    configs = Before().create_cursor_configs(1000, 3)
    assert [(c.cursor_start, c.cursor_end, c.row_count) for c in configs] == [
        (0, 334, 334),
        (334, 668, 334),
        (668, 1000, 332),
    ]
    assert configs[2].to_dict()["batch_id"] == "003"
    assert len(Before().create_cursor_configs(2, 5)) == 2
    assert Before().create_cursor_configs(0, 5) == []
    with pytest.raises(ValueError, match="worker_count is 0"):
        Before().create_cursor_configs(5, 0)


def test_an_analyzers_result(handler):
    outcome = handler.create_batch_outcome(150, 100, batch_metadata={"file": "a.csv"})
    result = handler.batch_analyzer_success(outcome, {"took": 1}, "load_rows")
    first = {"batch_id": "001", "start_cursor": 0, "end_cursor": 100, "batch_size": 100}
    last = {"batch_id": "002", "start_cursor": 100, "end_cursor": 150, "batch_size": 50}
    assert result.is_success
    assert result.result == {
        "batch_processing_outcome": {
            "type": "create_batches",
            "worker_template_name": "load_rows",
            "worker_count": 2,
            "cursor_configs": [first, last],
            "total_items": 150,
        },
        "worker_count": 2,
        "total_items": 150,
        "batch_metadata": {"file": "a.csv"},
    }
    assert result.metadata == {"took": 1, "batch_analyzer": True}


def test_an_analyzers_result_from_cursors_alone_counts_the_items():
    configs = [
        CursorConfig(start_cursor=0, end_cursor=5),
        CursorConfig(start_cursor=5, end_cursor=9),
    ]
    result = Before().batch_analyzer_success(cursor_configs=configs, worker_template_name="w")
    assert result.result["total_items"] == 9
    ranges = Before().create_batch_outcome_from_ranges([(0, 5), (5, 9)])
    assert Before().batch_analyzer_success(ranges, worker_template_name="w") == result


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (None, "no_cursor_configs_provided"),
        (BatchAnalyzerOutcome(), "empty_dataset"),
        (BatchAnalyzerOutcome(batch_metadata={"reason": "all seen"}), "all seen"),
    ],
)
def test_nothing_to_do_is_no_batches(outcome, reason):
    result = Before().batch_analyzer_success(outcome)
    assert result.is_success
    assert result.result["batch_processing_outcome"] == {"type": "no_batches"}
    assert result.result["reason"] == reason
    assert result.metadata == {"batch_analyzer": True, "no_batches": True}


def test_metadata_does_not_overwrite_the_outcome():
    result = Before().no_batches_outcome("empty", {"file": "a", "batch_processing_outcome": 1})
    assert result.result["batch_processing_outcome"] == {"type": "no_batches"}
    assert result.result["file"] == "a"


def test_a_workers_count_must_be_that_of_the_cursors():
    config = RustCursorConfig(batch_id="001", start_cursor=0, end_cursor=1, batch_size=1)
    assert create_batches("w", 1, [config], 1).type == "create_batches"
    assert no_batches().model_dump() == {"type": "no_batches"}
    with pytest.raises(ValueError, match="worker_count is 2, and there are 1"):
        create_batches("w", 2, [config], 1)


CURSOR = {"batch_id": "002", "start_cursor": 100, "end_cursor": 150, "batch_size": 50}
INPUTS = {
    "cursor": CURSOR,
    "batch_metadata": {"cursor_field": "id", "failure_strategy": "fail_fast", "file": "a.csv"},
    "is_no_op": False,
}
CHECKPOINT = {"cursor": 0, "items_processed": 20, "accumulated_results": {"sum": 5}, "history": []}


def test_a_worker_is_given_its_batch(handler):
    context = context_of(inputs=INPUTS)
    batch = handler.get_batch_context(context)
    assert (batch.batch_id, batch.start_cursor, batch.end_cursor) == ("002", 100, 150)
    assert (batch.batch_index, batch.step_size, batch.is_no_op) == (1, 50, False)
    assert batch.batch_metadata["file"] == "a.csv"
    assert (batch.has_checkpoint(), batch.checkpoint_cursor) == (False, None)
    assert (batch.checkpoint_items_processed, batch.accumulated_results) == (0, None)
    inputs = handler.get_batch_worker_inputs(context)
    assert (inputs.cursor.end_cursor, inputs.is_no_op) == (150, False)
    assert inputs.batch_metadata.failure_strategy is FailureStrategy.FAIL_FAST
    assert handler.handle_no_op_worker(context) is None


def test_a_worker_sees_its_checkpoint_even_at_cursor_0():
    batch = Before().get_batch_context(context_of(inputs=INPUTS, checkpoint=CHECKPOINT))
    assert (batch.has_checkpoint(), batch.checkpoint_cursor) == (True, 0)
    assert (batch.checkpoint_items_processed, batch.accumulated_results) == (20, {"sum": 5})


def test_a_step_that_is_no_worker_has_no_batch():
    assert Before().get_batch_context(context_of()) is None
    assert Before().get_batch_worker_inputs(context_of()) is None
    assert Before().get_batch_worker_inputs(context_of(inputs={"cursor": 5})) is None
    assert Before().handle_no_op_worker(context_of()) is None


def test_a_batch_may_be_given_by_the_tasks_input():
    given = {"batch_id": "b", "cursor_config": {"start_cursor": 3, "end_cursor": 9}}
    batch = BatchWorkerContext.from_step_context(context_of(context={"batch_context": given}))
    assert (batch.batch_id, batch.start_cursor, batch.end_cursor, batch.step_size) == ("b", 3, 9, 1)


def test_a_worker_with_nothing_to_do_is_told(handler):
    nothing = {"cursor": {**CURSOR, "batch_id": "000"}, "batch_metadata": {}, "is_no_op": True}
    result = handler.handle_no_op_worker(context_of(inputs=nothing))
    assert result.is_success
    assert (result.result["batch_id"], result.result["no_op"]) == ("000", True)
    assert result.result["processed_count"] == 0
    assert handler.get_batch_context(context_of(inputs=nothing)).is_no_op


def test_a_workers_result(handler):
    outcome = handler.create_worker_outcome(10, 7, 2, 1, errors=[{"row": 3}], last_cursor=9)
    result = handler.batch_worker_success(outcome, {"took": 1})
    assert result.result == {
        "items_processed": 10,
        "items_succeeded": 7,
        "items_failed": 2,
        "items_skipped": 1,
        "errors": [{"row": 3}],
        "last_cursor": 9,
        "batch_metadata": {},
    }
    assert result.metadata == {"took": 1, "batch_worker": True}
    partial = handler.batch_worker_partial_failure(outcome, "3 of 10 are bad")
    assert partial.is_success
    assert partial.result["partial_failure_message"] == "3 of 10 are bad"
    assert partial.metadata == {"batch_worker": True, "had_failures": True}


def test_a_workers_result_from_its_counts():
    result = Before().batch_worker_success(items_processed=10, items_failed=2, items_skipped=1)
    assert result.result["items_succeeded"] == 7
    none = Before().batch_worker_success(items_processed=10, items_succeeded=0, items_failed=4)
    assert none.result["items_succeeded"] == 0
    refused = Before().batch_worker_success()
    assert (refused.is_success, refused.retryable) == (False, False)


def test_a_checkpoint_is_a_result_that_is_none_yet(handler):
    result = handler.checkpoint_yield(500, 500, {"sum": 5})
    assert result.is_success
    assert result.metadata["checkpoint_yield"] is True
    assert result.result == {
        "type": "checkpoint_yield",
        "cursor": 500,
        "items_processed": 500,
        "accumulated_results": {"sum": 5},
    }
    assert "accumulated_results" not in handler.checkpoint_yield("token", 1).result


def test_a_run_adds_its_checkpoint_to_those_before():
    class Load(Batchable, StepHandler):
        def call(self, context):
            return self.checkpoint_yield(context.checkpoint_items_processed + 10, 40)

    earlier = {"cursor": 20, "items_processed": 20, "history": [{"cursor": 20}]}
    saved = msgspec.json.decode(run(Load(), context_of(checkpoint=earlier)).checkpoint)
    assert (saved["cursor"], saved["items_processed"]) == (30, 40)
    assert [kept["cursor"] for kept in saved["history"]] == [20, 30]


DONE = {
    "cut": {"batch_processing_outcome": {"type": "create_batches"}, "worker_count": 2},
    "load_001": {"items_processed": 4, "items_succeeded": 3, "errors": [{"row": 1}]},
    "load_002": {"result": {"items_processed": 6, "items_succeeded": 6}},
    "other": {"items_processed": 99},
}


def test_results_are_added_up(handler):
    scenario = handler.detect_aggregation_scenario(DONE, "cut", "load_")
    assert (scenario.is_no_batches, scenario.worker_count) == (False, 2)
    assert scenario.batch_results["load_002"] == {"items_processed": 6, "items_succeeded": 6}

    def summed(results):
        return {"total": sum(result["items_processed"] for result in results.values())}

    result = handler.aggregate_batch_worker_results(scenario, {"total": 0}, summed)
    assert result.result == {"total": 10, "worker_count": 2, "scenario": "with_batches"}
    plain = handler.aggregate_batch_worker_results(scenario)
    assert plain.result["batch_results"] == scenario.batch_results


def test_no_batches_add_up_to_what_the_author_says(handler):
    done = {"cut": {"result": {"batch_processing_outcome": {"type": "no_batches"}}}}
    scenario = handler.detect_aggregation_scenario(done, "cut", "load_")
    assert scenario.no_batches()
    result = handler.aggregate_batch_worker_results(scenario, {"total": 0})
    assert result.result == {"total": 0, "worker_count": 0, "scenario": "no_batches"}


def test_a_wrong_name_is_found_out():
    with pytest.raises(ValueError, match="Missing batchable step dependency: cuts"):
        BatchAggregationScenario.detect(DONE, "cuts", "load_")
    with pytest.raises(ValueError, match="No batch workers found with prefix 'loads_'"):
        BatchAggregationScenario.detect(DONE, "cut", "loads_")


def test_sums_of_counts():
    results = [DONE["load_001"], DONE["load_002"]["result"], None]
    summed = aggregate_batch_results(results, max_errors=0)
    assert (summed.total_processed, summed.total_succeeded, summed.batch_count) == (10, 9, 2)
    assert (summed.success_rate, summed.errors, summed.error_count) == (0.9, [], 1)
    assert aggregate_batch_results([]).success_rate == 0.0
    assert Batchable.aggregate_worker_results(results)["batch_count"] == 3


def test_records_are_plain_data_when_asked():
    outcome = BatchWorkerOutcome(items_processed=3)
    assert outcome.model_dump(exclude_none=True) == {
        "items_processed": 3,
        "items_succeeded": 0,
        "items_failed": 0,
        "items_skipped": 0,
        "results": [],
        "errors": [],
        "batch_metadata": {},
    }
    nested = BatchAnalyzerOutcome.from_ranges([(0, 5)])
    assert nested.model_dump()["cursor_configs"][0]["end_cursor"] == 5
    assert BatchAnalyzerOutcome.model_validate(nested.model_dump()) == nested
    with pytest.raises(ValidationError, match=r"RustBatchWorkerInputs: cursor\.batch_size is"):
        RustBatchWorkerInputs.model_validate({"cursor": {**CURSOR, "batch_size": "many"}})
