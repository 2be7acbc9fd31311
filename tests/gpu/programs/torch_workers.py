"""PyTorch: DataLoader workers by fork and by spawn, a training step on what they load."""
import common

torch = common.torch()
from torch.utils.data import DataLoader, Dataset  # noqa: E402


class Numbers(Dataset):
    def __len__(self):
        return 64

    def __getitem__(self, at):
        generator = torch.Generator().manual_seed(at)
        return torch.randn(256, generator=generator)


def main():
    for method in ("fork", "spawn"):
        torch.manual_seed(7)
        net = torch.nn.Linear(256, 256).cuda()
        total = torch.zeros(256, device="cuda")
        loader = DataLoader(Numbers(), batch_size=8, num_workers=2, multiprocessing_context=method, pin_memory=True)
        for batch in loader:
            total += net(batch.cuda(non_blocking=True)).sum(0)
        common.say(method, common.tensors(total))


if __name__ == "__main__":
    main()
