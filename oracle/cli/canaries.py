"""`canary`: the oracle's own canaries. Reads the oracle's settings from its environment, as its processes do."""

from __future__ import annotations

import os
import time
from typing import Annotated, Any

import typer

from oracle.cli.options import Json
from oracle.cli.output import reporting, say
from protocol.errors import BadInput
from protocol.types import AUDIT_ONE, Sampler
from protocol.units import from_tokens, in_tokens

app = typer.Typer(no_args_is_help=True, help="Own canaries: ordinary jobs by which providers and auditors are checked.")
Wallet = Annotated[str, typer.Argument(help="Name of a wallet: a folder in MALLA_CANARY_WALLETS.")]
Amount = Annotated[str, typer.Argument(metavar="MALLA", help="Tokens, such as 12.5.")]
Provider = Annotated[str, typer.Option("--provider", metavar="ADDRESS", help="Ask this provider and no other.")]
InputTokens = Annotated[int, typer.Option("--input-tokens", min=1, help="Length of the prompt.")]
MaxTokens = Annotated[int, typer.Option("--max-tokens", min=1, help="Most output tokens.")]


@app.command("plan")
def plan(json: Json = False) -> None:
    """The canaries that are planned next."""
    from oracle.records.canaries import CanaryState

    with reporting(json):
        rows = _open()[0].canaries(CanaryState.PLANNED, CanaryState.PLACED)
        say(json, {"canaries": [_fields(row) for row in rows]}, [_line(row) for row in rows] or ["None are planned."])


@app.command("list")
def list_canaries(json: Json = False) -> None:
    """What became of the last ones: job, verdict, reason."""
    from oracle.records.canaries import CanaryState

    with reporting(json):
        over = (CanaryState.AUDITED, CanaryState.TOLD, CanaryState.FAILED)
        rows = _open()[0].canaries(*over)
        say(json, {"canaries": [_fields(row) for row in rows]}, [_line(row) for row in rows] or ["There were none."])


@app.command("place")
def place(wallet: Wallet, input_tokens: InputTokens = 64, max_tokens: MaxTokens = 64, provider: Provider = "",
          json: Json = False) -> None:
    """Have the worker place one now, beside the plan. What it is for may show by its time: use it for rehearsals."""
    from oracle.records.canaries import CanaryOrder
    from protocol.sampling import GREEDY

    with reporting(json):
        store, program = _open()
        if wallet not in {one.name for one in program.wallets()}:
            raise BadInput(f"There is no canary wallet '{wallet[:40]}'.", f"malla oracle canary wallet {wallet[:40]}")
        order = CanaryOrder(wallet, time.time(), input_tokens, max_tokens, Sampler(GREEDY, 0), AUDIT_ONE, provider)
        number = store.put_canaries([order])[0]
        say(json, {"number": number}, [f"Canary {number} is due now. See it with: malla oracle canary list"])


@app.command("fund")
def fund(wallet: Wallet, amount: Amount, json: Json = False) -> None:
    """Move tokens of a canary wallet into the escrow, by the requester's own program."""
    with reporting(json):
        wei = from_tokens(amount)
        _open()[1].deposit(wallet, wei)
        say(json, {"wallet": wallet, "deposited": str(wei)}, [f"Deposited {in_tokens(wei)} MALLA of {wallet}."])


@app.command("wallet")
def wallet(name: Wallet, json: Json = False) -> None:
    """Make a wallet for canaries. Send it tokens and gas from where other requesters get theirs, never from the
    oracle's own account."""
    with reporting(json):
        address = _open()[1].make_wallet(name)
        say(json, {"wallet": name, "address": address}, [f"{name}: {address}"])


def _open() -> tuple[Any, Any]:
    """The oracle's store, and the requester's program. Errors: ConfigInvalid, Unavailable."""
    from oracle.config import Settings
    from oracle.wiring.console import open_canaries

    return open_canaries(Settings.from_env(os.environ))


def _fields(row: Any) -> dict[str, Any]:
    order = row.order
    return {
        "number": row.number, "state": row.state.name, "wallet": order.wallet, "due_at": order.due_at,
        "input_tokens": order.input_tokens, "max_output_tokens": order.max_output_tokens, "provider": order.provider,
        "deposit": str(order.deposit), "audit": order.audit, "job_id": row.job_id and "0x" + row.job_id.hex(),
        "verdict": row.verdict, "reason": row.reason, "statistics": (row.evidence or {}).get("statistics"),
    }


def _line(row: Any) -> str:
    job = "0x" + row.job_id.hex() if row.job_id else f"{row.order.input_tokens} + {row.order.max_output_tokens} tokens"
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(row.order.due_at))
    return f"{row.number:>5}  {when}  {row.order.wallet}  {row.state.name}  {row.verdict}  {job}  {row.reason}".rstrip()
