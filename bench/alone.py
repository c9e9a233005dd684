"""Tasks one at a time, on a system that is idle otherwise."""

import time

from bench.flow import Flow
from bench.patterns import Pattern
from bench.project import Served
from bench.usage import Meter

_LIMIT = 60.0


def one_at_a_time(served: Served, pattern: Pattern, count: int, meter: Meter) -> Flow:
    """`count` of them, each from before its submit until its waiter has it."""
    latencies, failed = [], 0
    before = meter.read()
    for _ in range(count):
        started = time.perf_counter()
        task = served.client.submit(pattern.namespace, pattern.template, pattern.context)
        ended = served.client.wait(task.uuid, timeout=_LIMIT)
        latencies.append((time.perf_counter() - started) * 1000)
        failed += ended.state != "complete"
    return Flow(failed, sorted(latencies), meter.read().since(before))
