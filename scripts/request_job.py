"""Ask one question, wait, print the answer, what it cost and the receipt.

    python scripts/request_job.py "What is the capital of France?" --max-tokens 32
    brownie run scripts/request_job.py main "What is the capital of France?" --network malla

Without options it uses the testnet that runs in this clone. The job is on disk before it is sent: when this is
interrupted, `--resume JOB_ID` goes on with it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # run by its path: the clone is not on the path yet
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from protocol.errors import BadInput, MallaError, file_error
from protocol.units import Wei, from_tokens
from requester import Client, Progress
from requester.cli.terminal import (
    describe_error,
    describe_progress,
    plain_result,
    print_preparation,
    result_fields,
)
from requester.config import Settings, with_options
from requester.errors import REFUNDED, exit_code

QUESTION = "What is the capital of France?"
PROMPT_VARIABLE = "MALLA_PROMPT"
CONNECTION = ("rpc_url", "deployment", "keystore", "password_file", "home")


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
    parser.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="stop waiting then; the job goes on")
    _add_options(parser)
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
        job_id = job_id or client.submit(prompt, on_progress=report, **_job_options(options))
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


def _add_options(parser: argparse.ArgumentParser) -> None:
    """Limits of a job, and where the network and the wallet are."""
    parser.add_argument("--max-tokens", type=_positive, default=64, help="most output tokens (64)")
    parser.add_argument("--max-price", type=_tokens, metavar="MALLA", help="most that the job may cost")
    parser.add_argument("--model", help="name or digest; needed when there is more than one")
    parser.add_argument("--provider", metavar="ADDRESS", help="ask this provider and no other")
    parser.add_argument("--deadline", type=_positive, metavar="SECONDS", help="until the provider must have answered")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of text")
    parser.add_argument("--rpc-url", help="chain node (MALLA_RPC_URL; else the testnet of this clone)")
    parser.add_argument("--deployment", help="deployment file (MALLA_DEPLOYMENT)")
    parser.add_argument("--keystore", help="keystore v3 of the requester (MALLA_KEYSTORE)")
    parser.add_argument("--password-file", help="file with its password (MALLA_PASSWORD_FILE)")
    parser.add_argument("--home", help="folder for job files and receipts (MALLA_HOME)")


def connect(options: argparse.Namespace) -> Client:
    """Errors: ConfigInvalid, ChainUnreachable."""
    env = with_options(os.environ, **{name: getattr(options, name) for name in CONNECTION})
    return Client.connect(Settings.from_env(env), progress=None if options.json else print_preparation)


def _job_options(options: argparse.Namespace) -> dict[str, Any]:
    """What goes to `Client.submit`."""
    return {"max_tokens": options.max_tokens, "max_price": options.max_price, "model": options.model,
            "provider": options.provider, "duration": options.deadline}


def _seconds(text: str) -> float:
    """For argparse: a time that can be waited for."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds")
    return value


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 0 < int(text) < 2**32:
        raise argparse.ArgumentTypeError(f"{text} is no whole number from 1")
    return int(text)


def _tokens(text: str) -> Wei:
    try:
        return from_tokens(text)
    except BadInput as error:
        raise argparse.ArgumentTypeError(f"{error.message} {error.fix}") from error


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
