"""One way for every command that sends: simulate, say what changes, ask, send, say what happened."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import typer

from protocol.chain.chain import Chain
from protocol.chain.connect import connect
from protocol.chain.deployment import load_deployment
from protocol.chain.keystore import keystore_address, open_keystore
from protocol.chain.records import Call
from protocol.chain.sender import send_and_wait
from protocol.encoding import to_hex
from protocol.signing import Signer
from protocol.units import Address
from provider.cli.options import Place
from provider.cli.output import confirm, say
from provider.flow.staking import Effect, StakeView


def open_chain(place: Place) -> Chain:
    """Errors: ConfigInvalid, ChainUnreachable."""
    return connect(place.require_rpc(), load_deployment(place.deployment_file()))


def open_owner(place: Place) -> Signer:
    return Signer(open_keystore(place.owner_keystore, place.password()))


def owner_address(place: Place) -> Address:
    """Without a password."""
    return keystore_address(place.owner_keystore)


def view_stake(chain: Chain, owner: Address) -> StakeView:
    record = chain.provider(owner)
    return StakeView(
        owner, record.node_key if int(record.node_key, 16) else None, record.active, record.unstaking,
        tuple((one.amount, one.release_at) for one in chain.unstakings(owner)), chain.token_balance(owner),
        chain.free_balance(owner), chain.unstake_delay(), chain.head().timestamp,
    )


def send(chain: Chain, signer: Signer, call: Call, effects: list[Effect], *, as_json: bool, yes: bool,
         dry_run: bool) -> dict[str, Any]:
    """Returns what was said: the plan, and with a sent transaction its hash, block and gas. Errors: ChainRefused,
    ChainUnreachable, Unavailable."""
    simulation = chain.simulate(call, signer.address)
    plan: dict[str, Any] = {"what": call.what, "from": signer.address, "to": call.to, "gas": simulation.gas,
                            "changes": [asdict(effect) for effect in effects], "sent": False}
    if not as_json:
        typer.echo(call.what)
        for effect in effects:
            typer.echo(f"  {effect.what}: {effect.before} → {effect.after}" if effect.before else
                       f"  {effect.what}: {effect.after}")
        typer.echo(f"  gas: {simulation.gas}, paid by {signer.address}")
    if dry_run:
        say(as_json, plan, ["Simulated only: nothing was sent."])
        return plan
    confirm(yes, as_json)
    receipt = send_and_wait(chain, signer, call)
    done = plan | {"sent": True, "tx": to_hex(receipt.tx_hash), "block": receipt.block, "gas_used": receipt.gas_used}
    say(as_json, done, [f"Done in block {receipt.block}: {to_hex(receipt.tx_hash)} ({receipt.gas_used} gas)."])
    return done
