"""PyTorch: what fails, at which call, and with which words. What breaks a context runs in a process of its own."""
import subprocess
import sys

import common

torch = common.torch()


def calls(**steps):
    """Makes calls one after the other, and says what each of them raises."""
    for name, call in steps.items():
        try:
            call()
            common.say(name, "passes")
        except Exception as error:  # noqa: BLE001
            common.say(name, type(error).__name__, str(error).split("\n")[0][:60])


def memory():
    x = torch.ones(1000, device="cuda")
    calls(
        too_much=lambda: torch.empty(1 << 50, device="cuda"),
        then_some=lambda: x.add_(1),
        wait=torch.cuda.synchronize,
        no_such_device=lambda: torch.ones(1, device="cuda:99"),
    )
    common.say("sum", x.sum().item())


def fault():
    x, at = torch.zeros(4, device="cuda"), torch.tensor([7], device="cuda")
    torch.cuda.synchronize()
    calls(launch=lambda: x[at], wait=torch.cuda.synchronize, again=lambda: x.add_(1).sum().item(), allocate=lambda: torch.ones(1 << 22, device="cuda"))


def capture():
    x = torch.ones(1000, device="cuda")

    def broken():
        with torch.cuda.graph(torch.cuda.CUDAGraph()):
            x.sum().item()

    calls(wait_in_a_capture=broken, then_some=lambda: torch.ones(10, device="cuda"), wait=torch.cuda.synchronize)


if len(sys.argv) > 1:
    {"fault": fault, "capture": capture}[sys.argv[1]]()
else:
    memory()
    for name in ("fault", "capture"):
        child = subprocess.run([sys.executable, __file__, name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        common.say(name, "ends with", child.returncode, child.stdout.replace("\n", "; "))
