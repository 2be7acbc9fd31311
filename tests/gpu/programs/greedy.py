"""The greedy program: trains without end, and counts its steps."""
import torch
import torchvision

net = torchvision.models.resnet50().cuda()
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
x, t = torch.randn(128, 3, 224, 224, device="cuda"), torch.randint(0, 1000, (128,), device="cuda")
step = 0
while True:
    with torch.autocast("cuda", dtype=torch.half):
        loss = torch.nn.functional.cross_entropy(net(x), t)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    torch.cuda.synchronize()
    step += 1
    if step == 10:
        print("ready", flush=True)
    if step >= 10:
        print(f"step {step}", flush=True)
