"""What an incarnation of a worker is given: its channels and the descriptors beside them."""

import os
from itertools import chain

from tasker_mp import transport
from tasker_mp.engine.worker_output import STREAMS, output_pipe
from tasker_mp.transport.interface import Channel
from tasker_mp.worker.gate import Gate
from tasker_mp.worker.page import create_page
from tasker_mp.worker.settings import ForkRequest, WorkerSettings


class Wiring:
    """The channels, page, gate, stack file and output of an incarnation about to be forked."""

    def __init__(self, settings: WorkerSettings) -> None:
        sizes = (settings.capacity_bytes, settings.max_payload_bytes)
        self.requests: Channel = transport.open_channel(settings.transport, *sizes)
        self.results: Channel = transport.open_channel(settings.transport, *sizes)
        self.page_fd = create_page()
        self.gate_fd = Gate.create()
        self.stack_fd = os.memfd_create("tasker-mp-stack", os.MFD_CLOEXEC)
        self.output = [output_pipe() for _ in STREAMS]

    def fork_request(self, index: int, epoch: int) -> tuple[ForkRequest, list[int]]:
        request_fds = self.requests.fds("reader")
        result_fds = self.results.fds("writer")
        request = ForkRequest(index, epoch, len(request_fds), len(result_fds))
        others = (self.page_fd, self.gate_fd, self.stack_fd, *(writer for _, writer in self.output))
        return request, [*request_fds, *result_fds, *others]

    def close(self) -> None:
        self.requests.close()
        self.results.close()
        for fd in (self.page_fd, self.gate_fd, self.stack_fd, *chain(*self.output)):
            os.close(fd)
