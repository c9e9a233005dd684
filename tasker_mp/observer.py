"""Reads a supervisor's status page: costs the supervisor nothing, and never waits for it."""

import time
from pathlib import Path

import msgspec

from tasker_mp.engine.runtime import RuntimeDirectory
from tasker_mp.errors import StatusPageError
from tasker_mp.observation import Observation, observe
from tasker_mp.snapshot import Snapshot
from tasker_mp.status_page import read_status_page
from tasker_mp.usage import UsageMeter, process_stat

_decoder = msgspec.json.Decoder(Snapshot)


class Observer:
    """Looks at the supervisor of the project in `root`, as often as one likes."""

    def __init__(self, root: Path) -> None:
        self._path = RuntimeDirectory(root).status_page
        self._meter = UsageMeter()

    def look(self) -> Observation | None:
        """What it says by now; None where none runs, whatever a dead one has left here.

        `StatusPageError` where the page is no page that this version can read.
        """
        page = read_status_page(self._path)
        if page is None:
            return None
        try:
            snapshot = _decoder.decode(page)
        except msgspec.DecodeError as error:
            raise StatusPageError(
                f"{self._path} is of another version of tasker-mp ({error}); "
                "use the version that the supervisor runs"
            ) from None
        process = process_stat(snapshot.pid)
        if process is None or process.start_ticks != snapshot.start_ticks:
            return None
        return observe(snapshot, self._meter, time.monotonic_ns())
