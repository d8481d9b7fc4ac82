"""R123: how a voucher names the calls in flight, and the head of a claim that links some of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.calls import MAX_IN_FLIGHT, NOTHING_IN_FLIGHT, chain_heads, claimed_head, in_flight_digest, link
from protocol.encoding import keccak
from protocol.errors import Malformed
from protocol.units import Digest

digests = st.binary(min_size=32, max_size=32).map(Digest)
SPECS = sorted(keccak(b"%d" % n) for n in range(MAX_IN_FLIGHT + 1))


@pytest.mark.parametrize("specs", [[SPECS[1], SPECS[0]], [SPECS[0], SPECS[0]], [SPECS[0], SPECS[2], SPECS[1]]])
def test_in_flight__not_ascending_or_twice__is_refused(specs: list[Digest]) -> None:
    with pytest.raises(Malformed, match="ascend"):
        in_flight_digest(specs)


def test_in_flight__more_calls_than_a_voucher_names__is_refused() -> None:
    with pytest.raises(Malformed, match="at most 64"):
        in_flight_digest(SPECS)
    assert in_flight_digest(SPECS[:MAX_IN_FLIGHT]) == keccak(b"".join(SPECS[:MAX_IN_FLIGHT]))


def test_in_flight__of_nothing__is_zero() -> None:
    assert in_flight_digest([]) == NOTHING_IN_FLIGHT == bytes(32)


def test_link__of_spec_and_leaf__is_their_keccak() -> None:
    assert link(SPECS[0], SPECS[1]) == keccak(SPECS[0] + SPECS[1]) != link(SPECS[1], SPECS[0])


@given(digests, digests)
def test_head__of_a_claim_without_links__is_the_vouchers(head: Digest, in_flight: Digest) -> None:
    assert claimed_head(head, in_flight, []) == head


@given(digests, digests, st.lists(digests, min_size=1, max_size=4))
def test_head__of_a_claim_with_links__begins_with_the_names(
    head: Digest, in_flight: Digest, links: list[Digest]
) -> None:
    """One step more than calls are claimed: no chain of leaves of as many calls has this head."""
    assert claimed_head(head, in_flight, links) == chain_heads(head, [in_flight, *links])
    assert claimed_head(head, in_flight, links) != chain_heads(head, links)
