"""How long a job takes from `openJob` to its settlement, stage by stage: `python -m benchmarks.job_latency`.

Against the testnet that is up in this clone (`malla testnet up`), one job after the other, so that no job waits for
another. Stages are seconds of the chain's own clock, whole seconds; the answer's arrival is wall time of this process.
A job is audited, so its time includes the end of the draw's epoch, the opening and the replay.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

from protocol.errors import MallaError
from requester import Client, JobResult, Progress

RESULT = Path(__file__).parent / "results" / "job_latency.json"
QUESTIONS = (
    "What is a tide?", "Name three uses of copper.", "Why is the sky blue?", "What does a librarian do?",
    "How is paper made?", "What is a glacier?", "Why do leaves fall?", "What is an echo?",
)  # fmt: skip


def main() -> int:
    """Measure, print a line a job and the medians, write the result file; non-zero when no job was settled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=6)
    parser.add_argument("--max-tokens", type=int, default=32)
    parser.add_argument("--provider", help="ask this provider only: the dishonest one of the testnet settles nothing")
    options = parser.parse_args()
    try:
        client = Client.connect()
    except MallaError as error:
        print(f"{error.message}\n{error.fix}")
        return 1
    rows = [measure(client, QUESTIONS[i % len(QUESTIONS)], options) for i in range(options.jobs)]
    settled = [row for row in rows if row["state"] == "SETTLED"]
    if not settled:
        print("No job was settled.")
        return 1
    result = {
        "command": f"python -m benchmarks.job_latency --jobs {options.jobs} --max-tokens {options.max_tokens}",
        "jobs": rows,
        "medians": {name: statistics.median(row[name] for row in settled) for name in rows[0] if name.endswith("_s")},
        "machine": {"cores": os.cpu_count(), "load_1m": os.getloadavg()[0], "python": platform.python_version(),
                    "gpu": None},
    }  # fmt: skip
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result["medians"], indent=2))
    return 0


def measure(client: Client, question: str, options: argparse.Namespace) -> dict[str, Any]:
    """One job: seconds from asking to sent, to open, and the stages after it."""
    at: dict[str, float] = {}
    began = time.monotonic()

    def note(progress: Progress) -> None:
        at[progress.state] = time.monotonic() - began

    result: JobResult = client.run(question, max_tokens=options.max_tokens, provider=options.provider, on_progress=note)
    done = time.monotonic() - began
    row = {
        "state": result.state,
        "output_tokens": result.output_tokens,
        "ask_to_prepared_s": round(at["PREPARED"], 2),
        "prepared_to_sent_s": round(at["SENT"] - at["PREPARED"], 2),
        "sent_to_open_s": round(at["OPEN"] - at["SENT"], 2),
        "open_to_committed_s": result.committed_at - result.opened_at,
        "committed_to_settled_s": result.settled_at - result.committed_at,
        "open_to_settled_s": result.settled_at - result.opened_at,
        "ask_to_receipt_s": round(done, 2),
        "settlement_gas": result.settlement_gas,
    }
    print(json.dumps(row), flush=True)
    return row


if __name__ == "__main__":
    raise SystemExit(main())
