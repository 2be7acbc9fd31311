"""A language model that makes token by token, with random weights and a cache of keys and values."""
import torch
from torch import nn


class Layer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])

    def forward(self, x, keys, values, at, mask):
        width = x.shape[-1]
        q, k, v = self.qkv(self.norms[0](x)).view(1, 3, self.heads, width // self.heads).unbind(1)
        keys.index_copy_(1, at, k.transpose(0, 1))
        values.index_copy_(1, at, v.transpose(0, 1))
        scores = (q.transpose(0, 1) @ keys.transpose(1, 2)) * (width // self.heads) ** -0.5 + mask
        x = x + self.out((scores.softmax(-1) @ values).transpose(0, 1).reshape(1, width))
        return x + self.down(nn.functional.gelu(self.up(self.norms[1](x))))


class Decoder(nn.Module):
    """`forward(token, at, mask)`: scores of the next token, where `token` is at place `at`; `mask` is 0 where there is a token, else minus infinity."""

    def __init__(self, width, heads, layers, words, length, dtype):
        super().__init__()
        self.words, self.head = nn.Embedding(words, width), nn.Linear(width, words)
        self.layers = nn.ModuleList([Layer(width, heads) for _ in range(layers)])
        room = (heads, length, width // heads)
        self.cache = [[torch.zeros(room, device="cuda", dtype=dtype) for _ in range(2)] for _ in range(layers)]
        self.cuda().to(dtype).eval()

    def forward(self, token, at, mask):
        x = self.words(token)
        for layer, (keys, values) in zip(self.layers, self.cache):
            x = layer(x, keys, values, at, mask)
        return self.head(x)
