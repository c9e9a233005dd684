"""The overrides of the running environment, applied to a template's values."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

ALL_STEPS: Final = "ALL"
"""An override under this name is for every step; one that names a step goes before it."""


def resolved(template: Mapping[str, Any], environment: str) -> dict[str, Any]:
    """The valid template without its `environments` block, which is applied for this environment.

    `handler.initialization` and `retry` merge key by key, `timeout_seconds` replaces.
    """
    result = {key: value for key, value in template.items() if key != "environments"}
    block = template.get("environments", {}).get(environment, {})
    overrides = block.get("steps", [])
    if overrides:
        result["steps"] = [_overridden(step, overrides) for step in template["steps"]]
    return result


def _overridden(
    step: Mapping[str, Any], overrides: Iterable[Mapping[str, Any]]
) -> Mapping[str, Any]:
    general = [override for override in overrides if override["name"] == ALL_STEPS]
    own = [override for override in overrides if override["name"] == step["name"]]
    for override in [*general, *own]:
        step = _merged(step, override)
    return step


def _merged(step: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(step)
    initialization = override.get("handler", {}).get("initialization", {})
    if initialization:
        handler = result["handler"]
        merged = {**handler.get("initialization", {}), **initialization}
        result["handler"] = {**handler, "initialization": merged}
    if "timeout_seconds" in override:
        result["timeout_seconds"] = override["timeout_seconds"]
    if "retry" in override:
        result["retry"] = {**result.get("retry", {}), **override["retry"]}
    return result
