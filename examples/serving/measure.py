"""How long requests to an online server take while a batch server works on the same GPU.

    python3 measure.py --online URL --batch URL       two servers that are there already, of vLLM, of llama.cpp, serve.py
    python3 measure.py --xsched PREFIX                starts serve.py twice natively and twice under PREFIX/bin/xcli, and compares

Online requests come at a fixed period, also while earlier ones are late; batch requests are a closed loop. Everything is asked by POST /v1/completions.
"""
import argparse
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent


def complete(url, prompt_tokens, new_tokens):
    """Asks for a completion; answers how many tokens came."""
    prompt = [1 + n * 7919 % 1000 for n in range(prompt_tokens)]
    body = json.dumps({"prompt": prompt, "max_tokens": new_tokens, "model": "any", "ignore_eos": True})
    request = urllib.request.Request(f"{url}/v1/completions", body.encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)["usage"]["completion_tokens"]


class Batch:
    """A closed loop of requests, until it is stopped."""

    ONE_STEP = 0.05  # seconds within which requests end that were answered together

    def __init__(self, url, args):
        self.url, self.args = url, args
        self.is_over, self.lock, self.errors = threading.Event(), threading.Lock(), []
        self.points = [(time.monotonic(), 0)]  # when so many tokens had been made
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(args.batch_requests)]
        for thread in self.threads:
            thread.start()

    def run(self):
        try:
            while not self.is_over.is_set():
                made = complete(self.url, self.args.batch_prompt, self.args.batch_tokens)
                with self.lock:
                    now, (then, tokens) = time.monotonic(), self.points[-1]
                    if len(self.points) > 1 and now - then < self.ONE_STEP:
                        self.points[-1] = (then, tokens + made)
                    else:
                        self.points.append((now, tokens + made))
        except (OSError, KeyError, ValueError) as error:
            self.errors.append(error)

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join()
        if self.errors:
            sys.exit(f"measure.py: the batch server: {self.errors[0]}")

    def made(self, at):
        """Tokens until then, those of requests that were under way in proportion."""
        for (then, tokens), (now, more) in zip(self.points, self.points[1:]):
            if then <= at <= now:
                return tokens + (more - tokens) * (at - then) / (now - then)
        return self.points[-1][1]


def online(url, args):
    """Times in milliseconds, from when each request was due."""
    times, errors, threads, begun = [], [], [], time.monotonic()

    def ask(due):
        try:
            complete(url, args.online_prompt, args.online_tokens)
            times.append((time.monotonic() - due) * 1e3)
        except (OSError, KeyError, ValueError) as error:
            errors.append(error)

    for number in range(max(1, round(args.seconds * 1e3 / args.period))):
        due = begun + number * args.period / 1e3
        time.sleep(max(0.0, due - time.monotonic()))
        threads.append(threading.Thread(target=ask, args=(due,), daemon=True))
        threads[-1].start()
    for thread in threads:
        thread.join()
    if errors:
        sys.exit(f"measure.py: the online server: {errors[0]}")
    return times


def warm_up(online_url, batch_url, args):
    """Requests as they will be, before anything counts: libraries are loaded and kernels chosen at the first ones of each kind."""
    batch = Batch(batch_url, args)
    try:
        for _ in range(args.warm_up):
            complete(online_url, args.online_prompt, args.online_tokens)
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f"measure.py: the online server: {error}")
    while not batch.errors and batch.points[-1][1] < args.warm_up * args.batch_requests * args.batch_tokens:
        time.sleep(0.05)
    batch.stop()


def quantile(times, share):
    times = sorted(times)
    return times[min(len(times) - 1, int(len(times) * share))]


def together(online_url, batch_url, args):
    """Times of online requests, and the batch server's tokens in a second meanwhile."""
    batch = Batch(batch_url, args)
    time.sleep(args.settle)
    begin = time.monotonic()
    times = online(online_url, args) if online_url else time.sleep(args.seconds / 2)
    end = time.monotonic()
    batch.stop()
    return times, (batch.made(end) - batch.made(begin)) / (end - begin)


class Table:
    """What each setting showed, over the rounds."""

    def __init__(self):
        self.rows = {}

    def add(self, setting, times, rate):
        row = self.rows.setdefault(setting, ([], []))
        row[0].extend(times or [])
        if rate is not None:
            row[1].append(rate)

    def show(self, alone, batch_alone):
        print("| setting | online requests | p50 ms | p99 ms | p99 × alone | batch tokens/s | of alone |")
        print("|---|--:|--:|--:|--:|--:|--:|")
        for setting, (times, rates) in self.rows.items():
            cells = ["–"] * 6
            if times:
                p50, p99 = quantile(times, 0.5), quantile(times, 0.99)
                ratio = p99 / quantile(self.rows[alone][0], 0.99)
                cells[:4] = [str(len(times)), f"{p50:.1f}", f"{p99:.1f}", f"{ratio:.2f}"]
            if rates:
                rate, most = (sum(of) / len(of) for of in (rates, self.rows[batch_alone][1]))
                cells[4:] = [f"{rate:.0f}", f"{100 * rate / most:.1f} %" if most else "–"]
            print(f"| {setting} | " + " | ".join(cells) + " |")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def process(command, **more):
    running = subprocess.Popen(command, **more)
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def wait_for(url, running):
    """Until the server answers."""
    end = time.monotonic() + 180
    while time.monotonic() < end:
        if running.poll() is not None:
            sys.exit(f"measure.py: a server has ended with {running.returncode}")
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
    sys.exit(f"measure.py: no answer from {url}")


def serve(stack, args, prefix, *flags):
    """Starts serve.py with these words before its command; answers its URL and its process, which may not answer yet."""
    port = free_port()
    command = [*prefix, sys.executable, str(HERE / "serve.py"), "--port", str(port), "--device", args.device, *flags]
    return f"http://127.0.0.1:{port}", stack.enter_context(process(command, stdout=subprocess.DEVNULL))


def compare(args):
    """Four servers, all idle but in their turn."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        server, binaries = f"{folder}/xserver.sock", pathlib.Path(args.xsched) / "bin"
        xserver = [binaries / "xserver", "HPF", "--priority-ceiling", "255", "--socket", server]
        stack.enter_context(process(xserver, stderr=subprocess.DEVNULL, env={**os.environ, "XDG_RUNTIME_DIR": folder}))
        end = time.monotonic() + 10
        while not os.path.exists(server) and time.monotonic() < end:
            time.sleep(0.05)
        run = [binaries / "xcli", "--socket", server, "run"]
        settings = {"native": ([], [])}
        for level in args.level:
            words = ["--level", str(level), "--"]
            settings[f"XSched, Level {level}"] = (
                [*run, "--priority", "10", "--gap", str(args.gap), *words], [*run, *words])
        sides = (["--size", args.online_size], ["--size", args.batch_size, "--batch", str(args.batch_requests)])
        # All at once, which takes as long as one.
        started = {
            name: [serve(stack, args, prefix, *flags) for prefix, flags in zip(prefixes, sides)]
            for name, prefixes in settings.items()
        }
        for pair in started.values():
            for url, running in pair:
                wait_for(url, running)
        there = {name: [url for url, _ in pair] for name, pair in started.items()}
        for pair in there.values():
            warm_up(*pair, args)
        table = Table()
        for _ in range(args.rounds):
            native = there["native"]
            table.add("native, online alone", online(native[0], args), None)
            table.add("native, batch alone", *together(None, native[1], args))
            for name, (online_url, batch_url) in there.items():
                table.add(f"{name}, together", *together(online_url, batch_url, args))
        print(
            f"Online: {args.online_size}, {args.online_prompt} + {args.online_tokens} tokens every {args.period} ms. "
            f"Batch: {args.batch_size}, {args.batch_requests} requests of {args.batch_prompt} + {args.batch_tokens} tokens. "
            f"{args.rounds} rounds of {args.seconds} s.\n")
        table.show("native, online alone", "native, batch alone")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--online", metavar="URL", help="a server that is there")
    parser.add_argument("--batch", metavar="URL", help="another one")
    parser.add_argument("--xsched", metavar="PREFIX", help="start servers, and compare natively and with the XSched that is there")
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--warm-up", type=int, default=3, help="requests of each kind before anything counts; of batch requests, all in flight are one")
    parser.add_argument("--settle", type=float, default=1, help="seconds that the batch server works before anything counts")
    parser.add_argument("--period", type=float, default=400, help="milliseconds between online requests")
    parser.add_argument("--online-prompt", type=int, default=256, help="tokens")
    parser.add_argument("--online-tokens", type=int, default=16)
    parser.add_argument("--batch-prompt", type=int, default=1024, help="tokens")
    parser.add_argument("--batch-tokens", type=int, default=32)
    parser.add_argument("--batch-requests", type=int, default=16, help="in flight at any time")
    parser.add_argument("--online-size", default="1b", help="see serve.py")
    parser.add_argument("--batch-size", default="8b")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--level", type=int, action="append", help="highest level that XSched uses; may be given twice (default: 1 and 3)")
    parser.add_argument("--gap", type=int, default=2000, help="microseconds between two kernels of a request that are no rest")
    args = parser.parse_args()
    args.level = args.level or [1, 3]
    if args.xsched:
        compare(args)
    elif args.online and args.batch:
        warm_up(args.online, args.batch, args)
        table = Table()
        for _ in range(args.rounds):
            table.add("online alone", online(args.online, args), None)
            table.add("batch alone", *together(None, args.batch, args))
            table.add("together", *together(args.online, args.batch, args))
        table.show("online alone", "batch alone")
    else:
        parser.error("say --online URL --batch URL, or --xsched PREFIX")


if __name__ == "__main__":
    main()
