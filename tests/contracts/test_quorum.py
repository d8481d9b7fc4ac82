"""Which signatures carry a decision. Tried on the committee itself and once through `settle`."""

from __future__ import annotations

import pytest

from protocol.encoding import keccak
from protocol.messages import settlement_digest
from protocol.types import BatchState, Outcome
from tests.contracts.expect import NOBODY, refused
from tests.contracts.market import Market

DIGEST = keccak(b"digest")
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def require(market: Market, signatures: list[bytes], version: int = 4) -> None:
    market.committee.requireQuorum(version, DIGEST, signatures)


def ascending(market: Market) -> list[int]:
    """Places of the oracles in the order of their addresses."""
    return sorted(range(4), key=lambda n: int(market.oracles[n].address, 16))


def test_quorum__of_two_of_four__is_too_few(market: Market) -> None:
    """R15: q signatures."""
    with refused("TooFewSignatures", 2, 3):
        require(market, market.quorum(DIGEST, (0, 1)))


def test_quorum__of_nobody__is_too_few(market: Market) -> None:
    with refused("TooFewSignatures", 0, 3):
        require(market, [])


def test_quorum__with_one_signature_repeated__is_refused(market: Market) -> None:
    """R15: of distinct members."""
    first, second, _, _ = ascending(market)
    one, two = (market.oracles[n].signer.sign(DIGEST) for n in (first, second))
    twice = market.oracles[second].address
    with refused("SignersNotAscending", twice, twice):
        require(market, [one, two, two])


def test_quorum__out_of_order__is_refused(market: Market) -> None:
    signatures = market.quorum(DIGEST)
    in_order = [n for n in ascending(market) if n in (0, 1, 2)]
    first, second = (market.oracles[n].address for n in in_order[:2])
    with refused("SignersNotAscending", second, first):
        require(market, [signatures[1], signatures[0], signatures[2]])


def test_quorum__with_an_outsider__is_refused(market: Market) -> None:
    """R15: of members."""
    outsider = market.stranger
    with refused("SignerNotMember", outsider.address, 4):
        require(market, [outsider.signer.sign(DIGEST), *market.quorum(DIGEST, (0, 1))])


def test_quorum__with_an_outsider_behind_a_full_quorum__is_refused(market: Market) -> None:
    with refused("SignerNotMember", market.stranger.address, 4):
        require(market, [*market.quorum(DIGEST), market.stranger.signer.sign(DIGEST)])


def test_quorum__with_a_malleable_twin__is_refused(market: Market) -> None:
    first = market.quorum(DIGEST)[0]
    s = ORDER - int.from_bytes(first[32:64], "big")
    twin = first[:32] + s.to_bytes(32, "big") + bytes([27 + 28 - first[64]])
    with refused("SignerNotMember", NOBODY, 4):
        require(market, [twin, *market.quorum(DIGEST)[1:]])


@pytest.mark.parametrize("length", [0, 64, 66])
def test_quorum__with_a_malformed_signature__is_refused(market: Market, length: int) -> None:
    with refused("SignerNotMember", NOBODY, 4):
        require(market, [(market.quorum(DIGEST)[0] + b"\x00")[:length], *market.quorum(DIGEST)[1:]])


def test_quorum__of_another_digest__is_refused(market: Market) -> None:
    with pytest.raises(Exception, match=r"SignerNotMember|SignersNotAscending"):
        require(market, market.quorum(keccak(b"another digest")))


def test_quorum__of_a_set_before_the_signer_joined__is_refused(market: Market) -> None:
    """R15: of members of that very version."""
    late = market.oracles[3]
    with refused("SignerNotMember", late.address, 3):
        require(market, [late.signer.sign(DIGEST), *market.quorum(DIGEST, (0, 1))], version=3)


def test_quorum__of_an_unknown_set__is_refused(market: Market) -> None:
    with refused("UnknownSetVersion", 5):
        require(market, market.quorum(DIGEST), version=5)


def test_quorum__of_the_empty_set__can_never_be_reached(market: Market) -> None:
    with refused("TooFewSignatures", 0, 1):
        require(market, [], version=0)


@pytest.mark.parametrize("signers", [(0, 1, 2), (1, 2, 3), (0, 1, 2, 3)])
def test_quorum__of_three_or_four__carries(market: Market, signers: tuple[int, ...]) -> None:
    require(market, market.quorum(DIGEST, signers))


def test_quorum__with_a_member_that_resigned_since__carries_the_old_set_only(market: Market) -> None:
    market.committee.resign({"from": market.oracles[0].account})
    require(market, market.quorum(DIGEST, (0, 1, 2)), version=4)
    with pytest.raises(Exception, match="SignerNotMember"):
        require(market, market.quorum(DIGEST, (0, 1, 2)), version=5)


def test_one_honest__of_one_of_four__is_too_few(market: Market) -> None:
    with refused("TooFewSignatures", 1, 2):
        market.committee.requireOneHonest(4, DIGEST, market.quorum(DIGEST, (0,)))


def test_one_honest__of_two_of_four__carries(market: Market) -> None:
    market.committee.requireOneHonest(4, DIGEST, market.quorum(DIGEST, (1, 3)))


def test_settle__with_signatures_for_another_set_version__is_refused(market: Market) -> None:
    """R15: the version is signed: what set 4 decided cannot be submitted as a decision of set 5."""
    batch = market.committed()
    market.committee.resign({"from": market.oracles[3].account})
    for claimed, signed in ((5, 4), (4, 5)):
        signatures = market.quorum(settlement_digest(market.domain, signed, [batch.decision()]))
        arguments = list(market.settlement([batch.decision()], [batch], version=claimed))
        arguments[4] = signatures
        with pytest.raises(Exception, match=r"SignerNotMember|SignersNotAscending"):
            market.escrow.settle(*arguments, {"from": market.stranger.account})
    assert market.batch_state(batch) == (BatchState.PENDING, Outcome.NONE)


def test_settle__by_the_batchs_set_after_a_resignation__pays(market: Market) -> None:
    """R15: the batch's own set decides, whoever has left since."""
    batch = market.committed()
    market.committee.resign({"from": market.oracles[0].account})
    market.escrow.settle(*market.settlement([batch.decision()], [batch]), {"from": market.stranger.account})
    assert market.batch_state(batch) == (BatchState.MATURED, Outcome.PASS)
