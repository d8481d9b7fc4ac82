from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from brownie import chain, web3

from protocol.encoding import keccak
from protocol.types import Outcome
from tests.contracts.expect import at, now, refused
from tests.contracts.market import Market

KEY, ANCHOR = keccak(b"key"), keccak(b"anchor")


@pytest.fixture(scope="module")
def founded(containers: Any) -> Market:
    return Market(containers, seated=0)


@pytest.fixture
def empty(founded: Market) -> Iterator[Market]:
    """A market whose seats are all empty; each oracle has the tokens and the allowance for its stake."""
    chain.snapshot()
    for oracle in founded.oracles:
        founded.fund(oracle, founded.committee, founded.plan.seat_stake)
    yield founded
    chain.revert()


def join(market: Market, n: int = 0, url: str = "https://o", key: bytes = KEY, anchor: bytes = ANCHOR) -> Any:
    return market.committee.join(url, key, anchor, {"from": market.oracles[n].account})


def test_join__without_a_seat__is_refused(empty: Market) -> None:
    with refused("NoSeat", empty.stranger.address):
        empty.committee.join("https://o", KEY, ANCHOR, {"from": empty.stranger.account})


def test_join__twice__is_refused(empty: Market) -> None:
    join(empty)
    with refused("AlreadyMember", empty.oracles[0].address):
        join(empty)


@pytest.mark.parametrize("missing", ["key", "anchor"])
def test_join__without_a_key__is_refused(empty: Market, missing: str) -> None:
    with refused("ZeroKey"):
        join(empty, **{missing: bytes(32)})


@pytest.mark.parametrize("length", [0, 201])
def test_join__with_a_url_of_a_wrong_length__is_refused(empty: Market, length: int) -> None:
    with refused("UrlLength", length, 200):
        join(empty, url="x" * length)


def test_join__without_the_stake__is_refused(empty: Market) -> None:
    oracle, stake = empty.oracles[0], empty.plan.seat_stake
    empty.token.approve(empty.committee.address, stake - 1, {"from": oracle.account})
    with refused("ERC20InsufficientAllowance", str(empty.committee.address), stake - 1, stake):
        join(empty)


def test_join__with_a_seat__locks_the_stake_and_makes_a_new_set(empty: Market) -> None:
    oracle = empty.oracles[2]
    sent = join(empty, 2)
    event = sent.events["OracleJoined"]
    epoch = sent.block_number // empty.plan.epoch_blocks
    assert (event["oracle"], event["setVersion"], event["anchorEpoch"]) == (oracle.address, 1, epoch)
    assert empty.committee.members(0) == () and empty.committee.members(1) == (oracle.address,)
    assert empty.token.balanceOf(empty.committee.address) == empty.plan.seat_stake
    assert empty.token.balanceOf(oracle.address) == 0
    record = empty.committee.oracle(oracle.address)
    assert [int(value) for value in record[:3]] == [empty.plan.seat_stake, 0, epoch]
    assert (bytes(record[3]), bytes(record[4]), record[5]) == (ANCHOR, KEY, "https://o")


def test_members__joined_out_of_order__are_listed_by_seat(empty: Market) -> None:
    for n in (3, 1, 0):
        join(empty, n)
    assert list(empty.committee.members(3)) == [empty.oracles[n].address for n in (0, 1, 3)]
    assert list(empty.committee.members(2)) == [empty.oracles[n].address for n in (1, 3)]


@pytest.mark.parametrize(
    ("members", "faults", "quorum"), [(0, 0, 1), (1, 0, 1), (2, 0, 2), (3, 0, 2), (4, 1, 3)]
)
def test_quorum__of_n_members__is_what_the_rule_says(
    empty: Market, members: int, faults: int, quorum: int
) -> None:
    for n in range(members):
        join(empty, n)
    assert (empty.committee.faults(members), empty.committee.quorum(members)) == (faults, quorum)


def test_views__of_a_version_that_is_not_there__are_refused(market: Market) -> None:
    for view in (market.committee.members, market.committee.quorum, market.committee.faults):
        with refused("UnknownSetVersion", 5):
            view(5)


def test_resign__of_somebody_who_is_no_member__is_refused(market: Market) -> None:
    with refused("NotMember", market.stranger.address):
        market.committee.resign({"from": market.stranger.account})


def test_resign__of_a_member__leaves_the_older_sets_as_they_were(market: Market) -> None:
    leaver = market.oracles[1]
    sent = market.committee.resign({"from": leaver.account})
    event = sent.events["OracleResigned"]
    release = sent.timestamp + market.plan.stake_delay
    assert (event["oracle"], event["setVersion"], event["releaseAt"]) == (leaver.address, 5, release)
    assert market.committee.isMember(4, leaver.address) and not market.committee.isMember(5, leaver.address)
    assert market.committee.hasSeat(leaver.address)
    assert (market.committee.quorum(4), market.committee.quorum(5)) == (3, 2)


def test_resign__twice__is_refused(market: Market) -> None:
    market.committee.resign({"from": market.oracles[0].account})
    with refused("NotMember", market.oracles[0].address):
        market.committee.resign({"from": market.oracles[0].account})


def test_resign__of_every_member_with_batches_undecided__is_never_blocked(market: Market) -> None:
    """R26: neither a pending nor a frozen batch, nor being the last one, keeps an oracle in its seat."""
    market.committed()
    market.settle(market.committed(provider=1), outcome=Outcome.FRAUD)
    stakes = market.token.balanceOf(market.committee.address)
    for oracle in market.oracles:
        market.committee.resign({"from": oracle.account})
    assert market.committee.members(market.committee.version()) == ()
    assert market.token.balanceOf(market.committee.address) == stakes


def test_withdraw__of_a_member__is_refused(market: Market) -> None:
    """R26: a member's stake does not leave at all."""
    with refused("NothingToWithdraw", market.oracles[0].address):
        market.committee.withdraw({"from": market.oracles[0].account})


def test_withdraw__a_second_early__is_refused(market: Market) -> None:
    """R26: locked for the whole delay."""
    oracle = market.oracles[0]
    release = market.committee.resign({"from": oracle.account}).events["OracleResigned"]["releaseAt"]
    at(release - 1)
    with refused("StillReleasing", oracle.address, release):
        market.committee.withdraw({"from": oracle.account})


def test_join__again_before_withdrawing__is_refused(market: Market) -> None:
    oracle = market.oracles[0]
    release = market.committee.resign({"from": oracle.account}).events["OracleResigned"]["releaseAt"]
    with refused("StillReleasing", oracle.address, release):
        market.join(oracle)


def test_withdraw__on_time__pays_the_stake_and_lets_the_oracle_join_again(market: Market) -> None:
    oracle, stake = market.oracles[0], market.plan.seat_stake
    release = market.committee.resign({"from": oracle.account}).events["OracleResigned"]["releaseAt"]
    at(release)
    event = market.committee.withdraw({"from": oracle.account}).events["OracleWithdrawn"]
    assert (event["oracle"], event["amount"]) == (oracle.address, stake)
    assert market.token.balanceOf(oracle.address) == stake
    with refused("NothingToWithdraw", oracle.address):
        market.committee.withdraw({"from": oracle.account})
    market.token.approve(market.committee.address, stake, {"from": oracle.account})
    assert market.join(oracle).events["OracleJoined"]["setVersion"] == 6
    assert market.committee.members(6) == market.committee.members(4)


def test_set_url__of_somebody_who_is_no_member__is_refused(market: Market) -> None:
    market.committee.resign({"from": market.oracles[0].account})
    for caller in (market.stranger, market.oracles[0]):
        with refused("NotMember", caller.address):
            market.committee.setUrl("https://new", {"from": caller.account})


def test_set_url__of_a_member__replaces_it_without_a_new_set(market: Market) -> None:
    oracle = market.oracles[0]
    event = market.committee.setUrl("https://new", {"from": oracle.account}).events["OracleUrlChanged"]
    assert (event["oracle"], event["url"]) == (oracle.address, "https://new")
    assert market.committee.oracle(oracle.address)[5] == "https://new"
    assert market.committee.version() == 4 and now() > 0


def test_join__when_a_member_could_lack_a_version_to_leave_with__is_refused(market: Market) -> None:
    """R26: the last 32 versions are kept for resignations."""
    committee, oracle = market.committee, market.oracles[0]
    release = committee.resign({"from": oracle.account}).events["OracleResigned"]["releaseAt"]
    at(release)
    committee.withdraw({"from": oracle.account})
    address, last = str(committee.address), 2**16 - 1 - 32
    # The version lies in the lowest two bytes of the first slot.
    slot = int.from_bytes(web3.eth.get_storage_at(address, 0), "big")
    word = (slot & ~0xFFFF | last).to_bytes(32, "big")
    web3.provider.make_request("anvil_setStorageAt", [address, "0x0", "0x" + word.hex()])
    assert committee.version() == last
    with refused("VersionsExhausted", last):
        market.join(oracle)
