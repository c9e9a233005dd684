"""How many steps to ask the database for at once, so that no answer grows too large."""

from collections.abc import Collection

from tasker_mp.claimed_step import ClaimedStep

_ANSWER_BYTES = 64 << 20
_FIRST_GUESS = 256 << 10
_FADE = 0.5


class Portion:
    """Judges by the steps that came before: a large one counts at once and fades, so that the
    portions grow by and by. The first of many large ones after small ones come in one answer."""

    def __init__(self) -> None:
        self._step_bytes: float = _FIRST_GUESS

    def of(self, room: int) -> int:
        """At most `room`, at least 1 where there is any."""
        return min(room, max(1, int(_ANSWER_BYTES / self._step_bytes)))

    def note(self, steps: Collection[ClaimedStep]) -> None:
        """What has come."""
        if steps:
            size = sum(len(step.context) + len(step.dependencies) for step in steps)
            self._step_bytes = max(1, size / len(steps), self._step_bytes * _FADE)

    def refused(self, asked: int) -> None:
        """The database could not answer so many: ask for a quarter next."""
        self._step_bytes = max(self._step_bytes, _ANSWER_BYTES / max(1, asked // 4))
