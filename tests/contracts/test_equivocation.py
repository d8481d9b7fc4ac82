"""Two settlements of one set version that decide a batch in two ways cost their signer its stake and its seat."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from protocol.encoding import keccak
from protocol.messages import decision_tuple, settlement_digest
from protocol.types import Decision, Outcome
from protocol.units import Digest, Wei
from tests.contracts.expect import NOBODY, at, refused
from tests.contracts.market import Market
from tests.contracts.nouns import Person

DIGEST = keccak(b"digest")
PASS = Decision(7, Digest(keccak(b"entries")), Outcome.PASS, Wei(10), 0b0001)
FRAUD = dataclasses.replace(PASS, outcome=Outcome.FRAUD, amount=Wei(0))
NOT_OPENED = dataclasses.replace(FRAUD, outcome=Outcome.NOT_OPENED)
ANOTHER = dataclasses.replace(PASS, batch_id=8)


def prove(
    market: Market,
    one: Sequence[Decision],
    other: Sequence[Decision],
    oracle: Person | None = None,
    version: int = 4,
    batch: int = 7,
    signers: tuple[Person, Person] | None = None,
) -> Any:
    """The stranger reports what the oracle signed, or `signers` in its place."""
    oracle = oracle or market.oracles[0]
    signed = [
        signer.signer.sign(settlement_digest(market.domain, version, decisions))
        for signer, decisions in zip(signers or (oracle, oracle), (one, other), strict=True)
    ]
    lists = [[decision_tuple(decision) for decision in decisions] for decisions in (one, other)]
    arguments = (oracle.address, version, batch, lists[0], signed[0], lists[1], signed[1])
    return market.committee.proveEquivocation(*arguments, {"from": market.stranger.account})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([PASS], [PASS]),
        ([ANOTHER, PASS], [PASS, ANOTHER]),
        ([ANOTHER], [FRAUD]),
        ([FRAUD], [ANOTHER]),
        ([], [PASS]),
        ([PASS], []),
    ],
)
def test_prove__of_lists_that_decide_the_batch_in_one_way__is_refused(
    market: Market, one: list[Decision], other: list[Decision]
) -> None:
    """R58: the same decision in two lists, or of one list only, is none."""
    with refused("NotEquivocation", market.oracles[0].address, 7):
        prove(market, one, other)


def test_prove__of_an_account_outside_of_the_set__is_refused(market: Market) -> None:
    """R58: its signature counted for nothing there."""
    with refused("SignerNotMember", market.stranger.address, 4):
        prove(market, [PASS], [FRAUD], market.stranger)
    with refused("SignerNotMember", market.oracles[3].address, 3):
        prove(market, [PASS], [FRAUD], market.oracles[3], version=3)
    with refused("UnknownSetVersion", 5):
        prove(market, [PASS], [FRAUD], version=5)


@pytest.mark.parametrize("honest", [0, 1])
def test_prove__with_one_signature_of_somebody_else__is_refused(market: Market, honest: int) -> None:
    """R58: both lists are its own."""
    accused, forger = market.oracles[:2]
    signers = (accused, forger) if honest == 0 else (forger, accused)
    with refused("NotSignedBy", accused.address, forger.address):
        prove(market, [PASS], [FRAUD], accused, signers=signers)


def test_prove__with_a_signature_for_another_set_version__is_refused(market: Market) -> None:
    """R58: what an oracle said as a member of two sets does not contradict itself."""
    oracle = market.oracles[0]
    lists = [[decision_tuple(PASS)], [decision_tuple(FRAUD)]]
    old = oracle.signer.sign(settlement_digest(market.domain, 3, [PASS]))
    new = oracle.signer.sign(settlement_digest(market.domain, 4, [FRAUD]))
    with pytest.raises(Exception, match="NotSignedBy"):
        market.committee.proveEquivocation(
            oracle.address, 4, 7, lists[0], old, lists[1], new, {"from": market.stranger.account}
        )


@pytest.mark.parametrize("length", [0, 64, 66])
def test_prove__with_a_malformed_signature__is_refused(market: Market, length: int) -> None:
    oracle = market.oracles[0]
    good = [oracle.signer.sign(settlement_digest(market.domain, 4, [d])) for d in (PASS, FRAUD)]
    bad = (good[0] + b"\x00")[:length]
    arguments = (oracle.address, 4, 7, [decision_tuple(PASS)], bad, [decision_tuple(FRAUD)], good[1])
    with refused("NotSignedBy", oracle.address, NOBODY):
        market.committee.proveEquivocation(*arguments, {"from": market.stranger.account})


@pytest.mark.parametrize(
    "changed",
    [
        {"outcome": Outcome.FRAUD, "amount": 0},
        {"amount": 11},
        {"entries_hash": keccak(b"other entries")},
        {"auditors": 0b0010},
        {"outcome": Outcome.NOT_OPENED, "amount": 0},
    ],
)
def test_prove__of_any_field_decided_in_two_ways__takes_the_stake(
    market: Market, changed: dict[str, Any]
) -> None:
    """R58: a tenth to the reporter, the rest burned, the seat ended."""
    oracle, stake, share = market.oracles[0], market.plan.seat_stake, market.plan.seat_stake // 10
    supply, held = market.token.totalSupply(), market.token.balanceOf(market.committee.address)
    sent = prove(market, [ANOTHER, PASS], [dataclasses.replace(PASS, **changed)])
    assert dict(sent.events["OracleSlashed"]) == {
        "oracle": oracle.address,
        "reporter": market.stranger.address,
        "batchId": 7,
        "burned": stake - share,
        "share": share,
    }
    assert market.token.balanceOf(market.stranger.address) == share
    assert supply - market.token.totalSupply() == stake - share
    assert held - market.token.balanceOf(market.committee.address) == stake
    assert dict(sent.events["SeatRemoved"]) == {"oracle": oracle.address, "seat": 0}
    assert sent.events["OracleResigned"]["setVersion"] == 5
    assert list(market.committee.members(5)) == [o.address for o in market.oracles[1:]]
    assert sent.events["CoverageChanged"]["coverage"] == market.escrow.coverage()


def test_prove__of_a_member__silences_it_for_every_set_version(market: Market) -> None:
    """R58: its signatures count nowhere, the sets stay as they were."""
    oracle, committee = market.oracles[0], market.committee
    committee.requireQuorum(4, DIGEST, market.quorum(DIGEST))
    prove(market, [PASS], [FRAUD])
    assert committee.isMember(4, oracle.address) and committee.quorum(4) == 3
    for check, signers in ((committee.requireQuorum, (0, 1, 2)), (committee.requireOneHonest, (0, 1))):
        with refused("SignerNotMember", oracle.address, 4):
            check(4, DIGEST, market.quorum(DIGEST, signers))
    committee.requireQuorum(4, DIGEST, market.quorum(DIGEST, (1, 2, 3)))


def test_prove__twice__is_refused(market: Market) -> None:
    """R58: one stake, one slash, also with another batch and list."""
    oracle = market.oracles[0]
    prove(market, [PASS], [FRAUD])
    for one, other, batch in (([PASS], [FRAUD], 7), ([ANOTHER], [dataclasses.replace(FRAUD, batch_id=8)], 8)):
        with refused("EquivocationProved", oracle.address):
            prove(market, one, other, batch=batch)


def test_prove__of_a_member__leaves_it_nothing_to_withdraw_and_no_way_back(market: Market) -> None:
    """R56, R58: the seat never comes back."""
    oracle = market.oracles[0]
    prove(market, [PASS], [FRAUD])
    with refused("NothingToWithdraw", oracle.address):
        market.committee.withdraw({"from": oracle.account})
    with refused("NoSeat", oracle.address):
        market.join(oracle)
    with refused("DuplicateSeat", oracle.address):
        market.committee.addSeat(oracle.address, {"from": market.as_governor})


def test_prove__of_one_list_that_contradicts_itself__needs_no_second(market: Market) -> None:
    """R58."""
    both = [ANOTHER, PASS, FRAUD]
    assert prove(market, both, both).events["OracleSlashed"]["share"] == market.plan.seat_stake // 10


def test_prove__of_an_oracle_that_resigned__takes_the_stake_that_still_waits(market: Market) -> None:
    """R58: slashable until it withdraws; there is no new set."""
    oracle = market.oracles[0]
    release = market.committee.resign({"from": oracle.account}).events["OracleResigned"]["releaseAt"]
    at(release + 1)
    sent = prove(market, [PASS], [FRAUD])
    assert sent.events["OracleSlashed"]["burned"] == market.plan.seat_stake * 9 // 10
    assert "OracleResigned" not in sent.events
    assert market.committee.version() == 5
    with refused("NothingToWithdraw", oracle.address):
        market.committee.withdraw({"from": oracle.account})


def test_prove__of_an_oracle_that_withdrew__takes_nothing_but_the_seat(market: Market) -> None:
    """R58: what it signed is final by then; it does not come back."""
    oracle = market.oracles[0]
    release = market.committee.resign({"from": oracle.account}).events["OracleResigned"]["releaseAt"]
    at(release)
    market.committee.withdraw({"from": oracle.account})
    supply = market.token.totalSupply()
    sent = prove(market, [PASS], [FRAUD])
    assert (sent.events["OracleSlashed"]["burned"], sent.events["OracleSlashed"]["share"]) == (0, 0)
    assert market.token.totalSupply() == supply and not market.committee.hasSeat(oracle.address)


def test_prove__of_an_oracle_whose_seat_was_removed__takes_its_stake(market: Market) -> None:
    oracle = market.oracles[0]
    market.committee.removeSeat(oracle.address, {"from": market.as_governor})
    sent = prove(market, [PASS], [FRAUD])
    assert sent.events["OracleSlashed"]["share"] == market.plan.seat_stake // 10
    assert market.committee.version() == 5 and "SeatRemoved" not in sent.events


def test_prove__of_not_opened_and_a_later_outcome__needs_that_nothing_was_opened(market: Market) -> None:
    """R58: once openings are on-chain the batch is decided anew, and an honest oracle signs a second time."""
    batch = market.committed()
    late, passed = (batch.decision(outcome) for outcome in (Outcome.NOT_OPENED, Outcome.PASS))
    market.settle(batch, outcome=Outcome.NOT_OPENED)
    market.post_openings(batch)
    for one, other in ((late, passed), (passed, late)):
        with refused("NotEquivocation", market.oracles[0].address, batch.id):
            prove(market, [one], [other], batch=batch.id)
    market.settle(batch)
    with refused("NotEquivocation", market.oracles[0].address, batch.id):
        prove(market, [late], [passed], batch=batch.id)
    sent = prove(market, [passed], [batch.decision(Outcome.FRAUD)], batch=batch.id)
    assert sent.events["OracleSlashed"]["batchId"] == batch.id
