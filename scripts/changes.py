"""What governance can change, and the one call that makes each change. Pure: whoever asks brings the reading of today's
values.

A parameter that is a field of a struct is changed by setting the whole struct, with its other fields as they are today.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from eth_utils import is_address, to_checksum_address

from scripts.parameters import CourtTerms, Terms

Read = Callable[..., Any]
"""`read(contract, function, *arguments)`: what a view function of the chain says now."""


class ChangeRefused(Exception):
    """There is no such change to propose; the message says what there is."""


@dataclass(frozen=True)
class Setting:
    """A parameter with a setter of its own. `kind` is what its value is: a number, an address, or a member, an address
    that is to be `wanted` (True) or not among those of which `getter` knows."""

    setter: str
    getter: str
    kind: str = "number"
    wanted: bool = True


@dataclass(frozen=True)
class Change:
    """One call to one contract, `contract` by its word in a deployment file.

    `before` and `after` are the values of the parameter; the change is done when they are the same.
    """

    contract: str
    parameter: str
    function: str
    arguments: tuple[Any, ...]
    before: Any
    after: Any

    @property
    def is_done(self) -> bool:
        return bool(self.before == self.after)

    @property
    def words(self) -> str:
        """Such as `escrow.feeBps from 500 to 400`, or `committee.addSeat 0x...`."""
        if isinstance(self.after, bool):
            return f"{self.contract}.{self.parameter} {self.arguments[0]}"
        return f"{self.contract}.{self.parameter} from {self.before} to {self.after}"


STRUCTS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "escrow": ("setTerms", "parameters", tuple(field.name for field in dataclasses.fields(Terms))),
    "court": ("setTerms", "terms", tuple(field.name for field in dataclasses.fields(CourtTerms))),
}
"""Setter, getter and fields of each contract that keeps its parameters in a struct."""
_GUARDED = {
    "guardian": Setting("setGuardian", "guardian", "address"),
    "pausedUntil": Setting("pause", "pausedUntil"),
}
SETTINGS: Mapping[str, Mapping[str, Setting]] = {
    "escrow": _GUARDED,
    "court": {},
    "staking": {
        "unstakeDelay": Setting("setUnstakeDelay", "unstakeDelay"),
        "delegationMultiple": Setting("setDelegationMultiple", "delegationMultiple"),
        **_GUARDED,
    },
    "rewards": {"betaBps": Setting("setBeta", "betaBps")},
    "committee": {
        "seatStake": Setting("setSeatStake", "seatStake"),
        "stakeDelay": Setting("setStakeDelay", "stakeDelay"),
        "addSeat": Setting("addSeat", "hasSeat", "member"),
        "removeSeat": Setting("removeSeat", "hasSeat", "member", wanted=False),
    },
    "timelock": {"minDelay": Setting("updateDelay", "getMinDelay")},
    "governor": {
        "votingDelay": Setting("setVotingDelay", "votingDelay"),
        "votingPeriod": Setting("setVotingPeriod", "votingPeriod"),
        "proposalThreshold": Setting("setProposalThreshold", "proposalThreshold"),
        "quorumNumerator": Setting("updateQuorumNumerator", "quorumNumerator"),
        "lateQuorumVoteExtension": Setting("setLateQuorumVoteExtension", "lateQuorumVoteExtension"),
    },
}


def parameters_of(contract: str) -> tuple[str, ...]:
    """Every parameter of a contract by the name that Solidity has for it. Raises ChangeRefused for an unknown one."""
    if contract not in SETTINGS:
        raise ChangeRefused(f"There is no governed contract {contract!r}; there are {', '.join(SETTINGS)}.")
    fields = STRUCTS[contract][2] if contract in STRUCTS else ()
    return (*(_camel(field) for field in fields), *SETTINGS[contract])


def find_change(contract: str, parameter: str, value: str, read: Read) -> Change:
    """The call that sets a parameter to a value, given in the contract's own unit (wei, seconds, bps).

    Raises ChangeRefused for an unknown contract or parameter, and for a value that is not of the parameter's kind.
    """
    names = parameters_of(contract)
    if parameter not in names:
        raise ChangeRefused(f"The {contract} has no parameter {parameter!r}; it has {', '.join(names)}.")
    setting = SETTINGS[contract].get(parameter)
    if setting is None:
        return _in_struct(contract, parameter, _number(parameter, value), read)
    if setting.kind == "number":
        number = _number(parameter, value)
        return Change(
            contract, parameter, setting.setter, (number,), int(read(contract, setting.getter)), number
        )
    account = _address(parameter, value)
    if setting.kind == "address":
        before = to_checksum_address(str(read(contract, setting.getter)))
        return Change(contract, parameter, setting.setter, (account,), before, account)
    is_member = bool(read(contract, setting.getter, account))
    return Change(contract, parameter, setting.setter, (account,), is_member, setting.wanted)


def _in_struct(contract: str, parameter: str, number: int, read: Read) -> Change:
    setter, getter, fields = STRUCTS[contract]
    today = [int(value) for value in read(contract, getter)]
    place = [_camel(field) for field in fields].index(parameter)
    tomorrow = [*today[:place], number, *today[place + 1 :]]
    return Change(contract, parameter, setter, (tuple(tomorrow),), today[place], number)


def _number(parameter: str, value: str) -> int:
    """A whole number that is not negative, also as 5_000 or 5000e18."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0 or number.adjusted() > 78 or number != number.to_integral_value():
        raise ChangeRefused(f"{parameter} is a whole number, such as 300, 5_000 or 25e18; {value!r} is none.")
    return int(number)


def _address(parameter: str, value: str) -> str:
    """Checksummed; one in mixed case must have the right checksum."""
    if not is_address(value):
        raise ChangeRefused(f"{parameter} takes an address; {value!r} is none.")
    account = to_checksum_address(value)
    if value not in (account, account.lower()):
        raise ChangeRefused(f"{value} has a letter that is not as its checksum says: was it copied whole?")
    return account


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)
