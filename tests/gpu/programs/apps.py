"""Applications that take turns with themselves in another process. Argument: names of those to make, by commas; none for all.

Told `run NAME SECONDS`, it makes steps of that one for so long, waiting for each, and says `did STEPS SECONDS SECONDS-OF-PROCESSOR`.
"""
import sys
import time

import torch

import networks
import told

ALL = {
    "resnet152-1": lambda: networks.resnet152(1),
    "resnet152-32": lambda: networks.resnet152(32),
    "resnet152-graph": lambda: networks.as_graph(networks.resnet152(4)),
    "bert-large": lambda: networks.bert_large(8, 128),
    "resnet50-training": lambda: networks.resnet50_training(128),
    "decoding": networks.decoding,
}

chosen = sys.argv[1].split(",") if len(sys.argv) > 1 else list(ALL)
steps = {name: ALL[name]() for name in chosen}
for step in steps.values():
    for _ in range(10):
        step()
torch.cuda.synchronize()
told.ready()

while True:
    _, name, seconds = told.next_order()
    step, count = steps[name], 0
    # What the pause has cost (caches, clocks) is no part of it.
    for _ in range(3):
        step()
    torch.cuda.synchronize()
    busy, start = time.process_time(), time.perf_counter()
    end = start + float(seconds)
    while time.perf_counter() < end:
        step()
        torch.cuda.synchronize()
        count += 1
    took, busy = time.perf_counter() - start, time.process_time() - busy
    told.answer("did", count, f"{took:.6f}", f"{busy:.6f}")
