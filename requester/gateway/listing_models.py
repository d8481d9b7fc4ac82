"""GET /v1/models: what is offered now, from whom, at which price."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from protocol.listing import Listing
from protocol.types import SignedOffer
from protocol.units import in_tokens
from requester.gateway.parts import Served
from requester.gateway.refusals import Refusal

MILLION = 10**6


def list_models(served: Sequence[Served], now: float) -> dict[str, Any]:
    return {"object": "list", "data": [model_object(one, now) for one in served]}


def find_model(served: Sequence[Served], name: str, now: float) -> dict[str, Any]:
    """By name in any case. Errors: Refusal 404."""
    for one in served:
        if one.model.name.lower() == name.lower():
            return model_object(one, now)
    raise Refusal(404, f"The model '{name[:80]}' is not offered. See GET /v1/models.", param="model",
                  code="model_not_found")


def model_object(served: Served, now: float) -> dict[str, Any]:
    """`pricing` is MALLA for one token at the lowest prices; `malla.per_million` the same for a million."""
    inputs = [offer.offer.input_price for offer, _ in served.offers]
    outputs = [offer.offer.output_price for offer, _ in served.offers]
    least = (min(inputs, default=0), min(outputs, default=0))
    return {
        "id": served.model.name,
        "object": "model",
        "created": int(now),
        "owned_by": "malla",
        "context_length": served.model.context_tokens,
        "pricing": {"prompt": in_tokens(least[0]), "completion": in_tokens(least[1])},
        "malla": {
            "per_million": {"prompt": in_tokens(least[0] * MILLION), "completion": in_tokens(least[1] * MILLION)},
            "wei_per_token": {"prompt": str(least[0]), "completion": str(least[1])},
            "manifest": "0x" + served.model.digest.hex(),
        },
        "providers": [_provider(offer, listing) for offer, listing in served.offers],
    }


def _provider(signed: SignedOffer, listing: Listing | None) -> dict[str, Any]:
    offer = signed.offer
    claims = {} if listing is None else {
        "region": listing.region, "device": listing.device, "vram_gb": round(listing.memory_mib / 1024, 1),
        "tokens_per_second": listing.tokens_per_second, "streams": listing.streams,
    }  # fmt: skip
    return {
        "address": offer.provider,
        "pricing": {"prompt": in_tokens(offer.input_price), "completion": in_tokens(offer.output_price)},
        "max_prompt_tokens": offer.max_input_tokens,
        "max_completion_tokens": offer.max_output_tokens,
        "claims": claims,
    }
