"""Serves a language model with random weights, for trying how two servers share a GPU. What it says is nonsense; what it costs is not.

    python3 serve.py --port 8001                      one request at a time: the online class
    python3 serve.py --port 8002 --batch 16           up to 16 requests at a time: the batch class

It speaks as much of OpenAI's interface as measure.py needs, so that vLLM or llama.cpp can stand in its place: POST /v1/completions with
{"prompt": TEXT or [TOKEN, ...], "max_tokens": N}; GET /health answers once the model is there.
"""
import argparse
import json
import queue
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORDS = 32000
MOMENT = 0.02  # seconds that a batch waits to be full
SIZES = {  # width, width between layers, layers, heads, heads of keys and values
    "tiny": (64, 256, 2, 4, 2),
    "1b": (2048, 8192, 16, 32, 8),
    "8b": (4096, 14336, 32, 32, 8),
}


class Job:
    def __init__(self, prompt, new_tokens):
        self.prompt, self.new_tokens = prompt, new_tokens
        self.done, self.tokens, self.error = threading.Event(), [], None


class Model:
    def __init__(self, size, device):
        try:
            import torch
            from transformers import LlamaConfig, LlamaForCausalLM
        except ImportError as error:
            sys.exit(f"serve.py: {error}; pip install torch transformers")
        if device == "cuda" and not torch.cuda.is_available():
            sys.exit("serve.py: PyTorch finds no NVIDIA GPU (--device cpu serves without one, and nothing of it is scheduled)")
        width, between, layers, heads, kv_heads = SIZES[size]
        config = LlamaConfig(
            vocab_size=WORDS, hidden_size=width, intermediate_size=between, num_hidden_layers=layers,
            num_attention_heads=heads, num_key_value_heads=kv_heads, max_position_embeddings=16384,
        )
        torch.manual_seed(7)
        torch.set_default_dtype(torch.bfloat16 if device == "cuda" else torch.float32)
        with torch.device(device):
            self.model = LlamaForCausalLM(config).eval()
        self.torch, self.device = torch, device
        self.generate([[1] * 8], 2)

    def generate(self, prompts, new_tokens):
        """The tokens that follow each prompt. Prompts of different length are filled up on the left."""
        torch, longest = self.torch, max(map(len, prompts))
        rows = [[0] * (longest - len(prompt)) + prompt for prompt in prompts]
        masks = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        with torch.inference_mode():
            made = self.model.generate(
                torch.tensor(rows, device=self.device), attention_mask=torch.tensor(masks, device=self.device),
                max_new_tokens=new_tokens, min_new_tokens=new_tokens, do_sample=False, pad_token_id=0,
            )
        return [row[longest:] for row in made.tolist()]


def work(model, jobs, batch):
    """Takes as many jobs as come within a moment, up to a batch, and answers them together."""
    while True:
        taken, end = [jobs.get()], time.monotonic() + MOMENT
        while len(taken) < batch:
            try:
                taken.append(jobs.get(timeout=max(0.0, end - time.monotonic())))
            except queue.Empty:
                break
        try:
            said = model.generate([job.prompt for job in taken], max(job.new_tokens for job in taken))
            for job, tokens in zip(taken, said):
                job.tokens = tokens[: job.new_tokens]
        except Exception as error:
            for job in taken:
                job.error = str(error)
        for job in taken:
            job.done.set()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200 if self.path == "/health" else 404, {})

    def do_POST(self):
        try:
            asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            prompt, new_tokens = asked["prompt"], int(asked.get("max_tokens", 16))
            tokens = list(prompt.encode()) if isinstance(prompt, str) else [int(token) % WORDS for token in prompt]
            if not tokens or new_tokens < 1:
                raise ValueError("an empty prompt, or no tokens to make")
        except (KeyError, TypeError, ValueError) as error:
            return self.answer(400, {"error": repr(error)})
        job = Job(tokens, new_tokens)
        self.server.jobs.put(job)
        job.done.wait()
        if job.error is not None:
            return self.answer(500, {"error": job.error})
        text = " ".join(map(str, job.tokens))
        self.answer(200, {"choices": [{"text": text}], "usage": {"completion_tokens": len(job.tokens)}})

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--size", choices=SIZES, default="1b")
    parser.add_argument("--batch", type=int, default=1, help="requests that are answered together at most")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    args = parser.parse_args()
    model = Model(args.size, args.device)
    server = ThreadingHTTPServer(("127.0.0.1", args.port), Handler)
    server.jobs, server.daemon_threads = queue.Queue(), True
    threading.Thread(target=work, args=(model, server.jobs, args.batch), daemon=True).start()
    print(f"serving on port {args.port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
