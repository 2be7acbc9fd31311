"""PyTorch: data-parallel training over NCCL, a process for each of two GPUs."""
import os
import socket

import common

torch = common.torch()
import torch.distributed as dist  # noqa: E402
import torch.multiprocessing as mp  # noqa: E402


def free_port():
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return any_port.getsockname()[1]


def train(rank, port, said):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.cuda.set_device(rank)
    common.torch()
    dist.init_process_group("nccl", rank=rank, world_size=2)
    net = torch.nn.Sequential(torch.nn.Linear(256, 1024), torch.nn.GELU(), torch.nn.Linear(1024, 10)).cuda()
    net = torch.nn.parallel.DistributedDataParallel(net, device_ids=[rank])
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    generator = torch.Generator().manual_seed(rank)
    for _ in range(50):
        x, t = torch.randn(64, 256, generator=generator).cuda(), torch.randint(0, 10, (64,), generator=generator).cuda()
        loss = torch.nn.functional.cross_entropy(net(x), t)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    said.put((rank, common.tensors(*net.parameters())))
    dist.destroy_process_group()


if __name__ == "__main__":
    said = mp.get_context("spawn").SimpleQueue()
    mp.spawn(train, (free_port(), said), nprocs=2)
    for rank, weights in sorted(said.get() for _ in range(2)):
        common.say("rank", rank, weights)
