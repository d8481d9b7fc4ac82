"""A provider's signed bound of what a call costs, asked for before anything is reserved."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.economics import payment
from protocol.errors import BadInput
from protocol.messages import Domain, offer_digest
from protocol.quotes import Quote, quote_digest
from protocol.signing import require_signer
from protocol.types import SignedOffer
from protocol.units import Address
from requester.ports.sessions import Provider


@dataclass(frozen=True)
class SignedQuote:
    """A quote that was checked: by the node key of the offer's provider, within the offer's prices, not over."""

    quote: Quote
    signature: bytes
    provider: Address
    node_key: Address


class QuoteInvalid(BadInput):
    """The provider binds itself to something else than what was asked, or not at all."""

    code = "quote_invalid"


def ask_quote(provider: Provider, offer: SignedOffer, node_key: Address, requester: Address, input_tokens: int,
              max_output_tokens: int, domain: Domain, now: float) -> SignedQuote:
    """Errors: QuoteInvalid, SignatureInvalid, Unavailable, ProviderSaid."""
    digest = offer_digest(domain, offer.offer)
    quote, signature = provider.ask_quote(requester, digest, input_tokens, max_output_tokens)
    asked = (requester.lower(), digest, input_tokens, max_output_tokens)
    if (quote.requester.lower(), quote.offer_digest, quote.input_tokens, quote.max_output_tokens) != asked:
        raise QuoteInvalid(f"{offer.offer.provider} quotes another call than the one asked about.")
    require_signer(quote_digest(domain, quote), signature, node_key, "The quote")
    most = payment(input_tokens, max_output_tokens, offer.offer.input_price, offer.offer.output_price)
    if quote.most > most:
        raise QuoteInvalid(f"{offer.offer.provider} quotes {quote.most} wei, its own offer bounds the call at {most}.")
    if quote.valid_until <= now:
        raise QuoteInvalid(f"{offer.offer.provider} sent a quote that ended at {quote.valid_until}, it is {int(now)}.")
    return SignedQuote(quote, signature, offer.offer.provider, node_key)
