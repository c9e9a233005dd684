"""Which arguments a handler function is called with: earlier results, inputs, the context."""

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from tasker_mp.context import StepContext
from tasker_mp.conversion import ModelField, converted, fields_of
from tasker_mp.errors import ConfigurationError, ValidationError

Function = Callable[..., Any]
Source = Callable[[StepContext], Any]

CONTEXT_NAMES = ("context", "_context")


class Injection(NamedTuple):
    """Where each argument comes from; made once for a handler, used for every step."""

    sources: tuple[tuple[str, Source], ...]
    parameters: Mapping[str, inspect.Parameter]

    def arguments(self, context: StepContext) -> dict[str, Any]:
        """The arguments for one step; `ValidationError` where its data does not fit a model."""
        return {name: source(context) for name, source in self.sources}


def depends_on(**deps: str | tuple[str, Any]) -> Callable[[Function], Function]:
    """Pass the results of earlier steps: `cart="validate_cart"` as they are, None where there is
    none, and `cart=("validate_cart", Cart)` as an instance of the model `Cart`."""

    def decorate(function: Function) -> Function:
        named = dict(_named(param, value) for param, value in deps.items())
        models = {param: value[1] for param, value in deps.items() if isinstance(value, tuple)}
        attributes = vars(function)
        attributes["_depends_on"] = {**attributes.get("_depends_on", {}), **named}
        attributes["_dep_models"] = {**attributes.get("_dep_models", {}), **models}
        return function

    return decorate


def inputs(*keys_or_model: str | Any) -> Callable[[Function], Function]:
    """Pass values of the task's input, each under its key and None where it is missing; or, given
    one model, all of them as an instance of it, in the parameter `inputs`. A field without a
    default that may be None is None where it is missing."""

    def decorate(function: Function) -> Function:
        attributes = vars(function)
        if all(isinstance(key, str) for key in keys_or_model):
            attributes["_inputs"] = [*attributes.get("_inputs", []), *keys_or_model]
        elif len(keys_or_model) == 1:
            attributes["_input_model"] = keys_or_model[0]
        else:
            raise TypeError(f"@inputs takes keys or one model, not {keys_or_model!r}")
        return function

    return decorate


def injection_of(function: Function, provided: Mapping[str, Source]) -> Injection:
    """How `function` is to be called, from what `depends_on` and `inputs` noted on it.

    `provided` are passed only where the function has a parameter of that name. Raises
    `ConfigurationError` where a parameter is given by nothing, or something has no parameter.
    """
    parameters = inspect.signature(function).parameters
    sources = {**_dependencies(function), **_inputs(function)}
    offered: dict[str, Source] = {**provided, **dict.fromkeys(CONTEXT_NAMES, lambda c: c)}
    sources |= {name: offered[name] for name in parameters if name in offered}
    _require_match(function, parameters, sources)
    return Injection(tuple(sources.items()), parameters)


def _named(param: str, value: str | tuple[str, Any]) -> tuple[str, str]:
    step = value[0] if isinstance(value, tuple) and len(value) == 2 else value
    if not isinstance(step, str):
        raise TypeError(f"@depends_on: {param} is {value!r}, not a step's name or (name, Model)")
    return param, step


def _dependencies(function: Function) -> dict[str, Source]:
    models = getattr(function, "_dep_models", {})
    named: dict[str, str] = getattr(function, "_depends_on", {})
    return {param: _dependency(step, models.get(param)) for param, step in named.items()}


def _dependency(step: str, model: Any) -> Source:
    if model is None:
        return lambda context: context.get_dependency_result(step)

    def source(context: StepContext) -> Any:
        result = context.get_dependency_result(step)
        if result is None:
            return None  # a branch that was not taken
        return converted(result, model, f"the result of step '{step}'")

    return source


def _inputs(function: Function) -> dict[str, Source]:
    keys: list[str] = getattr(function, "_inputs", [])
    sources: dict[str, Source] = {key: _input(key) for key in keys}
    model = getattr(function, "_input_model", None)
    if model is not None:
        sources["inputs"] = _input_model(model)
    return sources


def _input(key: str) -> Source:
    return lambda context: context.get_input(key)


def _input_model(model: Any) -> Source:
    # Only the model's own fields: the rest of the task's input is other steps' business, and a
    # model may forbid what it does not know.
    declared = fields_of(model)
    keys = [key for field in declared for key in field.keys]

    def source(context: StepContext) -> Any:
        given = context.input_data
        wanted = {key: given[key] for key in keys if key in given}
        try:
            return converted(wanted, model, "the task's input")
        except ValidationError:
            with suppress(ValidationError):  # the first says what is missing
                return converted(_with_nulls(wanted, declared), model, "the task's input")
            raise

    return source


def _with_nulls(wanted: dict[str, Any], declared: list[ModelField]) -> dict[str, Any]:
    absent = [f.keys[-1] for f in declared if f.required and wanted.keys().isdisjoint(f.keys)]
    return {**wanted, **dict.fromkeys(absent)}


def _require_match(
    function: Function, parameters: Mapping[str, inspect.Parameter], sources: Mapping[str, Source]
) -> None:
    name = getattr(function, "__qualname__", function)
    any_name = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    surplus = [] if any_name else [param for param in sources if param not in parameters]
    if surplus:
        raise ConfigurationError(f"{name} has no parameter {surplus[0]}: add it, or do not name it")
    missing = [
        param.name
        for param in parameters.values()
        if param.name not in sources
        and param.default is param.empty
        and param.kind not in (param.VAR_KEYWORD, param.VAR_POSITIONAL)
    ]
    if missing:
        raise ConfigurationError(
            f"nothing gives {name} its parameter {missing[0]}: name it in @depends_on or @inputs"
        )
