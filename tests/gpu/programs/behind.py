"""What an urgent graph takes right behind a greedy program's work that is over: what heat, clocks and caches cost, with nobody to switch out.

One process, so no scheduler is involved: work of the greedy kind until the device is idle again, at once one request, each 20 ms. Who interrupts the greedy
program in the middle cannot be faster than this. Argument: seconds of each row.
"""
import subprocess
import sys
import threading
import time

import torch

import networks

SECONDS, LEAD, PERIOD, MARGIN = float(sys.argv[1]), 0.5, 0.02, 0.001
# Read only; nothing of the GPU's settings is touched.
WATCH = "nvidia-smi --query-gpu=clocks.sm,power.draw.instant --format=csv,noheader,nounits -lms 20".split()


class Clocks:
    """The clock of the processors and the power, while it is asked."""

    def __init__(self):
        self.seen = []
        self.watch = subprocess.Popen(WATCH, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.watch.stdout:
            words = line.split(",")
            if len(words) == 2:
                self.seen.append(tuple(float(word) for word in words))

    def median(self):
        """Since the last call: MHz, W; `None` if the machine does not say."""
        seen, self.seen = self.seen, []
        middle = len(seen) // 2
        return tuple(sorted(column)[middle] for column in zip(*seen)) or None


def requests(graph, before):
    times, due = [], time.monotonic()
    counts_from = due + LEAD
    while due < counts_from + SECONDS:
        while before and time.monotonic() < due - MARGIN:
            before()
            torch.cuda.synchronize()
        time.sleep(max(0.0, due - time.monotonic()))
        start = time.monotonic()
        graph()
        torch.cuda.synchronize()
        now = time.monotonic()
        if due >= counts_from:
            times.append((now - start) * 1e3)
        due = max(due + PERIOD, now)
    times.sort()
    return times[len(times) // 2], times[int(len(times) * 0.99)]


step = networks.resnet152(4)
for _ in range(10):
    step()
graph = networks.as_graph(step)
greedy = {"training": networks.resnet50_training(128), "products": networks.gemm(16384)}
for work in greedy.values():
    for _ in range(5):
        work()
torch.cuda.synchronize()
clocks = Clocks()
alone = None
print("| graph of ResNet-152, batch 4 | p50 ms | × alone | p99 ms | × alone | clock, MHz | power, W |")
print("|---|--:|--:|--:|--:|--:|--:|")
for name, before in [("alone", None), *((f"right behind {name}", work) for name, work in greedy.items())]:
    clocks.median()
    p50, p99 = requests(graph, before)
    alone = alone or (p50, p99)
    clock, power = clocks.median() or ("–", "–")
    print(f"| {name} | {p50:.2f} | {p50 / alone[0]:.2f} | {p99:.2f} | {p99 / alone[1]:.2f} | {clock} | {power} |", flush=True)
clocks.watch.kill()
