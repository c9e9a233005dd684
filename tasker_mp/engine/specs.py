"""What each registered template says about each of its steps, encoded once for the workers."""

from typing import NamedTuple

from tasker_mp.inflight import Pace
from tasker_mp.messages import StepSpec, encode
from tasker_mp.template.event_schemas import with_event_schemas
from tasker_mp.template.growth import GrowingTemplate
from tasker_mp.template.model import StepDefinition, from_json


class CachedSpec(NamedTuple):
    encoded: bytes
    step: StepDefinition
    pace: Pace
    growing: GrowingTemplate | None


class SpecCache:
    """Step specifications by template id and step name; a registered template never changes."""

    def __init__(self, max_batches: int) -> None:
        self._max_batches = max_batches
        self._templates: dict[int, dict[str, CachedSpec]] = {}

    def known(self) -> set[int]:
        return set(self._templates)

    def add(self, template_id: int, definition: bytes) -> None:
        """Take in a template's canonical JSON as the database has it."""
        template = from_json(definition)
        grows = GrowingTemplate.grows(template)
        growing = GrowingTemplate(template, self._max_batches) if grows else None
        self._templates[template_id] = {
            step.name: CachedSpec(
                encode(StepSpec(template.namespace_name, template.name, template.version, step)),
                step,
                Pace(0.0, template.namespace_name, template.name, step.name),
                growing,
            )
            for step in (with_event_schemas(template, step) for step in template.steps)
        }

    def get(self, template_id: int, name: str) -> CachedSpec:
        return self._templates[template_id][name]
