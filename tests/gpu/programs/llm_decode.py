"""A decoder with random weights: tokens one by one, with and without a CUDA graph."""
import common

torch = common.torch()
from torch import nn  # noqa: E402

WIDTH, HEADS, LAYERS, WORDS, LENGTH = 512, 8, 6, 1000, 96


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.norms = nn.ModuleList([nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)])

    def forward(self, x, keys, values, at, mask):
        q, k, v = self.qkv(self.norms[0](x)).view(1, 3, HEADS, WIDTH // HEADS).unbind(1)
        keys.index_copy_(1, at, k.transpose(0, 1))
        values.index_copy_(1, at, v.transpose(0, 1))
        scores = (q.transpose(0, 1) @ keys.transpose(1, 2)) * (WIDTH // HEADS) ** -0.5 + mask
        x = x + self.out((scores.softmax(-1) @ values).transpose(0, 1).reshape(1, WIDTH))
        return x + self.down(nn.functional.gelu(self.up(self.norms[1](x))))


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.head = nn.Embedding(WORDS, WIDTH), nn.Linear(WIDTH, WORDS)
        self.layers = nn.ModuleList([Layer() for _ in range(LAYERS)])
        self.cache = [[torch.zeros(HEADS, LENGTH, WIDTH // HEADS, device="cuda") for _ in range(2)] for _ in range(LAYERS)]

    def forward(self, token, at, mask):
        x = self.words(token)
        for layer, (keys, values) in zip(self.layers, self.cache):
            x = layer(x, keys, values, at, mask)
        return self.head(x)


@torch.no_grad()
def decode(with_graph):
    torch.manual_seed(7)
    net = Decoder().cuda().eval()
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
