"""The shared-memory ring, pure: over a memoryview, without a system call."""

from tasker_mp.ring.reader import Drained, Record, RingReader
from tasker_mp.ring.writer import RingWriter

__all__ = ["Drained", "Record", "RingReader", "RingWriter"]
