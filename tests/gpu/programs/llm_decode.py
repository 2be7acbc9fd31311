"""A decoder with random weights: tokens one by one, with and without a CUDA graph."""
import common

torch = common.torch()
import decoder  # noqa: E402

WIDTH, HEADS, LAYERS, WORDS, LENGTH = 512, 8, 6, 1000, 96


@torch.no_grad()
def decode(with_graph):
    torch.manual_seed(7)
    net = decoder.Decoder(WIDTH, HEADS, LAYERS, WORDS, LENGTH, torch.float)
    token, at = torch.zeros(1, dtype=torch.long, device="cuda"), torch.zeros(1, dtype=torch.long, device="cuda")
    mask = torch.full((LENGTH,), float("-inf"), device="cuda")
    graph = None
    if with_graph:
        side = torch.cuda.Stream()
        with torch.cuda.stream(side):
            net(token, at, mask)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            scores = net(token, at, mask)
    said = []
    for step in range(LENGTH):
        at.fill_(step)
        mask[step] = 0
        if graph:
            graph.replay()
        else:
            scores = net(token, at, mask)
        token.copy_(scores.argmax(-1))
        said.append(token.item())
    return said


for with_graph in (False, True):
    common.say("graph" if with_graph else "eager", *decode(with_graph))
