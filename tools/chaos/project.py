"""The project that a chaos run serves: the example templates and handlers, each witnessed."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

import yaml

import tasker_mp
from tasker_mp.config import Config, load_config
from tools.chaos import witness

ENVIRONMENT: Final = "chaos"
LEASE_SECONDS: Final = 10.0
_REPOSITORY: Final = Path(tasker_mp.__file__).parent.parent
_BRANCHING: Final = Path(__file__).parent / "branching"

# Random kills must not use up a step's attempts, and a stopped worker must not miss a deadline.
_OVERRIDE: Final = {
    "name": "ALL",
    "timeout_seconds": 600,
    "retry": {
        "retryable": True,
        "max_attempts": 100,
        "backoff": "exponential",
        "backoff_base_ms": 20,
        "max_backoff_ms": 1000,
    },
}
_CONFIG: Final = """\
[worker]
count = {workers}
drain_timeout = 30.0
[ring]
capacity_bytes = 262144   # small, so that some tasks' contexts are too large for it
[steps]
timeout = 600.0
lease = {lease}
crash_limit = 1000
[logging]
level = "info"
format = "json"
"""


class Project:
    """A temporary folder with everything in it; `remove` deletes it."""

    def __init__(self, workers: int) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="tasker-mp-chaos-"))
        self.root.chmod(0o711)  # as root, the account of the embedded server passes through
        self.ledger = self.root / "executions"
        self.log = self.root / "supervisors.log"
        self._copy_templates()
        self._copy_handlers()
        config = self.root / "config" / "tasker.toml"
        config.write_text(_CONFIG.format(workers=workers, lease=LEASE_SECONDS))

    def _copy_templates(self) -> None:
        tasks = _REPOSITORY / "config" / "tasks"
        for source in (*sorted(tasks.rglob("*.yaml")), _BRANCHING / "branching.yaml"):
            template = yaml.safe_load(source.read_text())
            template["environments"] = {ENVIRONMENT: {"steps": [_OVERRIDE]}}
            target = self.root / "config" / "tasks" / source.parent.name / source.name
            target.parent.mkdir(parents=True)
            target.write_text(yaml.safe_dump(template))

    def _copy_handlers(self) -> None:
        handlers = self.root / "handlers"
        shutil.copytree(
            _REPOSITORY / "handlers", handlers, ignore=shutil.ignore_patterns("__pycache__")
        )
        shutil.copy(_BRANCHING / "branching.py", handlers)
        for file in handlers.rglob("*.py"):
            file.write_text(_witnessed(file.read_text()))
        shutil.copy(witness.__file__, handlers / "witness.py")

    def config(self) -> Config:
        return load_config(self.root / "config", ENVIRONMENT, environ={})

    def environment(self) -> dict[str, str]:
        """Variables for a process that works here: none of the caller's own settings."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TASKER_")}
        return kept | {
            "TASKER_ENV": ENVIRONMENT,
            witness.LEDGER_VARIABLE: str(self.ledger),
            "PYTHONPATH": str(_REPOSITORY),
            "PYTHONUNBUFFERED": "1",
            "SPT_NOENV": "1",  # a title must not be written over the environment that marks us
        }

    def remove(self) -> None:
        shutil.rmtree(self.root)


def _witnessed(source: str) -> str:
    base = "from handlers.witness import WitnessedHandler as StepHandler"
    return source.replace(
        "from tasker_mp import StepContext, StepHandler",
        f"{base}\nfrom tasker_mp import StepContext",
    )
