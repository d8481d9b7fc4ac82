"""A challenge's terms, claims and openings: whose, of which window, how large, how late."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from protocol.challenge import (
    LATENCY,
    ChallengeTerms,
    Commitment,
    DeviceClaim,
    allowed_seconds,
    challenge_seed,
    claim_fault,
    commitment_digest,
    late_block,
    opening_block,
    opening_digest,
    opening_draw,
    require_form,
    window_of,
)
from protocol.challenge_opening import (
    Opening,
    check_opening,
    draw_products,
    opened_by,
    opening_bytes,
    sides_of,
)
from protocol.encoding import canonical_json, keccak, parse_json
from protocol.engine import challenge as engine
from protocol.errors import BadInput, ConfigInvalid, Malformed, ProviderFault
from protocol.limits import MAX_CHALLENGE_OPENING
from protocol.messages import Domain
from protocol.units import Address, Digest
from protocol.wire import from_json, to_json

ESCROW = Address("0xCf7Ed3AccA5a467e9e704C703E8D87F634fB0Fc9")
PROVIDER = Address("0x00000000000000000000000000000000000A11cE")
OTHER = Address("0x0000000000000000000000000000000000000B0b")
DOMAIN, CPU = Domain(31337, ESCROW), torch.device("cpu")
TERMS = ChallengeTerms(every_epochs=2, width=256, most_products=8, commit_blocks=10, answer_blocks=10)
CLAIM = DeviceClaim("GPU-1", "Test A100", "570", 4 * 2**20, 10**9)
WINDOW_HASH = keccak(b"window")
SEED = challenge_seed(31337, WINDOW_HASH, PROVIDER, 0)
PRODUCTS = 5
ROOTS = engine.commit_products(SEED, PRODUCTS, TERMS.width, CPU)
SAID = Commitment(PROVIDER, 0, 40, WINDOW_HASH, TERMS.digest, opened_by(ROOTS), PRODUCTS, CLAIM)
DRAW = opening_draw(keccak(b"opening"), commitment_digest(DOMAIN, SAID))
OPENING = engine.open_drawn(SEED, DRAW, ROOTS, TERMS, CPU)
PACKED = OPENING.pack()


def judge(data: bytes, seed: bytes = SEED, draw: bytes = DRAW, root: bytes = SAID.root) -> str:
    """The name of the check that fails; "" when all is well."""
    try:
        check_opening(seed, draw, root, PRODUCTS, TERMS, Opening.parse(data, PRODUCTS, TERMS), engine.multiply)
    except ProviderFault as fault:
        return fault.check
    return ""


@pytest.mark.parametrize("data", [b"", PACKED[:-1], PACKED + b"\0", PACKED * 2, b"MCO1"])
def test_parse__opening_of_another_size__is_the_providers_fault(data: bytes) -> None:
    assert judge(data) == "opening_size"


@pytest.mark.parametrize("at", [0, 3, 4, 7])
def test_parse__wrong_head__is_the_providers_fault(at: int) -> None:
    data = bytearray(PACKED)
    data[at] ^= 1
    assert judge(bytes(data)) == "opening_form"


@pytest.mark.parametrize(("change", "check"), [
    ({"seed": challenge_seed(31337, WINDOW_HASH, OTHER, 0)}, "freivalds"),
    ({"seed": challenge_seed(31337, WINDOW_HASH, PROVIDER, 1)}, "freivalds"),
    ({"seed": challenge_seed(31337, keccak(b"next window"), PROVIDER, 0)}, "freivalds"),
    ({"seed": challenge_seed(1, WINDOW_HASH, PROVIDER, 0)}, "freivalds"),
    ({"draw": opening_draw(keccak(b"other block"), commitment_digest(DOMAIN, SAID))}, "freivalds"),
    ({"root": keccak(b"other root")}, "products_root"),
])
def test_opening__other_providers_devices_windows_chains__is_refused(change: dict[str, Any], check: str) -> None:
    """R90: seed and draw follow from the chain, so nobody else's answer fits."""
    assert judge(PACKED, **change) == check


def test_opening__products_in_another_order__is_refused() -> None:
    swapped = replace(OPENING, answers=OPENING.answers[::-1])
    assert judge(swapped.pack()) == "freivalds"
    assert judge(replace(OPENING, roots=OPENING.roots[::-1]).pack()) == "products_root"


def test_opening__rounded_products_opened_truly__fall_to_their_rows() -> None:
    """Committed in bf16, opened exactly: the rows do not lie under what was committed."""
    wrong = tuple(keccak(root) for root in ROOTS)
    assert judge(replace(OPENING, roots=wrong).pack(), root=opened_by(wrong)) == "row_path"


@pytest.mark.parametrize("change", [
    {"width": 100}, {"width": 32_768}, {"most_products": 1}, {"most_products": 5000}, {"commit_blocks": 2},
])
def test_terms__out_of_bounds__are_refused(change: dict[str, int]) -> None:
    with pytest.raises(BadInput):
        replace(TERMS, **change)


@pytest.mark.parametrize("change", [
    {"device": 16}, {"products": 1}, {"products": 9}, {"claim": replace(CLAIM, uuid="")},
    {"claim": replace(CLAIM, name="x" * 97)},
])
def test_commitment__out_of_form__is_malformed(change: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        require_form(replace(SAID, **change), TERMS)


@pytest.mark.parametrize("text", ["null", "NaN", "-1", "1e400", '"5"', "18446744073709551616"])
def test_commitment__number_that_is_none__is_malformed(text: str) -> None:
    whole = canonical_json(to_json(SAID)).replace(b'"products":5', b'"products":' + text.encode())
    with pytest.raises(Malformed):
        from_json(Commitment, parse_json(whole))


@pytest.mark.parametrize(("claim", "products", "why"), [
    ({"int8_ops": 0}, 5, "impossible throughput"),
    ({"int8_ops": 10**16 + 1}, 5, "impossible throughput"),
    ({"memory_bytes": 0}, 5, "impossible memory"),
    ({"memory_bytes": 2**41}, 8, "impossible memory"),
    ({"memory_bytes": 2**20}, 5, "more than the"),
    ({"memory_bytes": 2**22}, 5, "less than half"),
    ({"memory_bytes": 2**21}, 5, "offered model"),
])
def test_claim__that_cannot_be__is_found_with_the_reason(claim: dict[str, int], products: int, why: str) -> None:
    """R92: impossible throughput and memory; a memory smaller than what it holds, than claimed, than the model."""
    said = replace(SAID, claim=replace(CLAIM, **claim), products=products)
    assert why in claim_fault(said, TERMS, largest_model=2**22 - 1)


def test_claim__that_may_be_true__has_no_fault() -> None:
    assert claim_fault(replace(SAID, products=8), TERMS, largest_model=2**20) == ""


def test_deadline__faster_claim__has_less_time() -> None:
    """R91: time for the products at half the claimed speed, for hashing, and for the network."""
    terms, h100 = ChallengeTerms(), replace(CLAIM, int8_ops=2 * 10**15)
    hashing = -(-300 * terms.product_bytes // 500_000_000)
    assert allowed_seconds(h100, 300, terms) == LATENCY + hashing + 1
    assert allowed_seconds(replace(h100, int8_ops=10**12), 300, terms) == LATENCY + hashing + 660
    assert allowed_seconds(replace(h100, int8_ops=0), 2, terms) > 10**6


def test_window__of_a_block__is_the_same_for_everybody() -> None:
    assert [window_of(block, 10, TERMS) for block in (0, 19, 20, 39, 40, 59)] == [None, None, 20, 20, 40, 40]
    assert window_of(1000, 10, replace(TERMS, every_epochs=0)) is None
    assert (late_block(40, TERMS), opening_block(40, TERMS)) == (48, 50)


def test_seed__of_provider_window_device_and_chain__is_its_own() -> None:
    seeds = {challenge_seed(c, w, p, d) for c in (1, 2) for w in (WINDOW_HASH, keccak(b"2")) for p in (PROVIDER, OTHER)
             for d in (0, 1)}
    assert len(seeds) == 16


def test_digest__every_field_of_a_commitment__changes_it() -> None:
    changes: list[dict[str, Any]] = [
        {"provider": OTHER}, {"device": 1}, {"window": 41}, {"window_hash": keccak(b"x")}, {"terms": keccak(b"x")},
        {"root": keccak(b"x")}, {"products": 6}, {"claim": replace(CLAIM, int8_ops=1)},
    ]
    digests = {commitment_digest(DOMAIN, replace(SAID, **change)) for change in changes}
    assert len(digests | {commitment_digest(DOMAIN, SAID), opening_digest(DOMAIN, bytes(32), b"")}) == len(changes) + 2


def test_draw__two_products__are_different_and_inside() -> None:
    draws = [draw_products(keccak(bytes([i])), 7) for i in range(50)]
    assert all(len(set(drawn)) == 2 and max(drawn) < 7 for drawn in draws) and len(set(draws)) > 20
    assert [sides_of(products) for products in (1, 2, 4, 5, 9, 10)] == [1, 2, 2, 3, 3, 4]


def test_devices__no_gpu__nothing_is_filled() -> None:
    with pytest.raises(ConfigInvalid, match="CUDA"):
        engine.free_products(CPU, 256, 8)


def test_opening__largest_by_usual_terms__fits_what_an_oracle_reads() -> None:
    terms = ChallengeTerms()
    assert opening_bytes(terms.most_products, terms) + 65 < MAX_CHALLENGE_OPENING


def test_opening__of_exact_products__passes() -> None:
    """R90: the provider's own answer of this window passes; its bytes are read back as they were."""
    assert len(PACKED) == opening_bytes(PRODUCTS, TERMS)
    assert Opening.parse(PACKED, PRODUCTS, TERMS) == OPENING
    assert judge(PACKED) == ""
    assert from_json(Commitment, parse_json(canonical_json(to_json(SAID)))) == SAID
    assert isinstance(Digest(SAID.root), bytes)
