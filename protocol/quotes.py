"""A provider's signed quote: what a call costs at most, before anything is reserved for it."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.messages import Domain, hash_struct
from protocol.units import Address, Digest, Wei

QUOTE_TYPE = (
    "Quote(address requester,bytes32 offer,uint32 inputTokens,uint32 maxOutputTokens,uint96 most,uint40 validUntil)"
)


@dataclass(frozen=True)
class Quote:
    """A provider's signed bound: the call costs at most `most` wei if it begins before `valid_until` (unix seconds)."""

    requester: Address
    offer_digest: Digest
    input_tokens: int
    max_output_tokens: int
    most: Wei
    valid_until: int


def quote_digest(domain: Domain, quote: Quote) -> Digest:
    values = [quote.requester, quote.offer_digest, quote.input_tokens, quote.max_output_tokens, quote.most,
              quote.valid_until]
    return domain.digest(hash_struct(QUOTE_TYPE, "address,bytes32,uint32,uint32,uint96,uint40", values))
