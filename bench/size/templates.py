"""Templates that are made up for a size: one step, and one step between two behind many others."""

from tasker_mp.template.model import HandlerDefinition, StepDefinition, Template

NAMESPACE = "bench_size"
_HANDLER = HandlerDefinition("handlers.sized.Sized")


def single() -> Template:
    """One step, whose result is as large as its context."""
    return _template("single", (StepDefinition("only", _HANDLER),))


def fan(steps: int) -> Template:
    """`steps` in all: one, then all but two side by side, then one behind all of them."""
    parts = [
        StepDefinition(f"part_{number}", _HANDLER, dependencies=("start",))
        for number in range(1, steps - 1)
    ]
    end = StepDefinition("end", _HANDLER, dependencies=tuple(part.name for part in parts))
    return _template(f"fan_{steps}", (StepDefinition("start", _HANDLER), *parts, end))


def _template(name: str, steps: tuple[StepDefinition, ...]) -> Template:
    return Template(name=name, namespace_name=NAMESPACE, version="1.0.0", steps=steps)
