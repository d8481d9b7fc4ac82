"""`join`, `resign`, `withdraw`: the seat in the committee and its stake."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from oracle.cli.options import DeploymentFile, DryRun, Json, Keystore, PasswordFile, Place, Rpc, Yes
from oracle.cli.output import confirm, reporting, say
from protocol.errors import ConfigInvalid
from protocol.units import in_tokens

Url = Annotated[str, typer.Option("--url", envvar="MALLA_PUBLIC_URL", help="Where everybody reaches the oracle's api.")]


def join(
    url: Url, rpc_url: Rpc = "", deployment: DeploymentFile = None, keystore: Keystore = None,
    password_file: PasswordFile = None, json: Json = False, yes: Yes = False, dry_run: DryRun = False,
) -> None:
    """Take the seat: lock its stake, publish URL, encryption key and reveal anchor. A member's URL is only changed."""
    from oracle.wiring.console import derive_seat
    from protocol.signing import Signer

    with reporting(json):
        if not url.startswith(("http://", "https://")):
            raise ConfigInvalid(f"'{url}' is no URL.", "Write it as https://oracle.example.org")
        place = Place(rpc_url, deployment, keystore, password_file)
        chain, key = place.chain(), place.key()
        signer = Signer(key)
        members = _members(chain)
        if signer.address in members:
            _send(chain, signer, [chain.set_url(url.rstrip("/"))], json, yes, dry_run)
            return
        if not chain.has_seat(signer.address):
            raise ConfigInvalid(f"{signer.address} has no seat in this deployment.", "Use the keystore of a seat.")
        stake, calls = chain.seat_stake(), []
        if chain.allowance(signer.address, chain.deployment.committee) < stake:
            calls.append(chain.approve(chain.deployment.committee, stake))
        encryption_key, anchor = derive_seat(key)
        if not json:
            say(False, {}, [f"The seat locks {in_tokens(stake)} MALLA until {chain.seat_delay()} s after resigning."])
        _send(chain, signer, [*calls, chain.join(url.rstrip("/"), encryption_key, anchor)], json, yes, dry_run)


def resign(
    rpc_url: Rpc = "", deployment: DeploymentFile = None, keystore: Keystore = None,
    password_file: PasswordFile = None, json: Json = False, yes: Yes = False, dry_run: DryRun = False,
) -> None:
    """Leave the committee. Keep the node running until the batches of its set versions are over."""
    _act("resign", Place(rpc_url, deployment, keystore, password_file), json, yes, dry_run)


def withdraw(
    rpc_url: Rpc = "", deployment: DeploymentFile = None, keystore: Keystore = None,
    password_file: PasswordFile = None, json: Json = False, yes: Yes = False, dry_run: DryRun = False,
) -> None:
    """Get the stake of a resigned seat back, after its delay."""
    _act("withdraw_seat", Place(rpc_url, deployment, keystore, password_file), json, yes, dry_run)


def _act(name: str, place: Place, json: bool, yes: bool, dry_run: bool) -> None:
    from protocol.signing import Signer

    with reporting(json):
        chain = place.chain()
        _send(chain, Signer(place.key()), [getattr(chain, name)()], json, yes, dry_run)


def _send(chain: Any, signer: Any, calls: list[Any], as_json: bool, yes: bool, dry_run: bool) -> None:
    """The first call is simulated; a later one can only be when the ones before are mined."""
    from protocol.chain.sender import send_and_wait
    from protocol.encoding import to_hex

    simulation = chain.simulate(calls[0], signer.address)
    plan = {"from": signer.address, "steps": [call.what for call in calls], "gas": simulation.gas, "sent": False}
    if not as_json:
        say(False, {}, [call.what for call in calls])
    if dry_run:
        say(as_json, plan, ["The first step would succeed. Nothing was sent."])
        return
    confirm(yes, as_json)
    receipts = [send_and_wait(chain, signer, call) for call in calls]
    last = receipts[-1]
    done = plan | {"sent": True, "tx": to_hex(last.tx_hash), "block": last.block,
                   "gas_used": sum(receipt.gas_used for receipt in receipts)}
    say(as_json, done, [f"Done in block {last.block}: {to_hex(last.tx_hash)}"])


def _members(chain: Any) -> tuple[str, ...]:
    set_version = chain.set_version()
    return tuple(chain.members(set_version)) if set_version else ()
