"""PyTorch: one thread that launches NCCL on two GPUs, one after the other, so that each waits on the device for what is launched next."""
import common

torch = common.torch()
from torch.cuda import nccl  # noqa: E402

values = [torch.full((1 << 20,), 1.0 + rank, device=f"cuda:{rank}") for rank in range(2)]
for step in range(100):
    nccl.all_reduce(values)
    for value in values:
        value.mul_(0.5).add_(step)
for device in range(2):
    torch.cuda.synchronize(device)
common.say("all-reduce", *(common.tensors(value) for value in values))
