"""Work for a device, by pyopencl: what the examples have in common."""

from __future__ import annotations

import time
from typing import Any

import numpy
import pyopencl

SOURCE = """
__kernel void spin(__global float *data, int rounds) {
    int i = get_global_id(0);
    float x = data[i];
    for (int n = 0; n < rounds; n++) x = x * 0.5f + 1.0f;
    data[i] = x;
}
"""


class Work:
    """A command queue, and a kernel of about a millisecond for it."""

    def __init__(self) -> None:
        self.context = pyopencl.create_some_context(interactive=False)
        self.queue = pyopencl.CommandQueue(self.context)
        self.kernel: Any = pyopencl.Kernel(pyopencl.Program(self.context, SOURCE).build(), "spin")
        self.data = pyopencl.Buffer(
            self.context,
            pyopencl.mem_flags.READ_WRITE | pyopencl.mem_flags.COPY_HOST_PTR,
            hostbuf=numpy.zeros(256, numpy.float32),
        )
        self.result = numpy.empty(256, numpy.float32)
        self.rounds = 1000
        self._measure()

    def launch(self) -> Any:
        """Launches the kernel; answers its event."""
        event = self.kernel(self.queue, (256,), (64,), self.data, numpy.int32(self.rounds))
        self.queue.flush()
        return event

    def run(self) -> float:
        """Launches it and waits; answers how many milliseconds that took."""
        begun = time.perf_counter()
        self.launch().wait()
        return (time.perf_counter() - begun) * 1e3

    def read(self) -> None:
        """Reads the result. pyopencl gives the interpreter's lock up for that; it keeps it when it launches a kernel."""
        pyopencl.enqueue_copy(self.queue, self.result, self.data)

    def _measure(self) -> None:
        self.run()
        while self.run() < 1 and self.rounds < 1 << 24:
            self.rounds *= 2
