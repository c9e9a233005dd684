"""Data as an author's model wants it, or an error that names the field and the value."""

import re
from collections.abc import Iterable
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Final, NamedTuple

import msgspec

from tasker_mp.errors import ConfigurationError, ValidationError

_MAX_VALUE_CHARS: Final = 80
_MAX_PROBLEMS: Final = 3
_PLACED = re.compile(r"(?P<reason>.*?)(?: - at `(?P<path>[^`]*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]*)`")
_KEYS = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


def converted(value: object, model: Any, subject: str) -> Any:
    """`value` as an instance of `model`; `subject` says in the error whose data it is.

    `model` is a msgspec Struct, a dataclass, any other type that msgspec knows (`list[int]`), or a
    pydantic model. Raises `ValidationError`, permanent, whose `context` has `field` and `value`.

    >>> converted({"amount": "x"}, msgspec.defstruct("Payment", [("amount", int)]), "the input")
    Traceback (most recent call last):
    tasker_mp.errors.ValidationError: the input: amount is 'x': expected `int`, got `str`
    """
    # A dataclass may have a `model_validate` of ours, which comes back here.
    if not is_dataclass(model) and hasattr(model, "model_validate"):
        return _validated(value, model, subject)
    try:
        return msgspec.convert(value, model)
    except msgspec.ValidationError as error:
        raise _mismatch(subject, *_told_by_msgspec(str(error), value)) from error
    except TypeError as error:
        name = getattr(model, "__qualname__", model)
        raise ConfigurationError(f"{name} cannot be used as a model: {error}") from error


class ModelField(NamedTuple):
    """A field of a model: the keys that it may have in data, and whether it has no default."""

    keys: tuple[str, ...]
    required: bool


def fields_of(model: Any) -> list[ModelField]:
    """The fields of a Struct, a dataclass or a pydantic model; `ConfigurationError` for any other.

    >>> fields_of(msgspec.defstruct("Payment", [("amount_due", int)], rename="camel"))
    [ModelField(keys=('amount_due', 'amountDue'), required=True)]
    """
    if is_dataclass(model):
        return [
            ModelField((f.name,), f.default is MISSING and f.default_factory is MISSING)
            for f in fields(model)
        ]
    if isinstance(model, type) and issubclass(model, msgspec.Struct):
        declared = msgspec.structs.fields(model)
        return [ModelField(_keys(f.name, f.encode_name), f.required) for f in declared]
    if hasattr(model, "model_fields"):
        return [
            ModelField(_keys(name, f.alias, f.validation_alias), f.is_required())
            for name, f in model.model_fields.items()
        ]
    raise ConfigurationError(f"{model!r} is no model: name a Struct, dataclass or pydantic model")


def _keys(*names: object) -> tuple[str, ...]:
    # An alias of pydantic may be a path too: its data is found under the field's name only.
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str)))


def _validated(value: object, model: Any, subject: str) -> Any:
    try:
        return model.model_validate(value)
    except ValueError as error:
        if not hasattr(error, "errors"):
            raise
        problems = [_told_by_pydantic(problem) for problem in error.errors()[:_MAX_PROBLEMS]]
        raise _mismatch(subject, *problems[0], also=problems[1:]) from error


_ABSENT = object()


def _told_by_pydantic(problem: dict[str, Any]) -> tuple[str, object, str]:
    field = _path_of(problem.get("loc", ()))
    if problem.get("type") == "missing":
        return field, _ABSENT, "is missing"
    return field, problem.get("input", _ABSENT), str(problem.get("msg", "is not valid"))


def _told_by_msgspec(text: str, value: object) -> tuple[str, object, str]:
    placed = _PLACED.fullmatch(text)
    reason, path = (text, None) if placed is None else placed.group("reason", "path")
    keys = [name or int(index) for name, index in _KEYS.findall(path or "")]
    missing = _MISSING.fullmatch(reason)
    if missing:
        return _path_of([*keys, missing["field"]]), _ABSENT, "is missing"
    return _path_of(keys), _at(value, keys), reason[:1].lower() + reason[1:]


def _mismatch(
    subject: str,
    field: str,
    value: object,
    reason: str,
    also: Iterable[tuple[str, object, str]] = (),
) -> ValidationError:
    told = "; ".join(_line(*problem) for problem in ((field, value, reason), *also))
    context = {"field": field} if value is _ABSENT else {"field": field, "value": _shown(value)}
    return ValidationError(f"{subject}: {told}", context=context)


def _line(field: str, value: object, reason: str) -> str:
    if value is _ABSENT:
        return f"{field} {reason}".strip()
    return f"{field or 'it'} is {_shown(value)}: {reason}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_VALUE_CHARS else f"{text[: _MAX_VALUE_CHARS - 1]}…"


def _path_of(keys: Iterable[object]) -> str:
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return text.removeprefix(".")


def _at(value: Any, keys: list[Any]) -> object:
    for key in keys:
        try:
            value = value[key]
        except (LookupError, TypeError):
            return _ABSENT
    return value
