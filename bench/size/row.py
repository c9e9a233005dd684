"""What one measurement came to."""

from statistics import median

from msgspec import Struct


class Row(Struct, frozen=True):
    """Rates a second: `fresh` and `loaded` were measured in turn. The goal is one of the ratio of
    their medians, or of the median of `loaded` where there is nothing to compare it with."""

    measurement: str
    load: str
    unit: str
    loaded: list[float]
    fresh: list[float]
    goal: float | None
    notes: dict[str, float | str]

    @property
    def ratio(self) -> float | None:
        return round(median(self.loaded) / median(self.fresh), 3) if self.fresh else None

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        value = median(self.loaded) if self.ratio is None else self.ratio
        return value >= self.goal

    def document(self) -> dict[str, object]:
        return {
            "measurement": self.measurement,
            "load": self.load,
            "unit": self.unit,
            "loaded": round(median(self.loaded), 1),
            "fresh": round(median(self.fresh), 1) if self.fresh else None,
            "ratio": self.ratio,
            "goal": self.goal,
            "met": self.met,
            "notes": self.notes,
            "samples": {
                "loaded": [round(rate, 1) for rate in self.loaded],
                "fresh": [round(rate, 1) for rate in self.fresh],
            },
        }
