"""Two programs that hand each other events and memory by handle, and wait for each other on the device.

Each adds and scales in turn, behind the other's event. Which of them is suspended, and when, must not show.
"""
import sys

import common

torch = common.torch()
import torch.multiprocessing as mp  # noqa: E402

ROUNDS = 200


def work(stream, x, own, theirs, value):
    with torch.cuda.stream(stream):
        stream.wait_event(theirs)
        x.mul_(3).add_(value)
        own.record(stream)


def other(data, to, back):
    """The second program: gets memory and an event, hands out its own event."""
    x, handle = data.get()
    device = torch.device("cuda", 0)
    theirs = torch.cuda.Event.from_ipc_handle(device, handle)
    own, stream = torch.cuda.Event(interprocess=True), torch.cuda.Stream()
    own.record(stream)
    back.send(own.ipc_handle())
    while to.recv():
        work(stream, x, own, theirs, 5)
        back.send(True)
    stream.synchronize()
    del x
    back.send("over")


def main():
    context = mp.get_context("spawn")
    (to, far_to), (far_back, back) = context.Pipe(), context.Pipe()
    data = context.Queue()
    child = context.Process(target=other, args=(data, far_to, far_back))
    child.start()
    x = torch.arange(1 << 16, device="cuda", dtype=torch.int64)
    own, stream = torch.cuda.Event(interprocess=True), torch.cuda.Stream()
    torch.cuda.synchronize()
    own.record(stream)
    data.put((x, own.ipc_handle()))
    theirs = torch.cuda.Event.from_ipc_handle(torch.device("cuda", 0), back.recv())
    for step in range(ROUNDS):
        work(stream, x, own, theirs, step)
        to.send(True)
        # The other one has recorded its event anew, though the device need not have come to it.
        back.recv()
    to.send(False)
    assert back.recv() == "over"
    torch.cuda.synchronize()
    child.join(30)
    common.say("events and memory by handle", common.digest(x.cpu().numpy()), "exit", child.exitcode)
    return 0 if child.exitcode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
