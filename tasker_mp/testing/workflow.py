"""A whole workflow, run inline to its end on a clock that does not wait."""

import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tasker_mp.config import Config
from tasker_mp.domain_events.discovery import register_publishers
from tasker_mp.errors import HandlerLoadError, InvalidInputError, TemplateError
from tasker_mp.nearest import suggestion
from tasker_mp.registry import HandlerRegistry
from tasker_mp.template.model import Template
from tasker_mp.template.parse import load_templates
from tasker_mp.testing.handlers import Handler, registry_of
from tasker_mp.testing.project import config_for_tests
from tasker_mp.testing.run import InlineRun
from tasker_mp.testing.task import InlineTask
from tasker_mp.testing.worker import InlineWorker


def run_workflow(
    template: Template | Path | str,
    context: Mapping[str, Any] | None = None,
    *,
    handlers: Mapping[str, Handler] | None = None,
    config: Config | None = None,
) -> InlineTask:
    """Run a task to its end: every retry, branch, batch and checkpoint, and no second of waiting.

    `template` is a `NAMESPACE/NAME[@VERSION]` of the project, a YAML file, or a `Template`.
    `handlers` are used instead of the callables that it names by these names. `config` is that of
    the project in the current folder, for the environment $TASKER_ENV or `test`. `TemplateError`,
    `TemplateNotFoundError` or `ContextError` as a client's submit would say it.
    """
    config = config or config_for_tests(Path.cwd())
    if str(config.root) not in sys.path:
        sys.path.insert(0, str(config.root))
    found = _template(template, config)
    _require_named(found, handlers or {})
    registry = registry_of(config.worker.handler_packages, handlers)
    if any(event.publisher for step in found.steps for event in step.publishes_events):
        _find_publishers(registry, config)
    limit = config.ring.max_payload_bytes
    worker = InlineWorker(registry, limit, frozenset(handlers or ()))
    return InlineRun(found, context or {}, worker, config).to_its_end()


def _template(given: Template | Path | str, config: Config) -> Template:
    if isinstance(given, Template):
        return given
    if isinstance(given, str) and Path(given).suffix not in (".yaml", ".yml"):
        path, _, version = given.partition("@")
        namespace, _, name = path.partition("/")
        project = load_templates(config.templates_path, config.environment)
        return project.find(namespace, name, version or None)
    loaded = load_templates(config.root / given, config.environment)
    if loaded.problems:
        raise TemplateError("; ".join(map(str, loaded.problems)))
    if len(loaded.templates) != 1:
        raise TemplateError(f"{given} holds {len(loaded.templates)} templates; name one file")
    return loaded.templates[0]


def _require_named(template: Template, handlers: Mapping[str, Handler]) -> None:
    """A name that is mistyped would let the real handler run."""
    named = {step.handler.callable for step in template.steps}
    for name in handlers:
        if name not in named:
            raise InvalidInputError(
                f"no step of {template.key} has the handler {name!r}; {suggestion(name, named)}"
            )


def _find_publishers(registry: HandlerRegistry, config: Config) -> None:
    for package in config.worker.handler_packages:
        with suppress(HandlerLoadError):  # said by the step whose handler is missing
            registry.discover_handlers(package)
    register_publishers(config.worker.handler_packages)
