"""The urgent program: requests at a fixed period. Arguments: batch, period in ms, number of requests."""
import sys
import time

import torch
import torchvision

batch, period, count = int(sys.argv[1]), int(sys.argv[2]) / 1e3, int(sys.argv[3])
net = torchvision.models.resnet152().cuda().half().eval()
x = torch.randn(batch, 3, 224, 224, device="cuda", dtype=torch.half)
with torch.no_grad():
    for _ in range(20):
        net(x)
    torch.cuda.synchronize()
    print("ready", flush=True)
    due = time.monotonic() + period
    for _ in range(count):
        time.sleep(max(0.0, due - time.monotonic()))
        start = time.monotonic()
        net(x)
        torch.cuda.synchronize()
        print(f"took {(time.monotonic() - start) * 1e3:.3f}", flush=True)
        due = max(due + period, time.monotonic())
