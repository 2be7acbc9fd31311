"""Applications: the median time of a step of each, in one process. Argument: seconds for each."""
import statistics
import sys
import time

import common

torch = common.torch()
torch.use_deterministic_algorithms(False)
torch.backends.cudnn.benchmark = False
import torchvision  # noqa: E402

seconds = float(sys.argv[1])


def measure(name, step):
    for _ in range(10):
        step()
    torch.cuda.synchronize()
    times, end, busy = [], time.monotonic() + seconds, time.process_time()
    begin = time.monotonic()
    while time.monotonic() < end:
        start = time.perf_counter()
        step()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    used = (time.process_time() - busy) / (time.monotonic() - begin)
    print(f"{name}: {statistics.median(times) * 1e3:.4f} ms, cores {used:.3f}", flush=True)


def inference(net, x):
    def step():
        with torch.no_grad():
            net(x)

    return step


def replay(net, x):
    side = torch.cuda.Stream()
    with torch.cuda.stream(side), torch.no_grad():
        for _ in range(3):
            net(x)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph), torch.no_grad():
        net(x)
    return graph.replay


def training(net, x, t):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)

    def step():
        with torch.autocast("cuda", dtype=torch.half):
            loss = torch.nn.functional.cross_entropy(net(x), t)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


images = lambda n: torch.randn(n, 3, 224, 224, device="cuda", dtype=torch.half)
resnet = torchvision.models.resnet152().cuda().half().eval()
measure("ResNet-152, batch 1, eager", inference(resnet, images(1)))
measure("ResNet-152, batch 32, eager", inference(resnet, images(32)))
measure("ResNet-152, batch 4, graph", replay(resnet, images(4)))
measure("ResNet-50 training, batch 64", training(torchvision.models.resnet50().cuda(), images(64).float(), torch.randint(0, 1000, (64,), device="cuda")))
layer = torch.nn.TransformerEncoderLayer(1024, 16, 4096, batch_first=True)
bert = torch.nn.TransformerEncoder(layer, 24, enable_nested_tensor=False).cuda().half().eval()
measure("encoder of BERT-large's size, 8 x 128, eager", inference(bert, torch.randn(8, 128, 1024, device="cuda", dtype=torch.half)))
