"""What gateway and provider add to running a model: `python -m benchmarks.gateway`, about four minutes on two cores.

It starts what it needs in a folder of its own (chain, one oracle, one provider, `malla request serve`; see
`benchmarks.gateway_stand`; the contracts have to be built) and ends it again. In turn, with the same questions: the
provider's backend called directly in this process, and an HTTP client that asks the gateway: voucher, seal, HTTP,
PostgreSQL, Celery, the worker's engine, sealed parts, chunks. At 1, 8 and 32 streams at once.

Two model runs on a busy machine differ by more than what is added. So most calls of one stream are short and alternate,
and what is added is also told within one run: what the client measured less what the worker measured of its own model.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.gateway_stand import Stand, running_stand
from benchmarks.new_user import MODEL
from protocol.encoding import keccak
from provider.records.work import Produced

RESULT = Path(__file__).parent / "results" / "gateway.json"
TOKENS, FEW_TOKENS, MANY_TOKENS = 32, 4, 256
PAIRS = 40
"""Short calls of one stream, each way."""
ROUNDS = {1: 6, 8: 3, 32: 3}
QUESTION = "Describe {} in the year {}, with details."
TOPICS = ("a harbour", "a mountain", "an old library", "a night train", "a market", "a lighthouse", "a garden")
WAYS = ("direct", "gateway")


@dataclass(frozen=True)
class Timing:
    """Seconds of one call; `model_first` is the worker's own time to its first token."""

    first: float
    total: float
    tokens: int
    text: str
    model_first: float
    refused: int = 0


def main() -> int:
    """Measure, print, write the result file; non-zero when the ways gave other answers, or a call failed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--result", type=Path, default=RESULT, help="the file that is written")
    result_file = options.parse_args().result
    load = os.getloadavg()[0]
    with running_stand() as stand:
        ways = {"direct": lambda place, number, most: directly(stand, place, number, most),
                "gateway": lambda place, number, most: through(stand, place, number, most)}
        warm(stand)
        short = [one_round(ways, 1, number, FEW_TOKENS) for number in range(PAIRS)]
        rows = {count: [one_round(ways, count, number, TOKENS) for number in range(ROUNDS[count])] for count in ROUNDS}
    streams = {str(count): summarise(found, found if count > 1 else short) for count, found in rows.items()}
    calls = [row for found in (*rows.values(), short) for row in found]
    result = {"command": "python -m benchmarks.gateway", "model": MODEL, "tokens_a_call": TOKENS,
              "short_calls": {"pairs": PAIRS, "tokens": FEW_TOKENS, "used_for": "time to the first token, one stream"},
              "rounds": {str(count): rounds for count, rounds in ROUNDS.items()}, "streams": streams,
              "same_text": sum(row["same_text"] for row in calls), "calls": sum(len(row["gateway"]) for row in calls),
              "refused_as_busy": sum(call.refused for row in calls for call in row["gateway"]),
              "machine": {"cores": os.cpu_count(), "load_1m_at_the_start": round(load, 2),
                          "python": platform.python_version(), "gpu": None}}  # fmt: skip
    result_file.parent.mkdir(exist_ok=True)
    result_file.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    return 0 if result["same_text"] >= 0.95 * result["calls"] else 1


def warm(stand: Stand) -> None:
    """Opens the session, and fills it: long calls are reserved for as they might become, and then end at once."""
    directly(stand, 0, 0, FEW_TOKENS)
    through(stand, 0, 0, FEW_TOKENS)
    at_once(lambda place: through(stand, place, 0, MANY_TOKENS, (" ", ",", ".")), max(ROUNDS))


def one_round(ways: dict[str, Callable[[int, int, int], Timing]], count: int, number: int, most: int) -> dict[str, Any]:
    """Both ways, one after the other; who begins alternates, so that a machine that gets busier harms both alike."""
    found: dict[str, Any] = {"seconds": {}}
    for name in WAYS if number % 2 else reversed(WAYS):
        began = time.perf_counter()
        found[name] = at_once(lambda place, name=name: ways[name](place, number, most), count)  # type: ignore[misc]
        found["seconds"][name] = time.perf_counter() - began
    found["same_text"] = sum(a.text == b.text for a, b in zip(found["direct"], found["gateway"], strict=True))
    return found


def at_once(run: Callable[[int], Timing], count: int) -> list[Timing]:
    """Raises RuntimeError when a call failed."""
    found: dict[int, Timing] = {}
    threads = [threading.Thread(target=lambda place=place: found.update({place: run(place)})) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(found) < count:
        raise RuntimeError(f"{count - len(found)} of {count} calls failed; the messages are above.")
    return [found[place] for place in range(count)]


def question(place: int, number: int) -> str:
    return QUESTION.format(TOPICS[(place + number) % len(TOPICS)], 1900 + place)


def directly(stand: Stand, place: int, number: int, most: int) -> Timing:
    """As the worker's threads do it."""
    began, first = time.perf_counter(), 0.0

    def deliver(new: Produced) -> int:
        nonlocal first
        first = first or time.perf_counter() - began
        return len(new.ids)

    done = stand.backend.run((("user", question(place, number)),), most, lambda _count: None, lambda: False,
                             fingerprint_seed=keccak(b"seed"), deliver=deliver)
    return Timing(first, time.perf_counter() - began, len(done.output_token_ids), done.text, first)


def through(stand: Stand, place: int, number: int, most: int, stop: Sequence[str] = ()) -> Timing:
    """One streamed call at the gateway; one that is refused as busy is asked again, and the wait counts. Raises
    RuntimeError with what the gateway said."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": question(place, number)}], "max_tokens": most,
            "temperature": 0, "stream": True, **({"stop": list(stop)} if stop else {})}
    url, refused = urlsplit(stand.url), 0
    began = time.perf_counter()
    while True:
        with closing(http.client.HTTPConnection(url.hostname or "", url.port, timeout=600)) as connection:
            connection.request("POST", f"{url.path}/chat/completions", json.dumps(body),
                               {"content-type": "application/json"})
            reply = connection.getresponse()
            if reply.status == 200:
                return read_stream(reply, began, refused)
            said = reply.read().decode()
        if reply.status != 429:
            raise RuntimeError(f"{reply.status}: {said}")
        refused += 1
        time.sleep(float(reply.headers["retry-after"]))


def read_stream(reply: http.client.HTTPResponse, began: float, refused: int) -> Timing:
    """Raises RuntimeError for a stream that ends with an error."""
    first, total, text, last = 0.0, 0.0, "", {}
    for line in reply:
        if not line.startswith(b"data: {"):
            continue
        last = json.loads(line[6:])
        if last.get("choices") and (piece := last["choices"][0]["delta"].get("content")):
            first, text = first or time.perf_counter() - began, text + piece
        total = time.perf_counter() - began
    if "malla" not in last:
        raise RuntimeError(str(last))
    return Timing(first or total, total, last["usage"]["completion_tokens"], text,
                  last["malla"]["time_to_first_token"], refused)


def summarise(rows: list[dict[str, Any]], firsts: list[dict[str, Any]]) -> dict[str, Any]:
    """Milliseconds to the first token from `firsts`; seconds in all and tokens a second from `rows`. `added_ms` is the
    difference of the two ways of the same question in the same round; `around_the_model_ms` that within one run."""
    pairs = [pair for row in firsts for pair in zip(row["direct"], row["gateway"], strict=True)]
    summary: dict[str, Any] = {}
    for at, way in enumerate(WAYS):
        calls = [call for row in rows for call in row[way]]
        speed = sum(call.tokens for call in calls) / sum(row["seconds"][way] for row in rows)
        summary[way] = {"first_ms": spread([1000 * pair[at].first for pair in pairs]),
                        "total_s": spread([call.total for call in calls], 3), "tokens_per_second": round(speed, 2)}
    both = [pair for row in rows for pair in zip(row["direct"], row["gateway"], strict=True)]
    ratio = summary["gateway"]["tokens_per_second"] / summary["direct"]["tokens_per_second"]
    return summary | {
        "added_to_first_ms": spread([1000 * (two.first - one.first) for one, two in pairs]),
        "added_to_total_ms": spread([1000 * (two.total - one.total) for one, two in both]),
        "around_the_model_first_ms": spread([1000 * (two.first - two.model_first) for _, two in pairs]),
        "throughput_ratio": round(ratio, 3)}


def spread(values: list[float], digits: int = 2) -> dict[str, float]:
    ranked = sorted(values)
    late = ranked[int(0.95 * (len(ranked) - 1))]
    return {"p50": round(statistics.median(ranked), digits), "p95": round(late, digits)}


if __name__ == "__main__":
    raise SystemExit(main())
