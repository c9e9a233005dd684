"""The configuration of a project: typed sections, and where their values come from."""

from tasker_mp.config.dsn import redact
from tasker_mp.config.load import load_config
from tasker_mp.config.model import (
    Config,
    DatabaseConfig,
    LoggingConfig,
    RetentionConfig,
    RingConfig,
    StepsConfig,
    TemplatesConfig,
    WebConfig,
    WorkerConfig,
)

__all__ = [
    "Config",
    "DatabaseConfig",
    "LoggingConfig",
    "RetentionConfig",
    "RingConfig",
    "StepsConfig",
    "TemplatesConfig",
    "WebConfig",
    "WorkerConfig",
    "load_config",
    "redact",
]
