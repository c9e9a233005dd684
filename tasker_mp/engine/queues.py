"""Which queues to claim from, and in which order: priorities first, namespaces in turn."""

from collections.abc import Iterable

_PRIORITY_SUFFIXES = ("_high", "", "_low")


class QueueOrder:
    """Queues that may have work ("wet"), and a turn that moves on with every claim."""

    def __init__(self, namespaces: Iterable[str]) -> None:
        self._names = list(namespaces)
        self.all = [
            f"worker_{namespace}_queue{suffix}"
            for suffix in _PRIORITY_SUFFIXES
            for namespace in self._names
        ]
        self._known = set(self.all)
        self.wet: set[str] = set()
        self._turn = 0

    def mark_wet(self, queues: Iterable[str]) -> None:
        """These may have work; those that are not served here are passed over."""
        self.wet.update(self._known.intersection(queues))

    def take_wet(self) -> list[str]:
        """The wet queues, dry from now on unless somebody says otherwise: all of high priority,
        then the ordinary, then the low; in each of these the namespaces in turn."""
        count = len(self._names)
        taken = [
            queue
            for start in range(0, len(self.all), count or 1)
            for queue in self._in_turn(self.all[start : start + count])
            if queue in self.wet
        ]
        self.wet.clear()
        self._turn += 1
        return taken

    def _in_turn(self, queues: list[str]) -> list[str]:
        start = self._turn % len(queues)
        return queues[start:] + queues[:start]
