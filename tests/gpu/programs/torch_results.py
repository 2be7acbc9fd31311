"""PyTorch: networks, a training loop, CUDA graphs, streams, copies, errors."""
import common

torch = common.torch()
from torch import nn  # noqa: E402


def convolution():
    net = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 64, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
    ).cuda()
    x = torch.randn(16, 3, 64, 64, device="cuda")
    for _ in range(30):
        y = net(x)
    return y


def transformer():
    layer = nn.TransformerEncoderLayer(128, 4, 256, dropout=0.0, batch_first=True)
    net = nn.TransformerEncoder(layer, 4).cuda().eval()
    x = torch.randn(8, 64, 128, device="cuda")
    with torch.no_grad():
        for _ in range(30):
            y = net(x)
    return y


def training():
    net = nn.Sequential(nn.Linear(256, 512), nn.GELU(), nn.Linear(512, 10)).cuda()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    for step in range(100):
        x, t = torch.randn(128, 256, device="cuda"), torch.randint(0, 10, (128,), device="cuda")
        loss = nn.functional.cross_entropy(net(x), t)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if step % 10 == 0:
            loss.item()
    return loss, *net.parameters()


def graphs():
    net = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 512)).cuda()
    x = torch.randn(64, 512, device="cuda")
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side), torch.no_grad():
        for _ in range(3):
            net(x)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph), torch.no_grad():
        y = net(x)
    for _ in range(200):
        x.copy_(torch.randn(64, 512, device="cuda"))
        graph.replay()
    return y


def streams():
    all_streams = [torch.cuda.Stream() for _ in range(8)]
    values = [torch.randn(256, 256, device="cuda") for _ in all_streams]
    torch.cuda.synchronize()
    for _ in range(50):
        for at, stream in enumerate(all_streams):
            with torch.cuda.stream(stream):
                values[at] = torch.tanh(values[at] @ values[at])
    for stream in all_streams:
        torch.cuda.current_stream().wait_stream(stream)
    event = torch.cuda.Event()
    event.record()
    event.synchronize()
    return values


def copies():
    source, target = torch.randn(1 << 20, pin_memory=True), torch.empty(1 << 20, pin_memory=True)
    data = torch.empty(1 << 20, device="cuda")
    for _ in range(100):
        data.copy_(source, non_blocking=True)
        data.mul_(1.0001)
        target.copy_(data, non_blocking=True)
        torch.cuda.current_stream().synchronize()
        source.copy_(target)
    return (target,)


for part in (convolution, transformer, training, graphs, streams, copies):
    torch.manual_seed(7)
    result = part()
    common.say(part.__name__, common.tensors(*(result if isinstance(result, (tuple, list)) else (result,))))

try:
    torch.empty(1 << 50, device="cuda")
except RuntimeError as error:
    common.say("too much memory", type(error).__name__)
