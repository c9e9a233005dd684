"""What one measurement came to."""

from msgspec import Struct

from bench.document import Series

_RATIO_NOTE = "Each loaded round by the fresh one beside it."


class Row(Struct, frozen=True):
    """Rates a second: `loaded[i]` and `fresh[i]` were measured one after the other. The goal is one
    of the median of their ratios, or of `loaded` where there is nothing to compare it with. `notes`
    are what else is known, by name."""

    measurement: str
    load: str
    unit: str
    loaded: list[float]
    fresh: list[float]
    goal: float | None
    notes: dict[str, float | str]

    @property
    def ratios(self) -> list[float]:
        return [loaded / fresh for loaded, fresh in zip(self.loaded, self.fresh, strict=False)]

    def series(self) -> list[Series]:
        """Nothing where nothing was measured."""
        if not self.loaded:
            return []
        name = f"{self.measurement}: {self.load}"
        group = f"{self.measurement}, {self.unit}"
        if not self.ratios:
            return [Series(name, self.unit, "higher", self.goal, _rounded(self.loaded, 1))]
        ratios = _rounded(self.ratios, 3)
        return [
            Series(f"{name}, ratio", "ratio", "higher", self.goal, ratios, _RATIO_NOTE, "ratio"),
            Series(name, self.unit, "higher", None, _rounded(self.loaded, 1), "", group),
            Series(f"{name}, fresh", self.unit, "higher", None, _rounded(self.fresh, 1), "", group),
        ]


def _rounded(values: list[float], digits: int) -> list[float]:
    return [round(value, digits) for value in values]
