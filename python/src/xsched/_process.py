"""What holds for the whole process: who schedules it, by which policy, and hints for all its queues."""

from __future__ import annotations

from ._generated import HINTS, Policy, Scheduler
from ._library import library
from ._queue import Duration, Queue, microseconds
from ._scopes import Scope, Scopes


def set_scheduler(scheduler: Scheduler, policy: Policy | None = None) -> None:
    """Says who schedules this process from now on: xserver, a scheduler in the process by ``policy``, or the program itself.

    May be called at any time. Queues that the program itself has suspended stay suspended.
    """
    if scheduler is Scheduler.LOCAL and policy is None:
        raise TypeError("a local scheduler goes by a policy: set_scheduler(Scheduler.LOCAL, Policy.HPF)")
    library().call("XHintSetScheduler", int(scheduler), int(policy or 0))


def timeslice(length: Duration) -> None:
    """The length of a turn, for all queues of the process."""
    library().call("XHintTimeslice", microseconds(length))


def kdeadline(k: int) -> None:
    """How many deadlines run side by side."""
    library().call("XHintKDeadline", k)


def priority(value: int, *queues: Queue) -> Scope:
    """A priority for the time of a ``with``: of these queues, or of all queues of the process, those to come included.

    ::

        with xsched.priority(10):
            model(batch)

    Scopes may stand within one another, and threads may have theirs at the same time; of those of one queue, the one that began last holds.
    A queue's own priority goes before that of its process.
    """
    return Scope(value, [queue._scopes for queue in queues] or [_process])


def _apply(value: int) -> None:
    library().call("XProcessHint", HINTS["priority"].code, value)


def _restore() -> None:
    library().call("XProcessUnhint", HINTS["priority"].code)


_process = Scopes(_apply, _restore)
