"""The gateway's parts over a desk of sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from protocol.errors import Refused
from protocol.units import Digest, in_tokens
from requester.flow.api_keys import KeyRing
from requester.flow.calls import Desk, run_call
from requester.flow.keeping import Keeper
from requester.flow.sellers import Seller
from requester.gateway.parts import Options, Parts, Served, Voices


def parts_of(desk: Desk, keeper: Keeper, voices: Voices, keys: KeyRing, options: Options) -> Parts:
    """When the gateway ends its sessions are closed, so that nothing stays reserved that nobody uses."""
    return Parts(partial(run_call, desk), voices, partial(list_served, desk), keys, partial(describe_health, desk),
                 desk.clock, options, keeper.stop)


def list_served(desk: Desk) -> Sequence[Served]:
    """Models that this release knows and somebody offers now, by name. Errors: Refused(not_ready), ChainUnreachable."""
    rows = desk.directory.rows()
    by_model: dict[Digest, list[Seller]] = {}
    for seller in rows.sellers:
        offer = seller.offer.offer
        usable = seller.is_signed and not seller.revoked and not seller.standing.frozen and seller.listing is not None
        if usable and offer.expiry > rows.now:
            by_model.setdefault(offer.model, []).append(seller)
    found = []
    for digest, sellers in by_model.items():
        try:
            model = desk.market.models.find_digest(digest)
        except Refused:
            continue  # a model of a later release
        found.append(Served(model, tuple((seller.offer, seller.listing) for seller in sellers)))
    return sorted(found, key=lambda served: served.model.name)


def describe_health(desk: Desk) -> Mapping[str, Any]:
    """Amounts are MALLA. Errors: ChainUnreachable, Refused(not_ready)."""
    market, rows = desk.market, desk.directory.rows()
    has = market.chain.balances(market.wallet.address)
    return {
        "account": market.wallet.address,
        "escrow": in_tokens(has.escrow),
        "wallet": in_tokens(has.wallet),
        "spend_left": in_tokens(desk.budget()),
        "sessions": len(desk.sessions()),
        "offers": len(rows.sellers),
    }
