"""One value of the configuration: found by section and key, converted to its type, or refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from tasker_mp.config.dsn import DSN_FORM, is_database_url, redact
from tasker_mp.config.model import SECTIONS
from tasker_mp.errors import ConfigError
from tasker_mp.nearest import suggestion

_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}")
_SHOWN = 100


class Source(NamedTuple):
    """Where values come from: how an error names it, and the variables it may refer to, if any."""

    name: str
    variables: Mapping[str, str] | None = None
    is_text: bool = False
    """Its values are text whatever their type: those of environment variables."""


def convert(section: str, key: str, value: object, source: Source) -> object:
    """The value in the type of its key; `ConfigError` naming source, key, value and cure."""
    type_ = _type_of(section, key, value, source)
    is_text = source.is_text
    if source.variables is not None:
        value, was_substituted = _substituted(f"{section}.{key}", value, source)
        is_text = is_text or was_substituted
    if is_text and isinstance(value, str) and get_origin(type_) is tuple:
        value = [item.strip() for item in value.split(",") if item.strip()]
    try:
        # Text is read as the type wants it; what is typed must have the right type already.
        converted: object = msgspec.convert(value, type_, strict=not is_text)
    except msgspec.ValidationError:
        raise _refusal(section, key, value, allowed(type_), source) from None
    if (section, key) == ("database", "url") and not is_database_url(str(converted)):
        raise _refusal(section, key, value, DSN_FORM, source)
    return converted


def _refusal(section: str, key: str, value: object, cure: str, source: Source) -> ConfigError:
    name = f"{section}.{key}"
    return ConfigError(f"{source.name}: {name} is {_shown(section, value)}; it must be {cure}")


def _shown(section: str, value: object) -> str:
    """The value as one line of JSON; of the database's only what cannot hold a password."""
    if isinstance(value, str) and (section != "database" or is_database_url(value)):
        value = redact(value)
    elif section == "database" and not isinstance(value, (int, float)):
        value = "***"
    text = msgspec.json.encode(value, enc_hook=str).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


@cache
def _types(section: str) -> dict[str, Any]:
    return get_type_hints(SECTIONS[section], include_extras=True)


def check_section(section: str, source: Source) -> None:
    if section not in SECTIONS:
        cure = suggestion(section, SECTIONS)
        raise ConfigError(f"{source.name}: unknown section '{section}'; {cure}")


def _type_of(section: str, key: str, value: object, source: Source) -> Any:
    check_section(section, source)
    types = _types(section)
    if key not in types:
        shown, cure = _shown(section, value), suggestion(key, types)
        raise ConfigError(f"{source.name}: unknown key '{section}.{key}' (value {shown}); {cure}")
    return types[key]


# -- ${VAR} and ${VAR:-default} -------------------------------------------------------------------


def _substituted(name: str, value: object, source: Source) -> tuple[object, bool]:
    if isinstance(value, list):
        items = [_substituted(name, item, source)[0] for item in value]
        return items, False
    if not isinstance(value, str):
        return value, False
    variables = source.variables or {}

    def replace(match: re.Match[str]) -> str:
        variable, default = match.groups()
        # As in a shell, `:-` also stands in for a variable that is set but empty.
        found = variables.get(variable)
        if default is not None:
            return found or default
        if found is None:
            raise ConfigError(
                f"{source.name}: {name} refers to ${{{variable}}}, which is not set; "
                f"set it, or write ${{{variable}:-default}}"
            )
        return found

    text, count = _VARIABLE.subn(replace, value)
    return text, count > 0


# -- What a type allows, in words -----------------------------------------------------------------


def allowed(type_: Any) -> str:
    """What the type and its limits demand, such as "a whole number from 1 to 65535"."""
    origin = get_origin(type_)
    if origin is Literal:
        return "one of " + ", ".join(get_args(type_))
    if origin is tuple:
        return f"a list, each item {allowed(get_args(type_)[0])}"
    if origin is Annotated:
        base, meta = get_args(type_)
        return _limited(base, meta)
    return {str: "text", bool: "true or false"}[type_]


def _limited(base: Any, meta: Meta) -> str:
    if base is str:
        return "a name of letters, digits and _" if meta.pattern else "text that is not empty"
    text = "a whole number" if base is int else "a number of seconds"
    if meta.multiple_of is not None:
        text += f", a multiple of {meta.multiple_of},"
    if meta.gt is not None:
        return f"{text} above {meta.gt} and up to {meta.le}"
    return f"{text} from {meta.ge} to {meta.le}"
