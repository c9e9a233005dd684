"""Which queues to claim from, and in which order: priorities first, namespaces in turn."""

from collections.abc import Iterable

_PRIORITY_SUFFIXES = ("_high", "", "_low")


class QueueOrder:
    """Namespaces that may have work ("wet"), and a turn that moves on with every claim."""

    def __init__(self, namespaces: Iterable[str]) -> None:
        self.namespaces = list(namespaces)
        self.wet: set[str] = set()
        self._turn = 0

    def mark_wet(self, *namespaces: str) -> None:
        self.wet.update(namespaces)

    def take_wet(self) -> list[str]:
        """The wet namespaces in turn, dry from now on unless somebody says otherwise."""
        taken = [name for name in self._in_turn() if name in self.wet]
        self.wet.clear()
        self._turn += 1
        return taken

    def in_order(self, namespaces: Iterable[str]) -> list[str]:
        """The queues of `namespaces`: all of high priority, then the ordinary, then the low."""
        names = list(namespaces)
        return [
            f"worker_{namespace}_queue{suffix}"
            for suffix in _PRIORITY_SUFFIXES
            for namespace in names
        ]

    def _in_turn(self) -> list[str]:
        if not self.namespaces:
            return []
        start = self._turn % len(self.namespaces)
        return self.namespaces[start:] + self.namespaces[:start]
