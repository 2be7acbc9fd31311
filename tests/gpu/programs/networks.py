"""The networks of the benchmarks: each a function that makes one step of the work, on made-up data, with random weights."""
import torch
import torchvision
from torch import nn

import decoder


def images(count):
    return torch.randn(count, 3, 224, 224, device="cuda", dtype=torch.half)


def resnet152(batch):
    """Inference, eager."""
    net, x = torchvision.models.resnet152().cuda().half().eval(), images(batch)

    @torch.no_grad()
    def step():
        net(x)

    return step


def as_graph(step):
    """The same step as one CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def resnet50_training(batch):
    """A step of training, mixed precision, stochastic gradient descent."""
    net = torchvision.models.resnet50().cuda()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    x, t = images(batch).float(), torch.randint(0, 1000, (batch,), device="cuda")

    def step():
        with torch.autocast("cuda", dtype=torch.half):
            loss = nn.functional.cross_entropy(net(x), t)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def gemm(size):
    """A product of two square matrices in bf16."""
    a, b = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    out = torch.empty_like(a)
    return lambda: torch.mm(a, b, out=out)


def bert_large(batch, length):
    """The encoder of BERT-large: 24 layers of width 1024 with 16 heads; inference, eager."""
    layer = nn.TransformerEncoderLayer(1024, 16, 4096, activation="gelu", batch_first=True)
    net = nn.TransformerEncoder(layer, 24, enable_nested_tensor=False).cuda().half().eval()
    x = torch.randn(batch, length, 1024, device="cuda", dtype=torch.half)

    @torch.no_grad()
    def step():
        net(x)

    return step


def decoding():
    """A token of a language model of about a billion weights, which is read back as a program must to know it."""
    length = 512
    net = decoder.Decoder(width=2048, heads=16, layers=16, words=32000, length=length, dtype=torch.half)
    at, token = torch.zeros(1, dtype=torch.long, device="cuda"), torch.zeros(1, dtype=torch.long, device="cuda")
    mask = torch.zeros(length, device="cuda", dtype=torch.half)

    @torch.no_grad()
    def step():
        token.copy_(net(token, at, mask).argmax(-1))
        token.item()

    return step


def device_time(step, times=20):
    """Milliseconds of the device for one step: as a graph, again and again, so that it never waits for the host."""
    replay = as_graph(step)
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    replay()
    begin.record()
    for _ in range(times):
        replay()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / times
