"""What a stream is, whichever package made it: told by its attributes, so that none of those packages is needed here.

Known are the streams of PyTorch, CuPy, Numba, PyCUDA and cuda-python, and the command queues of pyopencl.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, Union, runtime_checkable

from ._library import Library


@runtime_checkable
class TorchStream(Protocol):
    """``torch.cuda.Stream``, and what looks like it."""

    @property
    def cuda_stream(self) -> int:
        """The ``cudaStream_t`` as a number; 0 is the default stream."""


@runtime_checkable
class OpenclQueue(Protocol):
    """``pyopencl.CommandQueue``, and what looks like it."""

    @property
    def int_ptr(self) -> int:
        """The ``cl_command_queue`` as a number."""


@runtime_checkable
class CudaStream(Protocol):
    """An object of the protocol that cuda-python and Numba have agreed on."""

    def __cuda_stream__(self) -> tuple[int, int]:
        """Version of the protocol, and the ``cudaStream_t`` as a number."""


class Handle(NamedTuple):
    """A stream by its native handle, where there is no object for it."""

    #: ``cuda`` or ``opencl``.
    platform: str
    #: The handle as a number.
    address: int


#: What a queue can be made of.
Stream = Union[TorchStream, OpenclQueue, CudaStream, Handle]


def handle_of(stream: object) -> Handle:
    """The native handle of a stream, or a TypeError that says what would have been one."""
    if isinstance(stream, Handle):
        return stream
    if isinstance(stream, TorchStream):
        return Handle("cuda", int(stream.cuda_stream))
    if isinstance(stream, OpenclQueue):
        return Handle("opencl", int(stream.int_ptr))
    if isinstance(stream, CudaStream):
        return Handle("cuda", int(stream.__cuda_stream__()[1]))
    for attribute in ("ptr", "handle"):
        value: Any = getattr(stream, attribute, None)
        # Numba has a c_void_p there.
        value = getattr(value, "value", value)
        if isinstance(value, int) and "ream" in type(stream).__name__:
            return Handle("cuda", value)
    raise TypeError(
        f"{type(stream).__name__} is not a stream that XSched knows; expected one with cuda_stream (PyTorch), int_ptr (pyopencl), "
        "__cuda_stream__ (cuda-python, Numba), ptr (CuPy) or handle (PyCUDA), or xsched.Handle(platform, address)"
    )


_MAKERS = {"cuda": "CudaQueueCreate", "opencl": "OclQueueCreate"}


def make_hardware_queue(library: Library, handle: Handle) -> int:
    """Makes a stream known to XSched."""
    maker = _MAKERS.get(handle.platform)
    if maker is None:
        raise TypeError(f"{handle.platform!r} is not a platform; expected one of {' '.join(_MAKERS)}")
    hint = "is the program started by `xcli run`, and the stream one of its own?"
    return library.handle(maker, handle.address or None, hint=hint)
