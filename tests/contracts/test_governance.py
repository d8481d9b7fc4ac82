from __future__ import annotations

from typing import Any

import pytest
from brownie import web3
from brownie.exceptions import VirtualMachineError

from protocol.units import TOKEN
from scripts.changes import SETTINGS, STRUCTS, parameters_of
from scripts.plan import GENESIS_SUPPLY
from tests.contracts.chamber import (
    ABSTAIN,
    ACTIVE,
    AGAINST,
    DEFEATED,
    EXECUTED,
    PENDING,
    QUEUED,
    SUCCEEDED,
    Chamber,
    pass_until,
)
from tests.contracts.expect import at, refused
from tests.contracts.market import Market
from tests.contracts.nouns import Person, person

SEAT = "0x00000000000000000000000000000000000000A1"
CHANGES = [
    ("escrow", "feeBps", 410),
    ("escrow", "slashCeiling", 2_000 * TOKEN),
    ("escrow", "guardian", SEAT),
    ("court", "disputeBond", 26 * TOKEN),
    ("staking", "delegationMultiple", 7),
    ("rewards", "betaBps", 7_000),
    ("committee", "seatStake", 5_500 * TOKEN),
    ("committee", "addSeat", SEAT),
    ("timelock", "minDelay", 86_400),
    ("governor", "votingPeriod", 1_200),
    ("governor", "quorumNumerator", 6),
]


@pytest.fixture
def chamber(market: Market) -> Chamber:
    return Chamber(market)


def bitmap(state: int) -> bytes:
    """The states that a step asks for, as OpenZeppelin names them."""
    return (1 << state).to_bytes(32, "big")


def settled(chamber: Chamber, contract: str, parameter: str, value: object) -> Any:
    """A change that has been voted, and the transaction that carried it out."""
    return chamber.execute(chamber.ready(*chamber.call_of(contract, parameter, value)))


def voter(market: Market, name: str, tokens: int) -> Person:
    """A holder whose tokens vote from the next second on."""
    who = person(name)
    market.fund(who, market.governor, tokens)
    market.token.delegate(who.address, {"from": who.account})
    return who


def test_propose__with_too_few_votes__is_refused(chamber: Chamber) -> None:
    """R66: votes of the second before count, and a proposal needs the threshold."""
    needed = int(chamber.governor.proposalThreshold())
    poor = voter(chamber.market, "poor", needed - 1)
    pass_until(chamber.governor.clock() + 1)
    call = chamber.call_of("rewards", "betaBps", 1)
    with refused("GovernorInsufficientProposerVotes", poor.address, needed - 1, needed):
        chamber.propose(*call, sender=poor.account)
    chamber.market.fund(poor, chamber.governor, 1)
    pass_until(chamber.governor.clock() + 1)
    assert chamber.state(chamber.propose(*call, sender=poor.account)) == PENDING


def test_propose__with_votes_of_the_same_block__is_refused(chamber: Chamber) -> None:
    """R66: a loan that is repaid in its own block has no votes."""
    market, needed, thief = chamber.market, int(chamber.governor.proposalThreshold()), person("thief")
    target, data = chamber.call_of("rewards", "betaBps", 1)
    raw = market.token.transfer.encode_input(thief.address, GENESIS_SUPPLY // 2)
    taken = market.token.delegate.encode_input(thief.address)
    asked = market.governor.propose.encode_input([str(target.address)], [0], [data], "flash")
    web3.provider.make_request("anvil_setBalance", [thief.address, hex(10**20)])
    web3.provider.make_request("anvil_impersonateAccount", [thief.address])
    web3.provider.make_request("evm_setAutomine", [False])
    try:
        calls = [(str(market.treasury), market.token, raw), (thief.address, market.token, taken),
                 (thief.address, market.governor, asked)]  # fmt: skip
        sent = [
            web3.eth.send_transaction({"from": sender, "to": to.address, "data": call, "gas": 900_000})
            for sender, to, call in calls
        ]
        web3.provider.make_request("anvil_mine", ["0x1"])
    finally:
        web3.provider.make_request("evm_setAutomine", [True])
        web3.provider.make_request("anvil_stopImpersonatingAccount", [thief.address])
    receipts = [web3.eth.get_transaction_receipt(one) for one in sent]
    assert len({receipt["blockNumber"] for receipt in receipts}) == 1
    assert [receipt["status"] for receipt in receipts] == [1, 1, 0]
    assert market.token.getVotes(thief.address) == GENESIS_SUPPLY // 2 > needed


def test_vote__of_tokens_that_came_after_the_proposal_began__counts_nothing(chamber: Chamber) -> None:
    """R66: what was bought, borrowed or unstaked later has no vote in it."""
    motion = chamber.propose(*chamber.call_of("rewards", "betaBps", 1))
    chamber.begin(motion)
    late = voter(chamber.market, "late", GENESIS_SUPPLY // 2)
    pass_until(chamber.governor.clock() + 1)
    sent = chamber.vote(motion, sender=late.account)
    assert sent.events["VoteCast"]["weight"] == 0
    assert [int(votes) for votes in chamber.governor.proposalVotes(motion.id)] == [0, 0, 0]


def test_votes__of_what_is_staked__are_none(chamber: Chamber) -> None:
    """R66: the staking contract holds the tokens and delegates to nobody, so one stake cannot vote twice."""
    market, owner = chamber.market, chamber.market.providers[0].owner
    market.token.delegate(owner.address, {"from": owner.account})
    before = market.token.getVotes(owner.address)
    market.staking.stake(TOKEN, {"from": owner.account})
    assert market.token.getVotes(owner.address) == before - TOKEN
    for holder in (market.staking, market.escrow, market.committee):
        assert market.token.balanceOf(holder.address) > 0 == market.token.getVotes(holder.address)


@pytest.mark.parametrize("support", [AGAINST, ABSTAIN])
def test_queue__of_a_proposal_without_a_majority__is_refused(chamber: Chamber, support: int) -> None:
    """R65: more for it than against it; who abstains counts for the quorum only."""
    motion = chamber.propose(*chamber.call_of("rewards", "betaBps", 1))
    chamber.begin(motion)
    chamber.vote(motion, support)
    chamber.end(motion)
    assert chamber.state(motion) == DEFEATED
    with refused("GovernorUnexpectedProposalState", motion.id, DEFEATED, bitmap(SUCCEEDED)):
        chamber.queue(motion)


def test_queue__below_the_quorum__is_refused(chamber: Chamber) -> None:
    """R65: the quorum is a share of the supply at the moment when the vote began."""
    quorum = int(chamber.governor.quorum(chamber.governor.clock() - 1))
    assert quorum == chamber.market.token.totalSupply() * chamber.market.plan.governor.quorum_percent // 100
    few = voter(chamber.market, "few", quorum - 1)
    motion = chamber.propose(*chamber.call_of("rewards", "betaBps", 1))
    chamber.begin(motion)
    chamber.vote(motion, sender=few.account)
    chamber.end(motion)
    assert chamber.state(motion) == DEFEATED


def test_vote__that_reaches_the_quorum_late__leaves_time_to_answer(chamber: Chamber) -> None:
    """R66: the vote goes on for the extension, so that nobody decides in the last second."""
    motion = chamber.propose(*chamber.call_of("rewards", "betaBps", 1))
    ends = int(chamber.governor.proposalDeadline(motion.id))
    at(ends)
    sent = chamber.vote(motion)
    assert chamber.governor.proposalDeadline(motion.id) == ends + chamber.market.plan.governor.vote_extension
    assert sent.events["ProposalExtended"]["extendedDeadline"] == ends + 240
    pass_until(ends + 240)
    assert chamber.state(motion) == ACTIVE
    pass_until(ends + 241)
    assert chamber.state(motion) == SUCCEEDED


def test_execute__before_it_is_queued__is_refused(chamber: Chamber) -> None:
    """R67: nothing goes past the timelock."""
    motion = chamber.propose(*chamber.call_of("rewards", "betaBps", 1))
    chamber.begin(motion)
    chamber.vote(motion)
    chamber.end(motion)
    with refused("GovernorUnexpectedProposalState", motion.id, SUCCEEDED, bitmap(QUEUED)):
        chamber.execute(motion)


def test_execute__before_the_delay_is_over__is_refused(chamber: Chamber) -> None:
    """R67: everybody has the unstake delay to leave before a change is there; then anybody carries it out."""
    market = chamber.market
    motion = chamber.queued(*chamber.call_of("rewards", "betaBps", 1))
    ready = chamber.eta(motion)
    assert ready - chamber.governor.clock() == chamber.timelock.getMinDelay() >= market.staking.unstakeDelay()
    at(ready - 1)
    with pytest.raises(VirtualMachineError, match="TimelockUnexpectedOperationState"):
        chamber.execute(motion)
    assert market.rewards.betaBps() == market.plan.beta_bps
    at(ready)
    chamber.execute(motion)
    assert (chamber.state(motion), market.rewards.betaBps()) == (EXECUTED, 1)


@pytest.mark.parametrize(("contract", "parameter", "value"), CHANGES)
def test_execute__of_a_change_that_won__makes_it(
    chamber: Chamber, contract: str, parameter: str, value: object
) -> None:
    """R65: every parameter can be changed by a vote, in every governed contract."""
    settled(chamber, contract, parameter, value)
    if parameter == "addSeat":
        assert chamber.market.committee.hasSeat(value)
        return
    if parameter in SETTINGS[contract]:
        found = chamber.read(contract, SETTINGS[contract][parameter].getter)
    else:
        fields = parameters_of(contract)[: len(STRUCTS[contract][2])]
        found = chamber.read(contract, STRUCTS[contract][1])[fields.index(parameter)]
    assert found == value


@pytest.mark.parametrize(
    ("contract", "parameter", "value", "least", "most"),
    [
        ("escrow", "feeBps", 2_001, 0, 2_000),
        ("rewards", "betaBps", 9_001, 0, 9_000),
        ("staking", "delegationMultiple", 17, 0, 16),
        ("committee", "seatStake", 0, 1, 10**26),
        ("governor", "votingDelay", 9, 10, 14 * 86_400),
        ("governor", "votingPeriod", 59, 60, 30 * 86_400),
        ("governor", "votingPeriod", 30 * 86_400 + 1, 60, 30 * 86_400),
        ("governor", "proposalThreshold", TOKEN - 1, TOKEN, 10**25),
        ("governor", "quorumNumerator", 0, 1, 50),
        ("governor", "quorumNumerator", 51, 1, 50),
        ("governor", "lateQuorumVoteExtension", 1_101, 10, 1_100),
        ("timelock", "minDelay", 60 * 86_400 + 1, None, 60 * 86_400),
    ],
)
def test_execute__of_a_value_outside_its_bounds__is_refused(
    chamber: Chamber, contract: str, parameter: str, value: int, least: int | None, most: int
) -> None:
    """R68: no majority crosses the bounds that are written into the code."""
    least = chamber.market.staking.unstakeDelay() if least is None else least
    motion = chamber.ready(*chamber.call_of(contract, parameter, value))
    with refused("ParameterOutOfBounds", parameter, value, least, most):
        chamber.execute(motion)
    assert chamber.state(motion) == QUEUED


def test_parameters__of_the_scripts__are_those_of_the_contracts(chamber: Chamber) -> None:
    """The structs in the order of Solidity, and a setter and a getter for everything else."""
    for contract, (setter, getter, _) in STRUCTS.items():
        abi = getattr(chamber.contracts[contract], getter).abi
        names = tuple(part["name"] for part in abi["outputs"][0]["components"])
        assert parameters_of(contract)[: len(names)] == names
        assert hasattr(chamber.contracts[contract], setter)
    for contract, settings in SETTINGS.items():
        for setting in settings.values():
            assert hasattr(chamber.contracts[contract], setting.setter)
            assert hasattr(chamber.contracts[contract], setting.getter)
