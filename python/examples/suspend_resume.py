"""Holds a queue back and lets it go: run it by `xcli run -- python3 suspend_resume.py`. It needs no server."""

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

        def launch() -> None:
            nonlocal done
            while not is_ending.is_set():
                work.run()
                done += 1

        worker = threading.Thread(target=launch)
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
