"""How many lines somebody may write in a second."""

_WINDOW_SECONDS = 1.0


class Budget:
    """`lines` in each second, from the first that comes after the last one; times in seconds."""

    def __init__(self, lines: int) -> None:
        self.dropped = 0
        self._lines = lines
        self._left = lines
        self._since = 0.0

    def exhausted(self, now: float) -> bool:
        """Whether there is no room for a line."""
        if self._left:
            return False
        if now - self._since < _WINDOW_SECONDS:
            return True
        self._left = self._lines
        return False

    def allows(self, now: float) -> bool:
        """Whether one more line may be written; else it counts as dropped."""
        if self.exhausted(now):
            self.dropped += 1
            return False
        if now - self._since >= _WINDOW_SECONDS:
            self._since, self._left = now, self._lines
        self._left -= 1
        return True

    def take_dropped(self) -> int:
        """How many lines were dropped since the last time."""
        dropped, self.dropped = self.dropped, 0
        return dropped
