"""A program that stays, and does what it is told line by line, so that several can take turns without being started anew."""
import queue
import sys
import threading

_orders = queue.SimpleQueue()


def _listen():
    for line in sys.stdin:
        _orders.put(line.split())
    # Whoever tells us what to do is gone.
    _orders.put(None)


def next_order():
    """The next order, as words; waits for it. Ends the program where none can come any more."""
    order = _orders.get()
    if order is None:
        sys.exit(0)
    return order


def has_order():
    """Whether `next_order` would not wait."""
    return not _orders.empty()


def ready(*values):
    """Says that the first order may come."""
    threading.Thread(target=_listen, daemon=True).start()
    print("ready", *values, flush=True)


def answer(name, *values):
    print(name, *values, flush=True)
