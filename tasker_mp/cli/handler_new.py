"""`handler new`: a handler to fill in, and a test of it, in files that may be there already."""

import keyword
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tasker_mp.cli.output import say, write_json
from tasker_mp.cli.settings import Settings
from tasker_mp.cli.source import Source, write_sources
from tasker_mp.errors import InvalidInputError

if TYPE_CHECKING:
    from tasker_mp.config import Config

_CLASS = """class {name}(StepHandler):
    def call(self, context: StepContext) -> StepHandlerResult:
        return self.success({{}})
"""
_CLASS_IMPORTS = {"tasker_mp": ("StepContext", "StepHandler", "StepHandlerResult")}

_FUNCTION = """@step_handler("{name}")
def {name}(context: StepContext) -> dict[str, Any]:
    return {{}}
"""
_FUNCTION_IMPORTS = {
    "typing": ("Any",),
    "tasker_mp": ("StepContext",),
    "tasker_mp.step_handler": ("step_handler",),
}

_TEST = """def test_{snake}() -> None:
    outcome = run_handler({name}, {{}})
    assert outcome.is_success
    assert outcome.result == {{}}
"""


class _Place(NamedTuple):
    """Where a handler belongs: its module by path, its name, and the packages above it to make."""

    module: str
    name: str
    file: Path
    packages: list[Path]


def new_handler(settings: Settings, path: str, *, function: bool) -> None:
    """Add the handler to its module and a test to the module's tests; `InvalidInputError` where the
    module has such a name, or `path` cannot be a handler's."""
    config = settings.config()
    place = _place(config, path)
    handler = Source.read(place.file)
    handler.require_free(place.name)
    text, imports = (_FUNCTION, _FUNCTION_IMPORTS) if function else (_CLASS, _CLASS_IMPORTS)
    handler.add(text.format(name=place.name), imports)
    test = Source.read(config.root / "tests" / f"test_{place.module.rpartition('.')[2]}.py")
    snake = _snake(place.name)
    test.require_free(f"test_{snake}")
    needed = {place.module: (place.name,), "tasker_mp.testing": ("run_handler",)}
    test.add(_TEST.format(name=place.name, snake=snake), needed)
    packages = [Source(package, "", is_new=True) for package in place.packages]
    write_sources([*packages, handler, test])
    written = [str(source.file) for source in (*packages, handler, test)]
    if settings.json:
        write_json({"handler": path, "files": written})
        return
    sys.stdout.write("".join(f"{file}\n" for file in written))
    say(f"name it in a template as: callable: {path}")


def _place(config: "Config", path: str) -> _Place:
    packages = config.worker.handler_packages
    module, _, name = path.rpartition(".")
    parts = path.split(".")
    inside = any(module == package or module.startswith(f"{package}.") for package in packages)
    if not inside or not all(p.isidentifier() and not keyword.iskeyword(p) for p in parts):
        raise InvalidInputError(
            f"{path!r} is no dotted path in the handler packages ({', '.join(packages)}); "
            f"write it as {packages[0]}.refund.IssueRefund"
        )
    file = _file(config.root.joinpath(*module.split(".")), is_package=module in packages)
    above = [config.root.joinpath(*parts[: n + 1]) for n in range(len(parts) - 2)]
    missing = [init for package in above if not (init := package / "__init__.py").exists()]
    return _Place(module, name, file, [init for init in missing if init != file])


def _file(folder: Path, *, is_package: bool) -> Path:
    """The module's, where Python would find it: a package's own file goes before a module's."""
    module, init = folder.with_suffix(".py"), folder / "__init__.py"
    if init.exists() or (not module.exists() and (is_package or folder.is_dir())):
        return init
    return module


def _snake(name: str) -> str:
    """`IssueRefund` → `issue_refund`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
