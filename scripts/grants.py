"""Whom a local network funds, and with how much. Pure functions; amounts are wei."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

from eth_utils import is_address, to_checksum_address

from protocol.units import TOKEN

Role = Literal["requester", "provider", "oracle"]


@dataclass(frozen=True)
class Party:
    """An account that the local chain is to fund."""

    role: Role
    address: str


@dataclass(frozen=True)
class Grant:
    """What a party starts with: wei of the chain's coin for gas, wei of MallaToken."""

    gas: int
    tokens: int


GRANTS: Mapping[str, Grant] = {
    "requester": Grant(gas=100 * 10**18, tokens=10_000 * TOKEN),
    "provider": Grant(gas=100 * 10**18, tokens=10_000 * TOKEN),
    "oracle": Grant(gas=100 * 10**18, tokens=6_000 * TOKEN),
}


def read_parties(listed: object) -> tuple[Party, ...]:
    """Parties from JSON: a list of {"role": requester | provider | oracle, "address"}. Raises ValueError."""
    if not isinstance(listed, list):
        raise ValueError('The list of parties is not a list of {"role", "address"} objects.')
    found: list[Party] = []
    for place, item in enumerate(listed):
        role, address = (item.get("role"), item.get("address")) if isinstance(item, dict) else (None, None)
        if role not in get_args(Role) or not isinstance(address, str) or not is_address(address):
            raise ValueError(
                f"Party {place} is {item!r}; it needs a role of {get_args(Role)} and an address."
            )
        found.append(Party(cast(Role, role), to_checksum_address(address)))
    return tuple(found)


def seats_of(parties: Sequence[Party]) -> tuple[str, ...]:
    """The oracles among the parties, in their order."""
    return tuple(party.address for party in parties if party.role == "oracle")
