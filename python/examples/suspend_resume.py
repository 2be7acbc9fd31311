"""Holds a queue back and lets it go. Run it by `xcli run -- python3 suspend_resume.py`; it needs no server.

A thread that waits in a launch must not keep the interpreter's lock, or else the thread that would resume the queue waits too: docs/python.md.
"""

from __future__ import annotations

import threading
import time

import xsched
from _work import Work


def main() -> None:
    work = Work()
    with xsched.Queue(work.queue) as queue:
        done = 0
        is_ending = threading.Event()

        def read() -> None:
            nonlocal done
            while not is_ending.is_set():
                work.read()
                done += 1

        worker = threading.Thread(target=read)
        worker.start()
        while done < 3:
            time.sleep(0.01)
        print("runs")
        with queue.suspended(wait=xsched.SuspendFlag.SYNC_HW_QUEUE):
            time.sleep(0.1)
            before = done
            time.sleep(0.3)
            # One that was launched before may have been counted after.
            print("suspended: it stands still" if done <= before + 1 else f"suspended, and yet {done - before} more")
        before = done
        while done < before + 3:
            time.sleep(0.01)
        print("resumed: it runs again")
        is_ending.set()
        worker.join()


if __name__ == "__main__":
    main()
