"""The package with a libxsched that only takes note (fake.c): what is called, in which order, and what becomes of answers."""

from __future__ import annotations

import gc
import os
import threading
import unittest
from datetime import timedelta

import xsched
from xsched import Level, Policy, Scheduler, SuspendFlag

LOG = os.environ["FAKE_LOG"]


def calls() -> list[str]:
    """What was called since this was asked last."""
    with open(LOG, "r+", encoding="utf-8") as log:
        lines = log.read().splitlines()
        log.truncate(0)
    return [line for line in lines if not line.startswith("HwCommandDestroy")]


class Torch:
    """As ``torch.cuda.Stream`` looks."""

    def __init__(self, handle: int) -> None:
        self.cuda_stream = handle


class Cupy:
    """As a stream of CuPy looks."""

    class Stream:
        ptr = 6


class Opencl:
    """As ``pyopencl.CommandQueue`` looks."""

    int_ptr = 7


class Protocol:
    """As a stream of cuda-python looks."""

    def __cuda_stream__(self) -> tuple[int, int]:
        return (0, 8)


class Case(unittest.TestCase):
    def setUp(self) -> None:
        open(LOG, "w", encoding="utf-8").close()

    def queue(self) -> xsched.Queue:
        queue = xsched.Queue(Torch(5))
        self.addCleanup(queue.close)
        calls()
        return queue


class Queues(Case):
    def test_streams_of_all_packages_are_known_by_their_looks(self) -> None:
        for stream, call in [
            (Torch(5), "CudaQueueCreate 5 0"),
            (Torch(0), "CudaQueueCreate 0 0"),
            (Cupy.Stream(), "CudaQueueCreate 6 0"),
            (Opencl(), "OclQueueCreate 7 0"),
            (Protocol(), "CudaQueueCreate 8 0"),
            (xsched.Handle("opencl", 9), "OclQueueCreate 9 0"),
        ]:
            calls()
            with xsched.Queue(stream):
                self.assertEqual(calls(), [call, "XQueueCreate 1 0"])

    def test_what_is_no_stream_is_named_with_what_would_be_one(self) -> None:
        with self.assertRaisesRegex(TypeError, "int is not a stream .* cuda_stream"):
            xsched.Queue(5)
        with self.assertRaisesRegex(TypeError, "'hip' is not a platform; expected one of cuda opencl"):
            xsched.Queue(xsched.Handle("hip", 5))

    def test_an_unknown_stream_is_a_lookup_error_that_says_what_to_look_at(self) -> None:
        with self.assertRaisesRegex(xsched.NotFoundError, "CudaQueueCreate: not found; is the program started by") as caught:
            xsched.Queue(Torch(13))
        self.assertIsInstance(caught.exception, LookupError)
        self.assertIs(caught.exception.result, xsched.Result.ERROR_NOT_FOUND)

    def test_a_level_that_the_device_lacks_leaves_nothing_behind(self) -> None:
        with self.assertRaises(xsched.NotSupportedError):
            xsched.Queue(Torch(5), level=Level.INTERRUPT)
        self.assertEqual(calls()[-1].split()[0], "HwQueueDestroy")

    def test_a_queue_is_ended_once(self) -> None:
        queue = xsched.Queue(Torch(5))
        calls()
        queue.close()
        queue.close()
        self.assertEqual([call.split()[0] for call in calls()], ["XQueueDestroy", "HwQueueDestroy"])
        self.assertEqual((queue.handle, "closed" in repr(queue)), (0, True))

    def test_suspended_holds_for_the_time_of_a_with_also_if_that_ends_badly(self) -> None:
        queue = self.queue()
        with self.assertRaises(ZeroDivisionError), queue.suspended(wait=SuspendFlag.WAIT_ALL | SuspendFlag.SYNC_HW_QUEUE):
            self.assertEqual(calls(), [f"XQueueSuspend {queue.handle} 3"])
            _ = 1 / 0
        self.assertEqual(calls(), [f"XQueueResume {queue.handle} 0"])
        queue.resume(drop=True)
        self.assertEqual(calls(), [f"XQueueResume {queue.handle} 1"])

    def test_what_is_known_of_a_queue(self) -> None:
        queue = self.queue()
        self.assertIs(queue.state, xsched.QueueState.READY)
        self.assertEqual(queue.pending, 7)


class Hints(Case):
    def test_durations_are_microseconds(self) -> None:
        queue = self.queue()
        queue.hint(priority=3, utilization=50, deadline=timedelta(milliseconds=2))
        queue.laxity(timedelta(seconds=1), lax=-1, critical=9)
        queue.no_deadline()
        xsched.timeslice(700)
        number = queue.handle
        self.assertEqual(
            calls(),
            [
                f"XHintPriority {number} 3",
                f"XHintUtilization {number} 50",
                f"XHintDeadline {number} 2000",
                f"XHintLaxity {number} 1000000",
                "lax, critical -1 9",
                f"XHintDeadline {number} -1",
                "XHintTimeslice 700 0",
            ],
        )

    def test_a_value_out_of_range_is_a_value_error_and_changes_nothing(self) -> None:
        queue = self.queue()
        queue.priority = 3
        with self.assertRaises(ValueError):
            queue.priority = 999
        self.assertEqual(queue.priority, 3)
        with self.assertRaises(xsched.InvalidValueError), queue.with_priority(999):
            self.fail("it was refused")
        queue.priority = 4
        self.assertEqual([call.split()[2] for call in calls()], ["3", "4"])

    def test_the_latest_scope_holds_and_at_the_end_what_was_before(self) -> None:
        queue = self.queue()
        queue.priority = 1
        with xsched.priority(5, queue), queue.with_priority(7):
            # What is set meanwhile holds afterwards.
            queue.priority = 2
        self.assertEqual([call.split()[2] for call in calls()], ["1", "5", "7", "5", "2"])

    def test_scopes_of_threads_may_end_in_any_order(self) -> None:
        queue = self.queue()
        first, second = xsched.priority(5, queue), xsched.priority(7, queue)
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        second.__exit__(None, None, None)
        self.assertEqual([call.split()[2] for call in calls()], ["5", "7", "0"])

    def test_one_scope_object_may_be_used_by_many_threads_at_a_time(self) -> None:
        queue = self.queue()
        scope = queue.with_priority(5)

        def use() -> None:
            for _ in range(50):
                with scope:
                    pass

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(calls()[-1], f"XHintPriority {queue.handle} 0")

    def test_of_several_queues_all_or_none_are_in_a_scope(self) -> None:
        good, bad = self.queue(), self.queue()
        bad.close()
        bad._scopes._apply = lambda value: bad._library.call("XHintPriority", 1, 999)
        calls()
        with self.assertRaises(xsched.InvalidValueError), xsched.priority(5, good, bad):
            self.fail("one of them was refused")
        self.assertEqual([call.split()[2] for call in calls()], ["5", "0"])

    def test_without_a_queue_a_scope_is_for_the_process(self) -> None:
        with xsched.priority(10):
            self.assertEqual(calls(), ["XProcessHint 1 10"])
        self.assertEqual(calls(), ["XProcessUnhint 1 0"])

    def test_the_environment_is_what_a_queue_has_before_it_is_told_anything(self) -> None:
        os.environ["XSCHED_AUTO_XQUEUE_PRIORITY"] = "-4"
        self.addCleanup(os.environ.pop, "XSCHED_AUTO_XQUEUE_PRIORITY")
        queue = self.queue()
        with queue.with_priority(5):
            pass
        self.assertEqual((queue.priority, calls()[-1].split()[2]), (-4, "-4"))


class Commands(Case):
    def test_a_command_is_launched_on_another_thread_and_waited_for(self) -> None:
        queue, threads = self.queue(), []
        command = queue.submit(lambda: threads.append(threading.get_ident()))
        command.wait()
        self.assertEqual(len(threads), 1)
        self.assertNotEqual(threads[0], threading.get_ident())

    def test_what_a_command_raises_is_raised_where_it_is_waited_for(self) -> None:
        command = self.queue().submit(lambda: 1 // 0)
        with self.assertRaises(ZeroDivisionError):
            command.wait()

    def test_a_command_that_nobody_keeps_is_launched(self) -> None:
        queue, done = self.queue(), threading.Event()
        queue.submit(done.set)
        gc.collect()
        self.assertTrue(done.wait(20))

    def test_a_closed_queue_takes_no_command(self) -> None:
        queue = self.queue()
        queue.close()
        with self.assertRaises(xsched.NotFoundError):
            queue.submit(lambda: None)


class Process(Case):
    def test_who_schedules_is_told_by_numbers_of_the_c_interface(self) -> None:
        xsched.set_scheduler(Scheduler.LOCAL, Policy.HPF)
        xsched.set_scheduler(Scheduler.GLOBAL)
        self.assertEqual(calls(), ["XHintSetScheduler 2 1", "XHintSetScheduler 3 0"])
        with self.assertRaisesRegex(TypeError, "goes by a policy"):
            xsched.set_scheduler(Scheduler.LOCAL)

    def test_a_function_that_the_library_lacks_is_not_supported(self) -> None:
        with self.assertRaisesRegex(xsched.NotSupportedError, "XHintKDeadline: not supported; .* does not have it"):
            xsched.kdeadline(2)

    def test_the_library_is_the_one_that_was_named(self) -> None:
        self.assertEqual(xsched.library_path(), os.environ["XSCHED_LIB"])

    def test_tables_are_those_of_the_c_interface(self) -> None:
        self.assertEqual((Policy.UP, xsched.PRIORITY_NO_EXECUTE, xsched.HINTS["timeslice"].default), (4, -256, 5000))


if __name__ == "__main__":
    unittest.main()
