"""A program that goes on for ever and says `step N`. Argument: train, lives (streams, graphs and memory come and go), decode."""
import sys
import time

import torch
from torch import nn

import decoder


def train():
    net = nn.Sequential(nn.Conv2d(3, 32, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)).cuda()
    optimizer = torch.optim.AdamW(net.parameters())
    x, t = torch.randn(64, 3, 64, 64, device="cuda"), torch.randint(0, 10, (64,), device="cuda")

    def step():
        loss = nn.functional.cross_entropy(net(x), t)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        loss.item()

    return step


def lives():
    # No products: PyTorch keeps a workspace of cuBLAS for every stream that ever made one, and its memory would grow without end.
    x = torch.randn(256, 256, device="cuda")

    def step():
        # More streams than PyTorch's pool has are made by nobody but the driver's own calls.
        stream = torch.cuda.ExternalStream(create(), device=x.device)
        with torch.cuda.stream(stream):
            y = torch.tanh(x + 1)
        graph = torch.cuda.CUDAGraph()
        stream.synchronize()
        with torch.cuda.graph(graph):
            z = torch.tanh(x + 2)
        graph.replay()
        torch.cuda.synchronize()
        del graph, y, z
        destroy(stream.cuda_stream)
        torch.cuda.empty_cache()

    return step


def create():
    from cuda.bindings import driver

    error, stream = driver.cuStreamCreate(1)
    assert int(error) == 0, error
    return int(stream)


def destroy(stream):
    from cuda.bindings import driver

    (error,) = driver.cuStreamDestroy(stream)
    assert int(error) == 0, error


def decode():
    net = decoder.Decoder(512, 8, 6, 1000, 96, torch.half)
    token, at = (torch.zeros(1, dtype=torch.long, device="cuda") for _ in range(2))
    mask = torch.zeros(96, device="cuda", dtype=torch.half)

    @torch.no_grad()
    def step():
        token.copy_(net(token, at, mask).argmax(-1))
        token.item()
        time.sleep(0.02)

    return step


step, count = {"train": train, "lives": lives, "decode": decode}[sys.argv[1]](), 0
said = time.monotonic()
while True:
    step()
    count += 1
    if time.monotonic() - said > 0.5:
        said = time.monotonic()
        print(f"step {count}", flush=True)
