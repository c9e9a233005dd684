"""What a transport is: a channel of records from one writer to one reader, in order."""

from typing import Literal, Protocol

from tasker_mp.ring.reader import Record

__all__ = ["Channel", "End", "Reader", "Record", "Writer"]

End = Literal["reader", "writer"]


class Writer(Protocol):
    """The sending end. Nothing blocks.

    To wait for room after a `put` that returned False: `publish()`, wait until `credit_fileno()` is
    readable, `reclaim()`, `put` again. Every record up to the limit fits in the end.
    """

    def put(self, event_id: bytes, payload: bytes) -> bool:
        """Stage a record; False where there is no room now, and nothing is staged.

        `PayloadTooLargeError` past the channel's `max_payload_bytes`, `TransportError` where the
        system has no memory or descriptors for it: nothing is staged, the channel stays usable.
        """

    def publish(self) -> int:
        """Hand what was put to the reader, waking it once; the number of records."""

    @property
    def stalled(self) -> bool:
        """Whether a part of what was published waits for room: `reclaim()` when there is credit.

        Never on a ring. On a pipe, which is smaller than the records that it may carry, who does
        not go on with it leaves the reader without its records.
        """

    def reclaim(self) -> None:
        """Take back the room that the reader gave back, and go on with what was stalled.

        `RingCorruptError` where the reader gives back more than it was sent.
        """

    def credit_fileno(self) -> int:
        """A descriptor that is readable while `reclaim()` has something to take."""

    def close(self) -> None:
        """Give up this end; what was put and not published is lost. Harmless when repeated."""


class Reader(Protocol):
    """The receiving end. Nothing blocks."""

    def fileno(self) -> int:
        """A descriptor that is readable when `drain()` may return records."""

    def drain(self) -> list[Record]:
        """All records published by now, in order, giving their room back; [] where there are none.

        `RingCorruptError` or another `TransportError` at the first record that cannot be trusted or
        had. The good ones before it are returned first, and `fileno()` stays readable: the next
        call raises, as does every later one.
        """

    def close(self) -> None:
        """Give up this end. Harmless when repeated."""


class Channel(Protocol):
    """Both ends, before they are handed out: one per direction and worker incarnation.

    An end holds descriptors of its own, so the channel may be closed once this process has claimed
    its end and the other process was sent the descriptors of the other.
    """

    def writer(self) -> Writer:
        """Claim the sending end in this process; once in all processes."""

    def reader(self) -> Reader:
        """Claim the receiving end in this process; once in all processes."""

    def fds(self, end: End) -> list[int]:
        """The channel's descriptors to send to the process that will attach this end."""

    def close(self) -> None:
        """Close the channel's descriptors; harmless when repeated."""
