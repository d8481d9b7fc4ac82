"""R123: how a voucher names the calls in flight, and the head of a claim that links some of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.calls import (
    MAX_IN_FLIGHT,
    NOTHING_IN_FLIGHT,
    CallLine,
    chain_heads,
    claimed_head,
    in_flight_digest,
    line_digest,
    link,
)
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


def test_link__of_spec_and_line__is_their_keccak() -> None:
    assert link(SPECS[0], SPECS[1]) == keccak(SPECS[0] + SPECS[1]) != link(SPECS[1], SPECS[0])


@pytest.mark.parametrize("tokens", [(-1, 5), (5, -1), (2**32, 5), (5, 2**32)])
def test_line_digest__tokens_that_no_call_has__are_refused(tokens: tuple[int, int]) -> None:
    with pytest.raises(Malformed, match="tokens"):
        line_digest(CallLine(SPECS[0], *tokens))


def test_line_digest__of_one_leaf__is_another_for_other_tokens() -> None:
    found = {line_digest(CallLine(SPECS[0], *tokens)) for tokens in [(5, 7), (7, 5), (12, 0), (0, 12), (5, 8)]}
    assert len(found) == 5
    assert line_digest(CallLine(SPECS[0], 5, 7)) == keccak(SPECS[0] + (5).to_bytes(4, "big") + (7).to_bytes(4, "big"))


@given(digests, digests)
def test_head__of_a_claim_without_links__is_the_vouchers(head: Digest, in_flight: Digest) -> None:
    assert claimed_head(head, in_flight, []) == head


@given(digests, digests, st.lists(digests, min_size=1, max_size=4))
def test_head__of_a_claim_with_links__begins_with_the_names(
    head: Digest, in_flight: Digest, links: list[Digest]
) -> None:
    """One step more than calls are claimed: no chain of lines of as many calls has this head."""
    assert claimed_head(head, in_flight, links) == chain_heads(head, [in_flight, *links])
    assert claimed_head(head, in_flight, links) != chain_heads(head, links)
