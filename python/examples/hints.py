"""Tells xserver how urgent this program is, for a while. Run it by `xcli run -- python3 hints.py`, and `xcli list --hints` beside it."""

from __future__ import annotations

from datetime import timedelta

import xsched
from _work import Work


def main() -> None:
    work = Work()
    with xsched.Queue(work.queue) as queue:
        queue.hint(priority=-2, utilization=25)
        print("in the background:", queue.priority)
        with xsched.priority(0, queue):
            work.run()
            print("more urgent for a request")
        queue.laxity(timedelta(milliseconds=20), lax=-5, critical=0)
        work.run()
        queue.no_laxity()
        try:
            queue.priority = 1000
        except xsched.InvalidValueError as error:
            print("refused:", error)


if __name__ == "__main__":
    main()
