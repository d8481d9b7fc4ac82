"""Providers with a card for the tests of challenges: they compute truly, on the CPU, unless a test says otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from protocol.chain.records import ProviderStake
from protocol.challenge import (
    ChallengeTerms,
    Commitment,
    DeviceClaim,
    SignedCommitment,
    challenge_seed,
    commitment_digest,
    opening_digest,
    opening_draw,
)
from protocol.challenge_opening import opened_by
from protocol.encoding import ZERO, keccak
from protocol.engine import challenge as engine
from protocol.sealing import public_key
from protocol.signing import Signer
from protocol.units import Wei
from tests.oracle.world import DOMAIN, World

CPU = torch.device("cpu")
TERMS = ChallengeTerms(every_epochs=5, width=256, most_products=4, commit_blocks=30, answer_blocks=20)
WINDOW = 100
CLAIM = DeviceClaim("GPU-1", "Test A100", "570", 2**21, 10**12)


class Card:
    """A provider that computes its products truly, on the CPU."""

    def __init__(self, world: World, label: str = "", /, **claim: Any) -> None:
        self.signer = Signer(keccak(label.encode())) if label else world.node_signer
        self.address = self.signer.address if label else world.owner.address
        if label:
            world.chain.stakes[self.address] = ProviderStake(Wei(1), Wei(0), self.address, public_key(b"p" * 32), ZERO)
        self.world, self.claim = world, replace(CLAIM, **claim)
        block = world.chain.block(WINDOW)
        assert block is not None
        self.hash = block.hash
        self.seed = challenge_seed(DOMAIN.chain_id, self.hash, self.address, 0)

    def compute(self, products: int = 4) -> tuple[bytes, ...]:
        self.roots = engine.commit_products(self.seed, products, TERMS.width, CPU)
        return self.roots

    def commit(self, signer: Signer | None = None, **changes: Any) -> SignedCommitment:
        root = opened_by(getattr(self, "roots", (b"\1" * 32,) * 4))
        said = Commitment(self.address, 0, WINDOW, self.hash, TERMS.digest, root, 4, self.claim)
        said = replace(said, **changes)
        self.digest = commitment_digest(DOMAIN, said)
        return SignedCommitment(said, (signer or self.signer).sign(self.digest))

    def open(self, signer: Signer | None = None) -> bytes:
        drawn = self.world.chain.block(WINDOW + TERMS.commit_blocks)
        assert drawn is not None
        opening = engine.open_drawn(self.seed, opening_draw(drawn.hash, self.digest), self.roots, TERMS, CPU)
        return self.sign(opening.pack(), signer)

    def sign(self, body: bytes, signer: Signer | None = None) -> bytes:
        return (signer or self.signer).sign(opening_digest(DOMAIN, self.digest, body)) + body


def challenged_world() -> World:
    """Five blocks after a window, with small challenges."""
    world = World()
    world.nodes[0] = replace(world.nodes[0], rules=replace(world.node.rules, challenges=TERMS))
    world.chain.number = WINDOW + 5
    return world
