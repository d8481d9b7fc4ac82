"""The options that both requester scripts take."""

from __future__ import annotations

import argparse
import math
import os
from typing import Any

from protocol.errors import BadInput
from protocol.units import Wei, from_tokens
from requester import Client
from requester.config import Settings, with_options
from requester.terminal import print_preparation

CONNECTION = ("rpc_url", "deployment", "keystore", "password_file", "home")


def add_options(parser: argparse.ArgumentParser) -> None:
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


def job_options(options: argparse.Namespace) -> dict[str, Any]:
    """What goes to `Client.submit`."""
    return {"max_tokens": options.max_tokens, "max_price": options.max_price, "model": options.model,
            "provider": options.provider, "duration": options.deadline}


def seconds(text: str) -> float:
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
