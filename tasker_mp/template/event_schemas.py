"""The schemas of a step's events: its own, or those that the template has under their names."""

from msgspec.structs import replace

from tasker_mp.template.model import StepDefinition, Template


def with_event_schemas(template: Template, step: StepDefinition) -> StepDefinition:
    """`step` with the schema of each of its events, where the step or the template has one."""
    if not step.publishes_events or not template.domain_events:
        return step
    known = {event.name: event.schema for event in template.domain_events}
    return replace(
        step,
        publishes_events=tuple(
            declared
            if declared.schema is not None
            else replace(declared, schema=known.get(declared.name))
            for declared in step.publishes_events
        ),
    )
