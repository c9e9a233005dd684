"""The mixin of every handler that has to do with batches."""

from tasker_mp.batch_processing.aggregator import Aggregator
from tasker_mp.batch_processing.analyzer import Analyzer
from tasker_mp.batch_processing.worker import Worker


class Batchable(Analyzer, Worker, Aggregator):
    """Cuts work into batches, does one of them, or adds their results up.

    Mix it into a `StepHandler`, before or behind it:

    >>> from tasker_mp import StepHandler
    >>> class Analyze(StepHandler, Batchable):
    ...     def call(self, context):
    ...         outcome = self.create_batch_outcome(total_items=1000, batch_size=400)
    ...         return self.batch_analyzer_success(outcome, worker_template_name="load_rows")
    >>> done = Analyze().call(None).result["batch_processing_outcome"]
    >>> done["worker_count"], done["cursor_configs"][2]
    (3, {'batch_id': '003', 'start_cursor': 800, 'end_cursor': 1000, 'batch_size': 200})
    """
