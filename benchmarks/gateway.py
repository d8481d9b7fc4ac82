"""What a client of the gateway waits for besides the model: `python -m benchmarks.gateway`.

Against the testnet that is up in this clone (`malla testnet up --detach`), or the network of the environment: starts
`malla request serve`, keeps 1, 8 and 32 streams busy, and compares what the client measured with what the provider's
worker measured of its own model run, call by call: the rest is gateway, sealing, vouchers, HTTP, queue and scheduling.
Providers take MALLA_STREAMS calls at once (8 unless set) and refuse more: those are asked for again, and counted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.new_user import MODEL, ROOT, end, free_port, wait_for

RESULT = Path(__file__).parent / "results" / "gateway.json"
STREAMS = (1, 8, 32)
TOKENS = 32
QUESTION = "Describe a harbour in the morning, number {}."


@dataclass(frozen=True)
class Timing:
    """Seconds of one call; `model_first` is the worker's own time to its first token."""

    first: float
    total: float
    model_first: float
    tokens: int
    provider: str


class Busy(Exception):
    """All providers are busy, for that many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


def main() -> int:
    """Measure, print a line for each number of streams, write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=4, help="calls of each stream")
    parser.add_argument("--only", help="ask this provider alone (its address)")
    options = parser.parse_args()
    port, rows = free_port(), []
    command = [str(ROOT / ".venv/bin/malla"), "request", "serve", "--port", str(port), "--max-spend", "900",
               "--session-cap", "100"]
    with tempfile.NamedTemporaryFile("w+", suffix=".log") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            wait_for(process, lambda: "Serving OpenAI's API" in Path(log.name).read_text(), Path(log.name))
            url = f"http://127.0.0.1:{port}/v1/chat/completions"
            ask(url, "warm", options.only)  # opens the session
            for streams in STREAMS:
                rows.append(measure(url, streams, options.calls, options.only))
                print(json.dumps(rows[-1]), flush=True)
        finally:
            end(process)
    found = {"command": "python -m benchmarks.gateway", "tokens_a_call": TOKENS, "rows": rows,
             "machine": {"cores": os.cpu_count(), "load_1m": os.getloadavg()[0], "python": platform.python_version(),
                         "gpu": None}}  # fmt: skip
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(found, indent=2) + "\n")
    return 0


def measure(url: str, streams: int, calls: int, only: str | None) -> dict[str, Any]:
    timings: list[Timing] = []
    errors: list[str] = []
    busy: list[int] = []

    def run(stream: int) -> None:
        call = 0
        while call < calls:
            try:
                timings.append(ask(url, f"{stream}-{call}", only))
            except Busy as again:
                busy.append(stream)
                time.sleep(again.seconds)
                continue
            except (httpx.HTTPError, ValueError) as error:
                errors.append(str(error)[:200])
            call += 1

    threads = [threading.Thread(target=run, args=(stream,)) for stream in range(streams)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    added = [timing.first - timing.model_first for timing in timings]
    return {
        "streams": streams, "calls": len(timings), "failed": len(errors), "errors": sorted(set(errors))[:3],
        "refused_as_busy": len(busy),
        "added_to_first_token_ms": quantiles(added, 1000), "first_token_s": quantiles([t.first for t in timings]),
        "total_s": quantiles([t.total for t in timings]),
        "tokens_per_second": round(sum(t.tokens for t in timings) / took, 1),
        "providers": len({timing.provider for timing in timings}),
    }  # fmt: skip


def ask(url: str, label: str, only: str | None) -> Timing:
    """One streamed call. Raises Busy, and ValueError for a reply that is an error."""
    body: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": QUESTION.format(label)}],
                            "max_tokens": TOKENS, "temperature": 0, "stream": True}
    if only:
        body["provider"] = {"only": [only]}
    began, first, last = time.monotonic(), 0.0, {}
    with httpx.stream("POST", url, json=body, timeout=600, trust_env=False) as reply:
        if reply.status_code == 429:
            raise Busy(float(reply.headers["retry-after"]))
        for line in reply.iter_lines():
            if not line.startswith("data: {"):
                continue
            last = json.loads(line[6:])
            if not first and last.get("choices") and last["choices"][0]["delta"].get("content"):
                first = time.monotonic() - began
        if "malla" not in last or not first:
            raise ValueError(f"{reply.status_code}: {last}")
    malla = last["malla"]
    return Timing(first, time.monotonic() - began, malla["time_to_first_token"], last["usage"]["completion_tokens"],
                  malla["provider"])


def quantiles(values: Sequence[float], factor: float = 1.0) -> dict[str, float]:
    if len(values) < 2:
        return {}
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    return {"p50": round(statistics.median(values) * factor, 2), "p95": round(cuts[18] * factor, 2)}


if __name__ == "__main__":
    raise SystemExit(main())
