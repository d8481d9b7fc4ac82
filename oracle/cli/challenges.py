"""`challenge`: what the committee's oracles say of a provider's last GPU challenge. Needs no key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from oracle.cli.options import DeploymentFile, Json, Place, Rpc
from oracle.cli.output import reporting, say
from protocol.units import Address
from protocol.wire import from_json

Provider = Annotated[str, typer.Argument(help="The provider's owner address.")]


def challenge(provider: Provider, rpc_url: Rpc = "", deployment: DeploymentFile = None, json: Json = False) -> None:
    """Result, claims, measured rate and signs of a provider's cards, as each oracle has them: a badge, unpaid."""
    from oracle.wiring.console import ask_challenge

    with reporting(json):
        owner = from_json(Address, provider, "PROVIDER")
        chain = Place(rpc_url, deployment).chain()
        set_version = chain.set_version()
        members = chain.members(set_version) if set_version else ()
        said = {str(member): ask_challenge(chain.oracle(member).url, owner) for member in members}
        say(json, {"provider": owner, "oracles": said}, [
            f"Provider {owner}", *(line for member, found in said.items() for line in _lines(member, found))])


def _lines(member: str, found: dict[str, Any]) -> Iterator[str]:
    window = f", window {found['window']}" if "window" in found else ""
    yield f"  {member}: {_plain(found.get('result') or found.get('error'))}{window}"
    for device in found.get("devices", []):
        claim = device["claim"]
        yield (f"    {_plain(claim['name'])} {_plain(claim['uuid'])}: {_plain(device['result'])}, "
               f"{device['measured_int8_ops']:.3g} of {claim['int8_ops']:.3g} int8 operations a second claimed")
        for line in (device["reason"], *device["signs"]):
            if line:
                yield f"      {_plain(line)}"


def _plain(text: object) -> str:
    """A stranger's words must not steer the terminal."""
    return "".join(c if c.isprintable() else "?" for c in str(text))
