import subprocess
import sys

import pytest

import tasker_mp
from tasker_mp.context import StepContext
from tasker_mp.handler import StepHandler
from tasker_mp.registry import HandlerRegistry
from tasker_mp.result import ErrorType, StepHandlerResult


def modules_after(code):
    """What a fresh interpreter has loaded after `code`."""
    script = f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_almost_nothing():
    loaded = modules_after("import tasker_mp")
    assert {name for name in loaded if name.startswith("tasker_mp")} == {"tasker_mp"}
    assert not loaded & {"msgspec", "psycopg", "asyncio", "yaml", "rich"}


@pytest.mark.parametrize(
    "code",
    [
        "from tasker_mp import StepHandler, StepContext, StepHandlerResult, ErrorType, errors",
        "from tasker_mp import HandlerRegistry",
        "import handlers.linear, handlers.order_fulfillment",
        "import tasker_mp.types, tasker_mp.step_handler.mixins, tasker_mp.batch_processing",
    ],
)
def test_a_handlers_author_never_loads_the_database_or_the_screen(code):
    loaded = modules_after(code)
    assert "httpx" not in loaded
    assert not loaded & {"psycopg", "psycopg_pool", "yaml", "rich", "rich_click", "pgmq"}
    assert not any(name.startswith(("tasker_mp.db", "tasker_mp.engine")) for name in loaded)


def test_the_authors_names_are_the_modules_own():
    assert tasker_mp.StepContext is StepContext
    assert tasker_mp.StepHandler is StepHandler
    assert tasker_mp.HandlerRegistry is HandlerRegistry
    assert tasker_mp.ErrorType is ErrorType
    assert tasker_mp.StepHandlerResult is StepHandlerResult


def test_errors_are_reached_through_the_package():
    code = "import tasker_mp; assert tasker_mp.errors.RetryableError"
    assert "tasker_mp.errors" in modules_after(code)


def test_bootstrap_is_a_function_whichever_is_imported_first():
    code = (
        "import importlib, tasker_mp\n"
        "importlib.import_module(tasker_mp._HOMES['bootstrap'][0])\n"
        "from tasker_mp import bootstrap\n"
        "assert callable(bootstrap), bootstrap"
    )
    modules_after(code)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'StepHandlr'"):
        _ = tasker_mp.StepHandlr


def test_every_public_name_is_there():
    missing = [name for name in tasker_mp.__all__ if not hasattr(tasker_mp, name)]
    assert missing == []
    assert tasker_mp.StepTimeoutError is tasker_mp.errors.TimeoutError
    assert tasker_mp.StepValidationError is tasker_mp.errors.ValidationError


def test_public_names_are_listed():
    assert {"StepHandler", "Client", "bootstrap", "errors"} <= set(dir(tasker_mp))


def test_the_version_is_the_distributions():
    assert tasker_mp.__version__.count(".") >= 2
