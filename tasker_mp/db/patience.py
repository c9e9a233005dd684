"""How long to wait between attempts at a database that is in trouble."""

import random

_FIRST_SECONDS = 0.05
_LONGEST_SECONDS = 2.0
_SPREAD = 0.2
"""Everybody has lost the same server at the same moment: nobody should come back with another."""


class Patience:
    """Doubles from the first delay to the longest; each one is spread by a fifth either way."""

    def __init__(self, first: float = _FIRST_SECONDS, longest: float = _LONGEST_SECONDS) -> None:
        self._next = first
        self._longest = longest

    def delay(self) -> float:
        """Seconds to wait now; the next time it is twice as long."""
        delay, self._next = self._next, min(self._next * 2, self._longest)
        return delay * random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311
