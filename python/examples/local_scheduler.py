"""Two queues in one process, scheduled without a server: the urgent one goes first.

Run it by `xcli run -- python3 local_scheduler.py`.
"""

from __future__ import annotations

import statistics
import threading
import time

import xsched
from _work import Work


def main() -> None:
    xsched.set_scheduler(xsched.Scheduler.LOCAL, xsched.Policy.HPF)
    urgent, greedy = Work(), Work()
    with xsched.Queue(urgent.queue) as urgent_queue, xsched.Queue(greedy.queue) as greedy_queue:
        urgent_queue.priority = 10
        greedy_queue.priority = -10
        is_ending = threading.Event()

        def submit() -> None:
            # XSched launches them when the queue may run, so no thread of Python's waits for that with the interpreter's lock.
            while not is_ending.is_set():
                commands = [greedy_queue.submit(greedy.launch) for _ in range(8)]
                commands[-1].wait()

        worker = threading.Thread(target=submit)
        worker.start()
        times = []
        for _ in range(30):
            times.append(urgent.run())
            time.sleep(0.01)
        is_ending.set()
        worker.join()
    print(f"30 urgent requests, {statistics.median(times):.1f} ms each (median)")


if __name__ == "__main__":
    main()
