"""`stake`, `unstake`, `withdraw`: the owner's money."""

from __future__ import annotations

from typing import Annotated

import typer

from protocol.units import from_tokens
from provider.cli.options import (
    DEFAULT_HOME,
    DeploymentFile,
    DryRun,
    Home,
    Json,
    OwnerKeystore,
    PasswordFile,
    Place,
    Rpc,
    Yes,
)
from provider.cli.output import reporting

PERMIT_SECONDS = 600
Amount = Annotated[str, typer.Argument(help="Tokens, such as 250 or 0.5.")]
Earnings = Annotated[bool, typer.Option("--earnings", help="The escrow's free balance instead of unstaked stake.")]


def stake(
    amount: Amount, home: Home = DEFAULT_HOME, rpc_url: Rpc = "", deployment: DeploymentFile = None,
    password_file: PasswordFile = None, keystore: OwnerKeystore = None, json: Json = False, yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Lock tokens as your own stake, in one transaction (an ERC-2612 permit travels with it)."""
    from provider.cli.sending import open_chain, open_owner, send, view_stake
    from provider.flow.staking import plan_stake

    with reporting(json):
        place, wei = Place(home, rpc_url, deployment, password_file, keystore), from_tokens(amount)
        chain, owner = open_chain(place), open_owner(place)
        view = view_stake(chain, owner.address)
        effects = plan_stake(view, wei)
        until = view.now + PERMIT_SECONDS
        signature = owner.sign(chain.permit_digest(owner.address, chain.deployment.staking, wei, until))
        call = chain.stake_with_permit(wei, until, signature)
        send(chain, owner, call, effects, as_json=json, yes=yes, dry_run=dry_run)


def unstake(
    amount: Amount, home: Home = DEFAULT_HOME, rpc_url: Rpc = "", deployment: DeploymentFile = None,
    password_file: PasswordFile = None, keystore: OwnerKeystore = None, json: Json = False, yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Begin to take stake out. It can still be slashed until you withdraw it, after the unstake delay."""
    from provider.cli.sending import open_chain, open_owner, send, view_stake
    from provider.flow.staking import plan_unstake

    with reporting(json):
        place, wei = Place(home, rpc_url, deployment, password_file, keystore), from_tokens(amount)
        chain, owner = open_chain(place), open_owner(place)
        effects = plan_unstake(view_stake(chain, owner.address), wei)
        send(chain, owner, chain.unstake(wei), effects, as_json=json, yes=yes, dry_run=dry_run)


def withdraw(
    earnings: Earnings = False, home: Home = DEFAULT_HOME, rpc_url: Rpc = "", deployment: DeploymentFile = None,
    password_file: PasswordFile = None, keystore: OwnerKeystore = None, json: Json = False, yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Take out every unstaking whose delay is over, or with --earnings what your work has earned."""
    from provider.cli.sending import open_chain, open_owner, send, view_stake
    from provider.flow.staking import plan_withdraw, plan_withdraw_earnings

    with reporting(json):
        place = Place(home, rpc_url, deployment, password_file, keystore)
        chain, owner = open_chain(place), open_owner(place)
        view = view_stake(chain, owner.address)
        effects = plan_withdraw_earnings(view) if earnings else plan_withdraw(view)
        call = chain.withdraw_balance(view.earnings) if earnings else chain.withdraw_stake()
        send(chain, owner, call, effects, as_json=json, yes=yes, dry_run=dry_run)
