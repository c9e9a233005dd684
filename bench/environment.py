"""What a measurement was made on: hardware, versions, and the settings that decide durability."""

import os
import platform
from importlib.metadata import version
from typing import Any

from tasker_mp.config import Config


def environment(settings: dict[str, str], config: Config) -> dict[str, Any]:
    """One flat document; `settings` are those of the database server."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "tasker_mp": version("tasker-mp"),
        "workers": config.worker.count or os.cpu_count(),
        "lanes": config.worker.lanes,
        "transport": config.ring.transport,
        "database": settings,
    }


def _cpu_model() -> str:
    with open("/proc/cpuinfo") as lines:  # noqa: PTH123
        for line in lines:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()
