"""An environment of its own for each peer, below the project's cache folder."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.peers.peer import Peer, PeerError

FOLDER = Path(__file__).parents[2] / ".bench" / "peers"


class Environment:
    """Of one peer; it is complete when its stamp names what the peer requires."""

    def __init__(self, peer: Peer, folder: Path = FOLDER) -> None:
        self._requirements = peer.requirements
        self._root = folder / peer.environment
        self._stamp = self._root / "installed"

    @property
    def python(self) -> Path:
        return self._root / "bin" / "python"

    def is_installed(self) -> bool:
        return self._stamp.exists() and self._stamp.read_text().split() == [*self._requirements]

    def install(self) -> None:
        """From the package index that pip is set up for; anew where something else is required."""
        if self.is_installed():
            return
        shutil.rmtree(self._root, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(self._root)])
        pip = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, *self._requirements])
        self._stamp.write_text("\n".join(self._requirements) + "\n")


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise PeerError(f"cannot be installed: {lines[-1] if lines else done.returncode}")
