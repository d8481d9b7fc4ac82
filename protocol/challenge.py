"""GPU challenges: which block asks, what is computed, what is committed and opened, and when it is too late.

Every `every_epochs` epochs a block is a window for all providers at once. Its hash and the provider's address make the
seed of a provider's operands, so that nobody knows them before the block and no two providers share them. Until the
opening block, whose hash draws two products, 64 rows and the columns of Freivalds' check, the provider commits to the
Merkle root over the roots of its products; until the last block it opens what was drawn. A pass shows that so many
exact int8 products were computed in so much time for whoever holds the node key: not a brand, not an owner, and
not that the memory stayed filled, because two products can be computed again. Nothing is paid for it (R94).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from protocol.encoding import abi_encode, json_digest, keccak
from protocol.errors import ConfigInvalid, Malformed
from protocol.messages import Domain, hash_struct
from protocol.proofs.operands import LEAST_WIDTH, require_width
from protocol.units import Address, Digest
from protocol.wire import to_json

COMMITMENT_TYPE = (
    "ChallengeCommitment(address provider,uint16 device,uint64 window,bytes32 windowHash,bytes32 terms,bytes32 root,"
    "uint32 products,bytes32 claim)"
)
OPENING_TYPE = "ChallengeOpening(bytes32 commitment,bytes32 body)"
OPENED = 2
MOST_DEVICES, MOST_PRODUCTS, MAX_TEXT = 16, 4096, 96

GUARD_BLOCKS = 2
"""So many blocks before the drawing one a commitment is late: an oracle's node may be behind, and whoever knows the
block could search for a root whose draw names the few products that it computed."""
LATENCY = 20
"""Seconds that everybody has beside the computing: blocks, confirmations, the network."""
MARGIN = 2
"""A card may be this many times slower than it claims."""
HASHED_BYTES_PER_SECOND = 500_000_000
"""What a provider's processor is expected to hash: products leave the card and go through SHA-256."""
IMPOSSIBLE_OPS = 10**16
"""No card on sale does as many dense int8 operations a second."""
IMPOSSIBLE_MEMORY = 2**40


@dataclass(frozen=True)
class ChallengeTerms:
    """What both sides must agree on. `every_epochs` 0 means never; the blocks count from the window's."""

    every_epochs: int = 120
    width: int = 8192
    most_products: int = 1024
    commit_blocks: int = 60
    answer_blocks: int = 60

    def __post_init__(self) -> None:
        require_width(self.width)
        if not (OPENED <= self.most_products <= MOST_PRODUCTS and self.commit_blocks > GUARD_BLOCKS
                and self.answer_blocks > 0):
            raise Malformed(f"These terms of challenges are out of bounds: {self}.",
                            f"Use {OPENED} to {MOST_PRODUCTS} products and more than {GUARD_BLOCKS} blocks to commit.")

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> ChallengeTerms:
        """MALLA_CHALLENGE_EPOCHS, _WIDTH, _PRODUCTS and _BLOCKS (for each of the two steps), the usual ones by default.
        Providers and oracles of one network set the same. Errors: ConfigInvalid."""
        usual = cls()
        blocks = _whole(env, "MALLA_CHALLENGE_BLOCKS", usual.commit_blocks, GUARD_BLOCKS + 1, 100_000)
        width = _whole(env, "MALLA_CHALLENGE_WIDTH", usual.width, LEAST_WIDTH, usual.width)
        if width & (width - 1):
            raise ConfigInvalid(f"MALLA_CHALLENGE_WIDTH is {width}.", "Write a power of two.")
        return cls(_whole(env, "MALLA_CHALLENGE_EPOCHS", usual.every_epochs, 0, 10**6), width,
                   _whole(env, "MALLA_CHALLENGE_PRODUCTS", usual.most_products, OPENED, MOST_PRODUCTS), blocks, blocks)

    @property
    def digest(self) -> Digest:
        return json_digest(to_json(self))

    @property
    def product_ops(self) -> int:
        """Multiplications and additions of one product, as vendors count them."""
        return 2 * self.width**3

    @property
    def product_bytes(self) -> int:
        return 4 * self.width**2


@dataclass(frozen=True)
class DeviceClaim:
    """What a provider says of its card: bytes, and dense int8 operations a second. Claims, nothing more."""

    uuid: str
    name: str
    driver: str
    memory_bytes: int
    int8_ops: int


@dataclass(frozen=True)
class Commitment:
    """`root` is the one over all products' roots, `terms` the digest of the terms that were followed."""

    provider: Address
    device: int
    window: int
    window_hash: Digest
    terms: Digest
    root: Digest
    products: int
    claim: DeviceClaim


@dataclass(frozen=True)
class SignedCommitment:
    commitment: Commitment
    signature: bytes


def commitment_digest(domain: Domain, said: Commitment) -> Digest:
    """What the node key signs (EIP-712)."""
    values = [said.provider, said.device, said.window, said.window_hash, said.terms, said.root, said.products,
              json_digest(to_json(said.claim))]
    types = "address,uint16,uint64,bytes32,bytes32,bytes32,uint32,bytes32"
    return domain.digest(hash_struct(COMMITMENT_TYPE, types, values))


def opening_digest(domain: Domain, commitment: bytes, body: bytes) -> Digest:
    """What the node key signs with an opening: `commitment` is its digest, `body` the packed opening."""
    return domain.digest(hash_struct(OPENING_TYPE, "bytes32,bytes32", [commitment, keccak(body)]))


def window_of(block: int, epoch_blocks: int, terms: ChallengeTerms) -> int | None:
    """The newest window's block at or before a block; None when there are no challenges."""
    period = epoch_blocks * terms.every_epochs
    return block - block % period if period and block >= period else None


def opening_block(window: int, terms: ChallengeTerms) -> int:
    """The block whose hash draws."""
    return window + terms.commit_blocks


def late_block(window: int, terms: ChallengeTerms) -> int:
    """From this block on a commitment is late, whatever was claimed."""
    return window + terms.commit_blocks - GUARD_BLOCKS


def last_block(window: int, terms: ChallengeTerms) -> int:
    return window + terms.commit_blocks + terms.answer_blocks


def challenge_seed(chain_id: int, window_hash: bytes, provider: str, device: int) -> Digest:
    """The seed of one device's operands in one window."""
    values = [keccak(b"malla/challenge/1"), chain_id, window_hash, provider, device]
    return keccak(abi_encode(["bytes32", "uint256", "bytes32", "address", "uint16"], values))


def opening_draw(block_hash: bytes, commitment: bytes) -> Digest:
    """The randomness of one commitment's opening; `commitment` is its digest."""
    return keccak(b"malla/challenge/draw/1" + block_hash + commitment)


def allowed_seconds(claim: DeviceClaim, products: int, terms: ChallengeTerms) -> int:
    """From the window's second to the last one for the commitment, by the provider's own claim; rounded up."""
    computing = -(-MARGIN * products * terms.product_ops // max(1, claim.int8_ops))
    return LATENCY + computing - (-products * terms.product_bytes // HASHED_BYTES_PER_SECOND)


def claim_fault(said: Commitment, terms: ChallengeTerms, largest_model: int = 0) -> str:
    """Why the claim cannot be true by itself, as a sentence; "" when it can. `largest_model`: bytes of the largest
    model that the provider offers."""
    claim, filled = said.claim, said.products * terms.product_bytes
    if not 0 < claim.int8_ops <= IMPOSSIBLE_OPS:
        return f"impossible throughput: {claim.int8_ops} int8 operations a second; no card does over {IMPOSSIBLE_OPS}"
    if not 0 < claim.memory_bytes <= IMPOSSIBLE_MEMORY:
        return f"impossible memory: {claim.memory_bytes} bytes"
    if filled > claim.memory_bytes:
        return f"{said.products} products take {filled} bytes, more than the {claim.memory_bytes} claimed"
    if said.products < min(terms.most_products, claim.memory_bytes // 2 // terms.product_bytes):
        return f"{said.products} products fill less than half of the {claim.memory_bytes} bytes claimed"
    if claim.memory_bytes < largest_model:
        return f"{claim.memory_bytes} bytes claimed, but an offered model has {largest_model}"
    return ""


def require_form(said: Commitment, terms: ChallengeTerms) -> None:
    """Raises Malformed when the numbers or texts of a commitment are out of bounds."""
    if not 0 <= said.device < MOST_DEVICES:
        raise Malformed(f"The device is number {said.device}.", f"Use 0 to {MOST_DEVICES - 1}.")
    if not OPENED <= said.products <= terms.most_products:
        raise Malformed(f"{said.products} products were committed.", f"Use {OPENED} to {terms.most_products}.")
    if not said.claim.uuid or any(len(t) > MAX_TEXT for t in (said.claim.uuid, said.claim.name, said.claim.driver)):
        raise Malformed(f"The uuid, name or driver is empty or longer than {MAX_TEXT} characters.")


def _whole(env: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = env.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
        raise ConfigInvalid(f"{name} is '{text[:40]}'.", f"Write a whole number from {least} to {most}.")
    return int(text)
