"""The embedded server's settings: durable, sized to the machine, quiet, and of bounded log size."""

import os
from collections.abc import Mapping
from pathlib import Path

PORT = 5432
_MEGABYTE = 1 << 20
_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)

SETTINGS_FILE = "postgresql.tasker.conf"

# The 0700 folder of the socket is the guard; there is no line for any TCP address.
ACCESS_RULES = "local all all trust\n"


def server_settings(
    socket_folder: Path, *, lz4: bool, extra: Mapping[str, str | int] | None = None
) -> str:
    """The text of `postgresql.tasker.conf`; `extra` wins over our own."""
    settings: dict[str, str | int] = {
        "listen_addresses": "",
        "port": PORT,
        "unix_socket_directories": str(socket_folder),
        "unix_socket_permissions": "0700",
        "max_connections": 100,
        # Memory. Nothing in /dev/shm, which is 64 MB in many containers.
        "shared_buffers": f"{_shared_buffers_mb()}MB",
        "dynamic_shared_memory_type": "mmap",
        "huge_pages": "off",
        # Durability, said aloud.
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        # Checkpoints far apart: each first touch of a page after one writes the whole page.
        "wal_buffers": "16MB",
        "min_wal_size": "1GB",
        "max_wal_size": "4GB",
        "checkpoint_timeout": "15min",
        "wal_compression": "lz4" if lz4 else "off",
        # Only short statements over an index: planning for more costs more than it gains.
        "jit": "off",
        "max_parallel_workers_per_gather": 0,
        "max_logical_replication_workers": 0,
        "random_page_cost": "1.1",
        # Queues turn over completely: vacuum has to keep up with them.
        "autovacuum": "on",
        "autovacuum_naptime": "10s",
        "autovacuum_vacuum_cost_delay": "1ms",
        "autovacuum_vacuum_cost_limit": 2000,
        # The superuser is called like our schema, which `$user` would put on the path.
        "search_path": "public",
        "timezone": "UTC",
        "log_timezone": "UTC",
        # Seven files, one a weekday, each begun anew. Errors of statements reach the client, and
        # leaving them out keeps a client in a loop from filling the disk.
        "logging_collector": "on",
        "log_directory": "log",
        "log_filename": "server-%a.log",
        "log_rotation_age": "1d",
        "log_rotation_size": 0,
        "log_truncate_on_rotation": "on",
        "log_min_messages": "log",
        "log_checkpoints": "off",
        "log_autovacuum_min_duration": -1,
        "log_lock_waits": "on",
    }
    settings.update(extra or {})
    lines = [f"{name} = {_quoted(value)}" for name, value in settings.items()]
    return "# Written by tasker-mp at each start; put your own after its include.\n" + "\n".join(
        [*lines, ""]
    )


def _quoted(value: str | int) -> str:
    return "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"


def _shared_buffers_mb() -> int:
    return max(16, min(256, _memory_bytes() // 4 // _MEGABYTE))


def _memory_bytes() -> int:
    """The machine's memory, or the container's limit where that is lower."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in _CGROUP_LIMITS:
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            return min(physical, int(text))
    return physical
