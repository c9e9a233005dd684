"""Whether the database has room for a load, before it is put there."""

import shutil
from pathlib import Path

from bench.size.site import Site
from tasker_mp.errors import EngineError

_RESERVE = 1 << 30
"""For the log and whatever else goes on meanwhile."""
_GIGABYTE = 1 << 30


def check_space(site: Site, needed: int) -> None:
    """`EngineError` where a disk that can be seen from here is too small for `needed` bytes."""
    folder = Path(site.value("select current_setting('data_directory')"))
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return  # another host's
    if free < needed + _RESERVE:
        raise EngineError(
            f"{(needed + _RESERVE) / _GIGABYTE:.1f} GB needed, and {folder} has"
            f" {free / _GIGABYTE:.1f} GB free: choose a smaller size"
        )
