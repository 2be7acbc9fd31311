"""Preemptive scheduling for accelerators, from inside a Python program.

A program that was started by ``xcli run`` is scheduled without a line of this. It is for programs that know more: which of their streams are
urgent, when, and when to hold one back.

::

    import torch, xsched

    stream = torch.cuda.Stream()
    with xsched.Queue(stream) as queue:
        queue.priority = 10                      # more urgent than the rest of the machine
        with torch.cuda.stream(stream):
            ...

    with xsched.priority(10):                    # all of this process, for a while
        ...

Everything here may be called from all threads. Errors are :class:`Error`, with a subclass for each kind.
"""

from ._errors import (
    BadResponseError,
    Error,
    HardwareError,
    InvalidValueError,
    LibraryNotFoundError,
    NotAllowedError,
    NotFoundError,
    NotSupportedError,
)
from ._generated import (
    HINTS,
    PRIORITY_DEFAULT,
    PRIORITY_MAX,
    PRIORITY_MIN,
    PRIORITY_NO_EXECUTE,
    UTILIZATION_DEFAULT,
    UTILIZATION_MAX,
    UTILIZATION_MIN,
    VERSION,
    Hint,
    Level,
    Policy,
    QueueCreateFlag,
    QueueState,
    Result,
    Scheduler,
    SuspendFlag,
)
from ._library import library as _library
from ._process import kdeadline, priority, set_scheduler, timeslice
from ._queue import Command, Queue
from ._scopes import Scope
from ._streams import Handle

__version__ = VERSION


def library_path() -> str:
    """The libxsched of this process; :class:`LibraryNotFoundError` if there is none."""
    return _library().path


__all__ = [
    "BadResponseError",
    "Command",
    "Error",
    "HINTS",
    "Handle",
    "HardwareError",
    "Hint",
    "InvalidValueError",
    "Level",
    "LibraryNotFoundError",
    "NotAllowedError",
    "NotFoundError",
    "NotSupportedError",
    "PRIORITY_DEFAULT",
    "PRIORITY_MAX",
    "PRIORITY_MIN",
    "PRIORITY_NO_EXECUTE",
    "Policy",
    "Queue",
    "QueueCreateFlag",
    "QueueState",
    "Result",
    "Scheduler",
    "Scope",
    "SuspendFlag",
    "UTILIZATION_DEFAULT",
    "UTILIZATION_MAX",
    "UTILIZATION_MIN",
    "VERSION",
    "kdeadline",
    "library_path",
    "priority",
    "set_scheduler",
    "timeslice",
]
