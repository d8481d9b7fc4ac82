"""Ask one question, wait, print the answer, what it cost and the receipt.

    python scripts/request_job.py "What is the capital of France?" --max-tokens 32
    brownie run scripts/request_job.py main "What is the capital of France?" --network malla

Without options it uses the testnet that runs in this clone. The job is on disk before it is sent: when this is
interrupted, `--resume JOB_ID` goes on with it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

if __package__ in (None, ""):  # run by its path: the clone is not on the path yet
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from protocol.errors import MallaError, file_error
from requester import Progress
from requester.errors import REFUNDED, exit_code
from requester.terminal import describe_error, describe_progress, plain_result, result_fields
from scripts.request_options import add_options, connect, job_options, seconds

QUESTION = "What is the capital of France?"
PROMPT_VARIABLE = "MALLA_PROMPT"


def main(*args: str) -> int:
    """Exit status 0: settled; 7: refunded; 3 configuration, 4 balance, 5 no offer, 6 timeout, 8 no chain, 1 else."""
    options = parse(args)
    try:
        return run(options)
    except (MallaError, OSError) as caught:
        error = caught if isinstance(caught, MallaError) else file_error(caught)
        print(describe_error(error, options.json), file=sys.stdout if options.json else sys.stderr, flush=True)
        return exit_code(error)


def parse(args: tuple[str, ...]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="request_job", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question", nargs="?", help=f"the prompt (else {PROMPT_VARIABLE}, else an example)")
    parser.add_argument("--prompt", help="the same as an option")
    parser.add_argument("--resume", metavar="JOB_ID", help="go on with a job that was begun")
    parser.add_argument("--timeout", type=seconds, metavar="SECONDS", help="stop waiting then; the job goes on")
    add_options(parser)
    return parser.parse_args(args)


def run(options: argparse.Namespace) -> int:
    prompt = options.prompt or options.question or os.environ.get(PROMPT_VARIABLE) or QUESTION
    client = connect(options)
    if not options.json:
        print(f"Requester {client.address}" + ("" if options.resume else f" asks: {prompt}"), flush=True)

    job_id = options.resume

    def report(progress: Progress) -> None:
        nonlocal job_id
        job_id = progress.job_id
        print(describe_progress(progress, options.json), flush=True)

    try:
        job_id = job_id or client.submit(prompt, on_progress=report, **job_options(options))
        result = client.wait(job_id, timeout=options.timeout, on_progress=report)
    except KeyboardInterrupt:
        hint = f" Nothing is lost, go on with: --resume {job_id}" if job_id else ""
        print(f"Interrupted.{hint}", file=sys.stderr, flush=True)
        return 130
    if options.json:
        print(json.dumps({"event": "result", **result_fields(result)}, ensure_ascii=False), flush=True)
    else:
        print(plain_result(result), flush=True)
    return 0 if result.state == "SETTLED" else REFUNDED


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
