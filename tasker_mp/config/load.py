"""The configuration put together: defaults, two files, environment variables, flags."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tasker_mp.config.model import SECTIONS, Config
from tasker_mp.config.value import Source, check_section, convert
from tasker_mp.errors import ConfigError

_PREFIX = "TASKER_MP_"
_FILE = "tasker.toml"
_ENVIRONMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")

_Values = dict[str, dict[str, object]]
"""Section → key → converted value."""


def load_config(
    path: Path | None = None,
    environment: str | None = None,
    overrides: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Config:
    """The configuration of the project that `path`, a folder or a file, belongs to.

    Without `path`, `TASKER_CONFIG_PATH` names it, else it is `cwd`/config. Later wins: defaults,
    tasker.toml, environments/<environment>.toml, `TASKER_MP_<SECTION>__<KEY>`, `overrides` (by
    "section.key"). `ConfigError` names the source, the key, the value and what to do.
    """
    environ = os.environ if environ is None else environ
    cwd = Path.cwd() if cwd is None else cwd.absolute()
    environment = _environment(environment, environ)
    place = _locate(path, environ, cwd)
    values: _Values = {section: {} for section in SECTIONS}
    sources = [place.file, place.folder / "environments" / f"{environment}.toml"]
    sources = [file for file in sources if file.exists()]
    for file in sources:
        _add_file(values, file, environ)
    _add_environ(values, environ)
    _add_overrides(values, overrides or {})
    sections = {name: struct(**values[name]) for name, struct in SECTIONS.items()}
    return Config(environment, place.root, tuple(sources), **sections)  # type: ignore[arg-type]


class _Place(NamedTuple):
    file: Path
    folder: Path
    root: Path


def _environment(given: str | None, environ: Mapping[str, str]) -> str:
    name = given or environ.get("TASKER_ENV") or "development"
    # It becomes part of a file's name.
    if not _ENVIRONMENT.fullmatch(name):
        raise ConfigError(
            f"environment {msgspec.json.encode(name).decode()} is not a name; "
            "use letters, digits, - and _, such as production"
        )
    return name


def _locate(path: Path | None, environ: Mapping[str, str], cwd: Path) -> _Place:
    named = environ.get("TASKER_CONFIG_PATH")
    if path is None and not named:
        return _Place(cwd / "config" / _FILE, cwd / "config", cwd)
    target = Path(os.path.normpath(cwd / (path if path is not None else Path(str(named)))))
    if target.is_dir():
        return _Place(target / _FILE, target, target.parent)
    if not target.exists():
        origin = "--config" if path is not None else "TASKER_CONFIG_PATH"
        raise ConfigError(f"{origin}: no file or folder {target}; name an existing one")
    folder = target.parent
    # A lone file such as ./my.toml belongs to the folder that it lies in.
    return _Place(target, folder, folder.parent if folder.name == "config" else folder)


def _add_file(values: _Values, file: Path, environ: Mapping[str, str]) -> None:
    source = Source(str(file), variables=environ)
    for section, table in _read(file).items():
        check_section(section, source)
        if not isinstance(table, dict):
            raise ConfigError(f"{file}: '{section}' is a section; write [{section}] above its keys")
        for key, value in table.items():
            values[section][key] = convert(section, key, value, source)


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_bytes().decode("utf-8-sig")
        return tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}; correct that") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        last = f"at line {len(text.splitlines())}"
        reason = str(error).replace("at end of document", last)
        raise ConfigError(f"{file}: malformed TOML: {reason}; correct it there") from None
    except RecursionError:
        raise ConfigError(f"{file}: malformed TOML: nested too deeply; flatten it") from None


def _add_environ(values: _Values, environ: Mapping[str, str]) -> None:
    for name in sorted(environ):
        section, separator, key = name.removeprefix(_PREFIX).partition("__")
        if name.startswith(_PREFIX) and separator:
            source = Source(f"environment variable {name}", is_text=True)
            section, key = section.lower(), key.lower()
            check_section(section, source)
            values[section][key] = convert(section, key, environ[name], source)


def _add_overrides(values: _Values, overrides: Mapping[str, object]) -> None:
    for name, value in overrides.items():
        if value is None:
            continue  # a flag that was not given
        section, _, key = name.partition(".")
        source = Source("command line", is_text=True)
        check_section(section, source)
        values[section][key] = convert(section, key, value, source)
