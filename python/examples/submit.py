"""Submits commands instead of launching them: a thread of XSched's launches each as soon as the queue may run.

Run it by `xcli run -- python3 submit.py`.
"""

from __future__ import annotations

import xsched
from _work import Work


def main() -> None:
    work = Work()
    launched: list[int] = []
    with xsched.Queue(work.queue) as queue:
        queue.suspend()

        def command(number: int) -> xsched.Command:
            def launch() -> None:
                work.launch()
                launched.append(number)

            return queue.submit(launch)

        commands = [command(number) for number in range(10)]
        print(f"{len(launched)} of {len(commands)} are launched while the queue is suspended")
        queue.resume()
        commands[4].wait()
        print("the fifth is complete:", 4 in launched)
        queue.wait()
        print("all are complete, in order:", launched == list(range(10)))


if __name__ == "__main__":
    main()
