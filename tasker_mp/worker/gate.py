"""A lock between the supervisor and one worker, around the moment in which a step starts."""

import os
import select


class Gate:
    """An eventfd that holds one token: who reads it has the gate, who writes it gives it back.

    Both are system calls, so what one side stored before giving is seen by the other after taking.
    The worker takes it to start a step; the supervisor takes it to revoke what has not started, or
    to keep the worker from starting anything while it is being killed. Nobody else waits on it.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @staticmethod
    def create() -> int:
        """The descriptor of a new gate that nobody has."""
        return os.eventfd(1, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def try_take(self) -> bool:
        """Take the gate, unless the other side has it at this moment."""
        try:
            os.eventfd_read(self._fd)
        except BlockingIOError:
            return False
        return True

    def take(self) -> None:
        """Take the gate, waiting for the other side."""
        while not self.try_take():
            waiting = select.poll()
            waiting.register(self._fd, select.POLLIN)
            waiting.poll()

    def give(self) -> None:
        os.eventfd_write(self._fd, 1)

    def close(self) -> None:
        os.close(self._fd)
