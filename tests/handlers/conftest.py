"""The project's templates and handlers, loaded once."""

from pathlib import Path

import pytest

from tasker_mp import HandlerRegistry
from tasker_mp.template.parse import load_templates
from tasker_mp.template.template_set import TemplateSet

TASKS = Path(__file__).parents[2] / "config" / "tasks"


@pytest.fixture(scope="session", params=["test", "development", "production"])
def every_environment(request: pytest.FixtureRequest) -> tuple[str, TemplateSet]:
    return request.param, load_templates(TASKS, request.param)


@pytest.fixture(scope="session")
def templates() -> TemplateSet:
    return load_templates(TASKS, "test")


@pytest.fixture(scope="session")
def registry() -> HandlerRegistry:
    return HandlerRegistry(["handlers"])
