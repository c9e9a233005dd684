"""What a run found wrong: counted by kind, with the first cases in full."""

from collections import defaultdict
from typing import Final

_SHOWN: Final = 5


class Findings:
    """Empty where everything held."""

    def __init__(self) -> None:
        self._cases: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, kind: str, case: object) -> None:
        self._cases[kind].append(str(case))

    def expect(self, kind: str, found: object, expected: object) -> None:
        """A finding unless the two are equal."""
        if found != expected:
            self.add(kind, f"{found} instead of {expected}")

    def __bool__(self) -> bool:
        return bool(self._cases)

    def lines(self) -> list[str]:
        """One a kind, and one each of its first cases."""
        found = []
        for kind, cases in self._cases.items():
            found.append(f"{kind}: {len(cases)}")
            found += [f"    {case}" for case in cases[:_SHOWN]]
        return found

    def counts(self) -> dict[str, int]:
        return {kind: len(cases) for kind, cases in self._cases.items()}
