"""The greedy program: works without end. Argument: train (ResNet-50, batch 128) or gemm (16384³ in bf16, back to back).

Told `go` it works, `count` it counts from now on, `stop` it finishes what it has begun and says `did STEPS SECONDS`.
"""
import collections
import sys
import time

import torch

import networks
import told

kind = sys.argv[1]
# So many steps are in flight: enough that the device never waits for the host, few enough that `stop` is soon obeyed.
step, depth = {"train": lambda: (networks.resnet50_training(128), 2), "gemm": lambda: (networks.gemm(16384), 8)}[kind]()
for _ in range(5):
    step()
torch.cuda.synchronize()
told.ready()


def work():
    in_flight, done = collections.deque(), 0
    counted_from = (0, time.monotonic())
    while True:
        step()
        event = torch.cuda.Event()
        event.record()
        in_flight.append(event)
        if len(in_flight) > depth:
            in_flight.popleft().synchronize()
            done += 1
        while told.has_order():
            if told.next_order() == ["count"]:
                counted_from = (done, time.monotonic())
            else:
                steps, seconds = done - counted_from[0], time.monotonic() - counted_from[1]
                torch.cuda.synchronize()
                told.answer("did", steps, f"{seconds:.6f}")
                return


while True:
    told.next_order()
    work()
