"""The urgent program: requests at a fixed period. Argument: eager (ResNet-152, batch 32) or graph (batch 4, as one CUDA graph).

Told `measure`, it says how many milliseconds of the device a request takes. Told `run SECONDS PERIOD`, it makes some requests that do not count, says
`begins`, and at the end `took` with the milliseconds of each that counts.
"""
import sys
import time

import torch

import networks
import told

LEAD = 0.5

kind = sys.argv[1]
step = networks.resnet152({"eager": 32, "graph": 4}[kind])
for _ in range(10):
    step()
torch.cuda.synchronize()
eager = step
if kind == "graph":
    step = networks.as_graph(step)
torch.cuda.synchronize()
told.ready()

while True:
    order, *arguments = told.next_order()
    if order == "measure":
        told.answer("device", f"{networks.device_time(eager):.4f}")
        continue
    seconds, period = float(arguments[0]), float(arguments[1]) / 1e3
    times, due = [], time.monotonic()
    counts_from = due + LEAD
    end = counts_from + seconds
    has_begun = False
    while due < end:
        time.sleep(max(0.0, due - time.monotonic()))
        if not has_begun and due >= counts_from:
            has_begun = True
            told.answer("begins")
        start = time.monotonic()
        step()
        torch.cuda.synchronize()
        now = time.monotonic()
        if has_begun:
            times.append((now - start) * 1e3)
        # A request that took longer than the period delays the next: there is never more than one.
        due = max(due + period, now)
    told.answer("took", " ".join(f"{t:.3f}" for t in times))
