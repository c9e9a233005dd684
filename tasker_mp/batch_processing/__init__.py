"""Batches: an analyzer cuts the work, workers do the parts, an aggregator adds them up."""

from tasker_mp.batch_processing.aggregation import BatchAggregationScenario
from tasker_mp.batch_processing.batchable import Batchable
from tasker_mp.batch_processing.cursor import BatchWorkerConfig

__all__ = ["BatchAggregationScenario", "BatchWorkerConfig", "Batchable"]
