"""Queues: streams as things that are scheduled."""

from __future__ import annotations

import ctypes
import itertools
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import c_int, c_int64
from datetime import timedelta
from types import TracebackType

from ._errors import check
from ._generated import (
    HINTS,
    NO_DEADLINE,
    NO_LAXITY,
    Level,
    QueueCreateFlag,
    QueueState,
    Result,
    ResumeFlag,
    SuspendFlag,
)
from ._library import LaunchCallback, Library, library
from ._scopes import Scope, Scopes
from ._streams import Stream, handle_of, make_hardware_queue

#: A duration, or a number of microseconds.
Duration = timedelta | int


def microseconds(duration: Duration) -> int:
    """A duration as a whole number of microseconds."""
    if isinstance(duration, timedelta):
        return duration // timedelta(microseconds=1)
    return int(duration)


class Queue:
    """A stream that is scheduled.

    Launches on the stream go on as ever, through PyTorch or whatever made it; each waits while the queue is suspended, by this program or a
    scheduler. Two queues of one stream are the same to XSched, and each is to be closed. An open queue that is forgotten stays as it is,
    which harms nobody: closing would wait for its work, and nobody wants to wait for that in a garbage collector.
    """

    def __init__(
        self,
        stream: Stream | object,
        *,
        level: Level = Level.BLOCK,
        flags: QueueCreateFlag = QueueCreateFlag.NONE,
    ) -> None:
        self._library: Library = library()
        self._stream = stream
        self._hardware = make_hardware_queue(self._library, handle_of(stream))
        try:
            self._handle = self._library.handle("XQueueCreate", self._hardware, int(level), int(flags))
        except BaseException:
            self._library.answer("HwQueueDestroy", self._hardware)
            raise
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._priority: int | None = None
        self._scopes = Scopes(
            lambda value: self._library.call("XHintPriority", self._handle, value),
            lambda: self._library.call("XHintPriority", self._handle, self.priority),
        )

    def __repr__(self) -> str:
        state = f"handle {self._handle}" if self._handle else "closed"
        return f"<xsched.Queue of {type(self._stream).__name__}, {state}>"

    def __enter__(self) -> Queue:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Resumes the queue, waits until all that was submitted to it is complete, and ends it; the stream stays. To close it again is nothing."""
        with self._lock:
            handle, self._handle = self._handle, 0
            hardware, self._hardware = self._hardware, 0
        # The child of a fork has its parent's numbers, which mean nothing there.
        if handle == 0 or self._process != os.getpid():
            return
        try:
            self._library.call("XQueueDestroy", handle)
        finally:
            self._library.answer("HwQueueDestroy", hardware)
            # Those that were dropped are not launched any more.
            for key, command in list(_submitted.items()):
                if command._queue is self:
                    _submitted.pop(key, None)

    @property
    def handle(self) -> int:
        """The ``XQueueHandle``; 0 once the queue is closed."""
        return self._handle

    @property
    def state(self) -> QueueState:
        """Whether it has work."""
        state = c_int()
        self._library.call("XQueueQuery", self._handle, ctypes.byref(state))
        return QueueState(state.value)

    @property
    def pending(self) -> int:
        """How many commands wait for their launch, or are not known to be complete."""
        count = c_int64()
        self._library.call("XQueueProfileHwCommandCount", self._handle, ctypes.byref(count))
        return count.value

    # Suspending

    def suspend(self, *, wait: SuspendFlag = SuspendFlag.NONE) -> None:
        """Launches nothing more until :meth:`resume`. With a flag, waits as that says."""
        self._library.call("XQueueSuspend", self._handle, int(wait))

    def resume(self, *, drop: bool = False) -> None:
        """Takes back what :meth:`suspend` did; with ``drop``, commands that were submitted and not launched are dropped."""
        flags = ResumeFlag.DROP_COMMANDS if drop else ResumeFlag.NONE
        self._library.call("XQueueResume", self._handle, int(flags))

    @contextmanager
    def suspended(self, *, wait: SuspendFlag = SuspendFlag.NONE) -> Iterator[Queue]:
        """Suspends the queue for the time of a ``with``."""
        self.suspend(wait=wait)
        try:
            yield self
        finally:
            self.resume()

    # Hints

    @property
    def priority(self) -> int:
        """The priority that it was given here; until then what the program was started with. Open scopes do not count."""
        return _started_with("priority") if self._priority is None else self._priority

    @priority.setter
    def priority(self, value: int) -> None:
        if not self._scopes.is_open:
            self._library.call("XHintPriority", self._handle, value)
        self._priority = value

    def with_priority(self, value: int) -> Scope:
        """A priority for the time of a ``with``."""
        return Scope(value, [self._scopes])

    def hint(
        self,
        *,
        priority: int | None = None,
        utilization: int | None = None,
        deadline: Duration | None = None,
    ) -> None:
        """Tells the scheduler about the queue: what is given is set, the rest stays."""
        if priority is not None:
            self.priority = priority
        if utilization is not None:
            self._library.call("XHintUtilization", self._handle, utilization)
        if deadline is not None:
            self._library.call("XHintDeadline", self._handle, microseconds(deadline))

    def no_deadline(self) -> None:
        """Takes the deadline back."""
        self._library.call("XHintDeadline", self._handle, NO_DEADLINE)

    def laxity(self, laxity: Duration, *, lax: int, critical: int) -> None:
        """Priority ``lax`` until the queue has been ready for ``laxity``, then ``critical``."""
        self._library.call("XHintLaxity", self._handle, microseconds(laxity), lax, critical)

    def no_laxity(self) -> None:
        """Takes the laxity back."""
        self._library.call("XHintLaxity", self._handle, NO_LAXITY, self.priority, self.priority)

    # How it is preempted

    def set_level(self, level: Level) -> None:
        """How far it is preempted; an error if the device cannot do that."""
        self._library.call("XQueueSetPreemptLevel", self._handle, int(level))

    def set_launch_config(self, threshold: int, batch_size: int) -> None:
        """The most commands in flight, and how many submitted ones are launched in a row."""
        self._library.call("XQueueSetLaunchConfig", self._handle, threshold, batch_size)

    # Submitting

    def submit(self, launch: Callable[[], object]) -> Command:
        """Puts a command behind all others of the queue and returns; ``launch`` is called on a thread of XSched's as soon as the queue may run.

        What it launches on the stream passes without being held back. It must not wait for its own queue.
        """
        command = Command(self, launch)
        command._submit()
        return command

    def wait(self) -> None:
        """Waits until all that was launched or submitted so far is complete; raises the first error of a submitted command since the last call."""
        self._library.call("XQueueWaitAll", self._handle)


class Command:
    """Something that was submitted to a queue."""

    def __init__(self, queue: Queue, launch: Callable[[], object]) -> None:
        self._queue = queue
        self._launch = launch
        self._error: BaseException | None = None
        self._key = next(_keys)
        self._handle = 0

    def _submit(self) -> None:
        library = self._queue._library
        self._handle = library.handle("HwCommandCreateCallback", _run, self._key)
        # Gives the handle up, not the submission.
        weakref.finalize(self, library.answer, "HwCommandDestroy", self._handle).atexit = False
        _submitted[self._key] = self
        answer = library.answer("XQueueSubmit", self._queue.handle, self._handle)
        if answer != Result.SUCCESS:
            _submitted.pop(self._key, None)
            check("XQueueSubmit", answer)

    def wait(self) -> None:
        """Waits until the device has completed it; raises what its callable raised."""
        answer = self._queue._library.answer("XQueueWait", self._queue.handle, self._handle)
        if self._error is not None:
            raise self._error
        check("XQueueWait", answer)


#: Commands that have not been launched, by the number that C passes on for each.
_submitted: dict[int, Command] = {}
_keys = itertools.count(1)


def _launch(_queue: int, key: int | None) -> int:
    command = _submitted.pop(key or 0, None)
    if command is None:
        return int(Result.ERROR_NOT_FOUND)
    try:
        command._launch()
        return int(Result.SUCCESS)
    except BaseException as error:  # It goes on where somebody waits for it.
        command._error = error
        return int(Result.ERROR_UNKNOWN)


#: The one function that C calls, for all commands: one of each command's own would have to be freed, and nobody knows when C has left it.
_run = LaunchCallback(_launch)


def _started_with(hint: str) -> int:
    """The value of a hint that the environment gave, or its default."""
    info = HINTS[hint]
    try:
        return int(os.environ[info.env])
    except (KeyError, ValueError):
        return info.default
