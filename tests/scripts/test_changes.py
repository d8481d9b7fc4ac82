from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from eth_abi import encode
from eth_utils import to_checksum_address

from protocol.encoding import keccak
from scripts.changes import SETTINGS, STRUCTS, Change, ChangeRefused, find_change, parameters_of
from scripts.parameters import TERMS
from scripts.proposals import Proposal, describe, read_proposal

ALICE, BOB = (to_checksum_address("0x" + pair * 20) for pair in ("aa", "bb"))
TODAY: dict[tuple[str, str], Any] = {
    ("escrow", "parameters"): dataclasses.astuple(TERMS["test"]),
    ("rewards", "betaBps"): 8_000,
    ("staking", "guardian"): ALICE,
}


def read(contract: str, function: str, *arguments: Any) -> Any:
    if function == "hasSeat":
        return arguments == (ALICE,)
    return TODAY[contract, function]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("token", "cap", "1"), "no governed contract 'token'; there are escrow, court, staking"),
        (("escrow", "fee", "1"), "The escrow has no parameter 'fee'; it has openFee, feeBps"),
        (("rewards", "betaBps", "much"), "betaBps is a whole number"),
        (("rewards", "betaBps", "-1"), "betaBps is a whole number"),
        (("rewards", "betaBps", "0.5"), "betaBps is a whole number"),
        (("rewards", "betaBps", "nan"), "betaBps is a whole number"),
        (("rewards", "betaBps", "1e99"), "betaBps is a whole number"),
        (("committee", "addSeat", "7"), "addSeat takes an address"),
        (("committee", "addSeat", "0x" + "aA" * 20), "not as its checksum says"),
    ],
)
def test_find_change__of_what_there_is_not__is_refused(words: tuple[str, str, str], message: str) -> None:
    with pytest.raises(ChangeRefused, match=message):
        find_change(*words, read)


def test_find_change__field_of_a_struct__leaves_the_other_fields_as_they_are() -> None:
    change = find_change("escrow", "feeBps", "1_250", read)
    expected = dataclasses.astuple(dataclasses.replace(TERMS["test"], fee_bps=1_250))
    assert change == Change("escrow", "feeBps", "setTerms", (expected,), 300, 1_250)
    assert not change.is_done


@pytest.mark.parametrize(("value", "number"), [("0", 0), ("5_000", 5_000), ("25e2", 2_500)])
def test_find_change__number_with_a_setter__is_one_argument(value: str, number: int) -> None:
    change = find_change("rewards", "betaBps", value, read)
    assert change == Change("rewards", "betaBps", "setBeta", (number,), 8_000, number)


def test_find_change__value_of_today__is_done() -> None:
    assert find_change("rewards", "betaBps", "8e3", read).is_done
    assert find_change("staking", "guardian", ALICE.lower(), read).is_done
    assert not find_change("staking", "guardian", BOB, read).is_done


@pytest.mark.parametrize(
    ("parameter", "account", "done"),
    [("addSeat", ALICE, True), ("addSeat", BOB, False), ("removeSeat", ALICE, False), ("removeSeat", BOB, True)],
)
def test_find_change__seat__is_done_once_it_is_as_wanted(parameter: str, account: str, done: bool) -> None:
    change = find_change("committee", parameter, account, read)
    assert (change.function, change.is_done) == (parameter, done)
    assert [word.lower() for word in change.arguments] == [account.lower()]


def test_parameters__of_every_contract__have_one_meaning_each() -> None:
    for contract in SETTINGS:
        names = parameters_of(contract)
        assert len(set(names)) == len(names) >= 1
    assert len(parameters_of("escrow")) == len(STRUCTS["escrow"][2]) + 2
    assert "maturityWindow" in parameters_of("escrow") and "rulingWindow" in parameters_of("court")


def test_read_proposal__of_the_governors_event__is_the_call_again() -> None:
    types = ["uint256", "address", "address[]", "uint256[]", "string[]", "bytes[]", "uint256", "uint256", "string"]
    data = encode(types, [7, ALICE, [BOB], [0], [""], [b"call"], 1, 2, "why"])
    proposal = read_proposal(data)
    target = proposal.targets[0]
    assert proposal == Proposal(7, (target,), (0,), (b"call",), "why") and target.lower() == BOB.lower()
    assert proposal.arguments == ([target], [0], [b"call"], keccak(b"why"))
    assert proposal.is_call(target, b"call")
    assert not proposal.is_call(target, b"other") and not proposal.is_call(ALICE, b"call")


def test_describe__another_attempt_or_proposer__is_another_text() -> None:
    """OpenZeppelin's governor takes a text that ends so only from the proposer that it names."""
    change = Change("rewards", "betaBps", "setBeta", (1,), 2, 1)
    text = describe(change, 1, ALICE)
    assert text == f"Malla: rewards.betaBps from 2 to 1 (1)#proposer={ALICE.lower()}"
    seat = Change("committee", "addSeat", "addSeat", (BOB,), False, True)
    assert BOB in describe(seat, 1, ALICE)
    assert len({text, describe(change, 2, ALICE), describe(change, 1, BOB)}) == 3
