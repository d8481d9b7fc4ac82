"""The nouns of an order, frozen: a provider's standing price, and what a requester asks for at it."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.units import Address, Digest, Seconds, Wei

AUDIT_OPEN, AUDIT_ONE, CANARY_ONLY = "open", "one", "canary-only"
AUDIT_CLASSES = (AUDIT_OPEN, AUDIT_ONE, CANARY_ONLY)
"""open: every oracle may audit a drawn leaf; one: the auditor that the draw names, others only after it or a failure;
canary-only: none, the transcript stays with the provider, and only canaries speak for it."""


@dataclass(frozen=True)
class Offer:
    """A provider's standing price, signed by its node key. Prices are wei per token."""

    provider: Address
    model: Digest
    profile: Digest
    input_price: Wei
    output_price: Wei
    max_input_tokens: int
    max_output_tokens: int
    min_duration: Seconds
    max_outstanding: Wei
    nonce: int
    expiry: int


@dataclass(frozen=True)
class SignedOffer:
    offer: Offer
    signature: bytes


@dataclass(frozen=True)
class Sampler:
    """How tokens are chosen from logits (`protocol.sampling`): kind "greedy", or "gumbel" with its temperature in
    thousandths, nucleus in basis points and number of candidates. Stop tokens are banned before `min_tokens`."""

    kind: str
    seed: int
    temperature_milli: int = 0
    top_p_bps: int = 10_000
    top_k: int = 64
    min_tokens: int = 0


@dataclass(frozen=True)
class JobSpec:
    """What is to be computed. Its canonical JSON is a public blob under `Job.spec_digest`; it holds no plaintext.

    `prompt_digest` is keccak of the prompt's plaintext bytes (salted inside), `prompt_blob` keccak of the sealed
    bytes; `reply_key` the X25519 public key to which the answer is sealed.
    """

    chain_id: int
    escrow: Address
    requester: Address
    provider: Address
    model: Digest
    profile: Digest
    sampler: Sampler
    input_tokens: int
    max_output_tokens: int
    prompt_digest: Digest
    prompt_blob: Digest
    reply_key: bytes
    nonce: int
    audit: str = AUDIT_ONE
    """Who sees the transcript of a drawn leaf: one of `AUDIT_CLASSES`."""


@dataclass(frozen=True)
class Job:
    """What a job id commits to, in the order of the contract's struct."""

    requester: Address
    provider: Address
    offer_digest: Digest
    spec_digest: Digest
    input_tokens: int
    max_output_tokens: int
    price: Wei
    nonce: int
