"""Two streams of PyTorch in one process: an urgent one, and one that is held back while the urgent one has work.

Needs an NVIDIA GPU and PyTorch. Run it by `xcli run -- python3 torch_streams.py`.
"""

from __future__ import annotations

import statistics
import threading
import time

import torch
import xsched


def main() -> None:
    xsched.set_scheduler(xsched.Scheduler.LOCAL, xsched.Policy.HPF)
    urgent, greedy = torch.cuda.Stream(), torch.cuda.Stream()
    matrix = torch.randn(2048, 2048, device="cuda")
    for stream in urgent, greedy:
        with torch.cuda.stream(stream):
            matrix @ matrix  # the first one in a stream makes its workspace
    torch.cuda.synchronize()
    with xsched.Queue(urgent) as urgent_queue, xsched.Queue(greedy) as greedy_queue:
        urgent_queue.priority, greedy_queue.priority = 10, -10
        is_ending = threading.Event()

        def train() -> None:
            with torch.cuda.stream(greedy):
                while not is_ending.is_set():
                    for _ in range(50):
                        matrix @ matrix
                    greedy.synchronize()

        worker = threading.Thread(target=train)
        worker.start()
        times = []
        with torch.cuda.stream(urgent):
            for _ in range(100):
                begun = time.perf_counter()
                matrix @ matrix
                urgent.synchronize()
                times.append((time.perf_counter() - begun) * 1e3)
                time.sleep(0.01)
        is_ending.set()
        worker.join()
    print(f"100 urgent requests, {statistics.median(times):.2f} ms each (median), {max(times):.2f} ms at worst")


if __name__ == "__main__":
    main()
