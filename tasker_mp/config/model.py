"""Every section and key of the configuration, with its type, its limits and its default."""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

_YEAR = 366 * 86400

Seconds: TypeAlias = Annotated[float, Meta(gt=0, le=_YEAR)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**31 - 1)]
AtLeastOne: TypeAlias = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Namespace: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_]{1,29}\Z")]
Package: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z")]


class DatabaseConfig(Struct, frozen=True):
    """`url` is "embedded" or a PostgreSQL DSN; it may hold a password: print it by `redact`."""

    url: str = "embedded"
    pool_size: AtLeastOne = 5
    statement_timeout: Seconds = 30.0


class WorkerConfig(Struct, frozen=True):
    """`count` 0 is one a core; no `namespaces`: all that the templates name; recycle 0: never.

    The concurrencies are of one worker: `async` handlers, and those that run in threads.
    """

    worker_id: str = ""
    count: Annotated[int, Meta(ge=0, le=4096)] = 0
    mode: Literal["hybrid", "event_driven", "polling"] = "hybrid"
    poll_interval: Seconds = 0.25
    namespaces: tuple[Namespace, ...] = ()
    max_in_flight: AtLeastOne = 2000
    lanes: Annotated[int, Meta(ge=1, le=64)] = 2
    handler_packages: tuple[Package, ...] = ("handlers",)
    async_concurrency: Annotated[int, Meta(ge=1, le=200)] = 100
    thread_concurrency: Annotated[int, Meta(ge=1, le=200)] = 8
    recycle_after_steps: Count = 0
    recycle_above_mb: Count = 0
    drain_timeout: Seconds = 30.0


class RingConfig(Struct, frozen=True):
    """`capacity_bytes` is of one ring; a worker has two."""

    transport: Literal["ring", "pipe", "zmq"] = "ring"
    capacity_bytes: Annotated[int, Meta(ge=65536, le=2**40, multiple_of=4096)] = 4194304
    max_payload_bytes: AtLeastOne = 67108864


class StepsConfig(Struct, frozen=True):
    """`timeout` is for steps whose template names none; `max_batches` of one batchable step."""

    timeout: Seconds = 30.0
    lease: Seconds = 30.0
    crash_limit: AtLeastOne = 3
    max_batches: Annotated[int, Meta(ge=1, le=100_000)] = 10_000


class TemplatesConfig(Struct, frozen=True):
    """`path` is relative to the project's folder."""

    path: Annotated[str, Meta(min_length=1)] = "config/tasks"


class RetentionConfig(Struct, frozen=True):
    """Days for which tasks that are complete, cancelled or resolved are kept; 0: for ever."""

    finished_after_days: Annotated[float, Meta(ge=0, le=36600)] = 30.0


class LoggingConfig(Struct, frozen=True):
    level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    format: Literal["console", "json"] = "console"


class WebConfig(Struct, frozen=True):
    enabled: bool = False
    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535)] = 8585


class Config(Struct, frozen=True):
    """`environment` is the running one, `root` the project's folder (absolute), `sources` the files
    that were read."""

    environment: str
    root: Path
    sources: tuple[Path, ...] = ()
    database: DatabaseConfig = DatabaseConfig()
    worker: WorkerConfig = WorkerConfig()
    ring: RingConfig = RingConfig()
    steps: StepsConfig = StepsConfig()
    templates: TemplatesConfig = TemplatesConfig()
    retention: RetentionConfig = RetentionConfig()
    logging: LoggingConfig = LoggingConfig()
    web: WebConfig = WebConfig()

    @property
    def templates_path(self) -> Path:
        """Where the task templates are, absolute."""
        return self.root / self.templates.path


SECTIONS: dict[str, type[Struct]] = {
    "database": DatabaseConfig,
    "worker": WorkerConfig,
    "ring": RingConfig,
    "steps": StepsConfig,
    "templates": TemplatesConfig,
    "retention": RetentionConfig,
    "logging": LoggingConfig,
    "web": WebConfig,
}
