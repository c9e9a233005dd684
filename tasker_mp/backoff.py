"""How long a failed step waits before its next attempt."""

from tasker_mp.template.model import RetryPolicy

JITTER = 0.15
"""The largest share of a delay that jitter adds or takes."""

_LARGEST_SHIFT = 63
"""Past this many doublings every cap is reached, and the number would only grow."""


def delay(policy: RetryPolicy, attempt: int, jitter: float) -> float:
    """Seconds between failed attempt `attempt` (from 1) and the next.

    The policy's delay is capped at `max_backoff_ms` first; `jitter`, from -1 to 1, then moves it
    by up to 15 % either way, so that steps at the cap spread out as well.
    """
    capped_ms = min(policy.backoff_base_ms * _factor(policy, attempt), policy.max_backoff_ms)
    return max(capped_ms, 0) * (1 + JITTER * min(max(jitter, -1.0), 1.0)) / 1000


def _factor(policy: RetryPolicy, attempt: int) -> int:
    match policy.backoff:
        case "exponential":
            return int(1 << min(attempt - 1, _LARGEST_SHIFT))
        case "linear":
            return attempt
        case "fibonacci":
            return _fibonacci(min(attempt, _LARGEST_SHIFT))
        case "none":
            return 0


def _fibonacci(n: int) -> int:
    """1, 1, 2, 3, 5, … for n = 1, 2, 3, 4, 5, …"""
    previous, current = 0, 1
    for _ in range(n - 1):
        previous, current = current, previous + current
    return current
