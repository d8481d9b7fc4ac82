"""`malla request balance | deposit | withdraw`: what lies in the escrow, and in the wallet."""

from __future__ import annotations

import typer

from protocol.units import from_tokens, in_tokens
from requester.cli.options import Amount, AsJson
from requester.cli.terminal import speaking


def balance(context: typer.Context, as_json: AsJson = False) -> None:
    """Free balance in the escrow, tokens in the wallet, the chain's own currency for gas."""
    with speaking(as_json) as say:
        client = context.obj.connect()
        has = client.balances()
        fields = {"account": client.address, "escrow": str(has.escrow), "wallet": str(has.wallet), "gas": str(has.gas)}
        amounts = [f"escrow  {in_tokens(has.escrow)} MALLA", f"wallet  {in_tokens(has.wallet)} MALLA"]
        say.out(fields, "\n".join([client.address, *amounts, f"gas     {in_tokens(has.gas)}"]))


def deposit(context: typer.Context, amount: Amount, as_json: AsJson = False) -> None:
    """Move tokens from the wallet into the escrow, from which jobs are paid."""
    with speaking(as_json) as say:
        wei, client = from_tokens(amount), context.obj.connect()
        client.deposit(wei)
        say.out({"deposited": str(wei)}, f"Deposited {in_tokens(wei)} MALLA.")


def withdraw(context: typer.Context, amount: Amount, as_json: AsJson = False) -> None:
    """Move free balance out of the escrow into the wallet, at any time."""
    with speaking(as_json) as say:
        wei, client = from_tokens(amount), context.obj.connect()
        client.withdraw(wei)
        say.out({"withdrawn": str(wei)}, f"Withdrew {in_tokens(wei)} MALLA.")
