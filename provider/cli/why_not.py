"""`jobs --why-not`: what others got of what you serve, and the one main reason of each."""

from __future__ import annotations

import time
from typing import Any

from protocol.encoding import to_hex
from provider.cli.options import Place
from provider.cli.output import say, table
from provider.flow.why_not import WhyNot

HEADS = ("opened", "what", "id", "model", "won by", "reason", "why")
KEPT = ("Not public, so not here: a provider that the requester named, tried or banned, its own filter, its price cap. "
        "Chances reckon with the offers that an oracle shows now.")


def tell_lost(place: Place, model: str, limit: int, json: bool) -> None:
    """Errors: ConfigInvalid, Unavailable, ChainUnreachable, Refused(UNKNOWN_MODEL)."""
    from provider.cli.sending import open_chain, owner_address
    from provider.wiring.console import read_lost

    found = read_lost(open_chain(place), place.home, owner_address(place), model, limit)
    say(json, {"lost": [as_json(one) for one in found], "not_public": KEPT}, lines_of(found))


def as_json(one: WhyNot) -> dict[str, Any]:
    won = one.won
    return {
        "kind": won.kind.value, "id": to_hex(won.id), "model": won.model_name, "opened_at": won.opened_at,
        "winner": won.winner, "price_wei": str(won.price), "input_tokens": won.input_tokens,
        "max_output_tokens": won.max_output_tokens, "filter": one.name, "reason": one.reason.value, "why": one.why,
        "fix": one.fix, "our_price_wei": _wei(one.our_price), "winner_price_wei": _wei(one.winner_price),
        "chance": None if one.chance is None else float(one.chance), "judged_by": "then" if one.then else "now",
    }


def lines_of(found: list[WhyNot]) -> list[str]:
    if not found:
        return ["Oracles show nothing recent that another provider got for a model that you have offers for.",
                "With --model NAME you also see what went past you without an offer."]
    cells = [(time.strftime("%m-%d %H:%M:%S", time.gmtime(one.won.opened_at)), one.won.kind.value,
              to_hex(one.won.id)[:18], one.won.model_name, one.won.winner[:10], one.name,
              one.why + ("" if one.then else " (As you stand now: the node keeps no older state.)")) for one in found]
    fixes = dict.fromkeys(f"{one.name:<10} fix: {one.fix}" for one in found if one.fix)
    return [*table(cells, HEADS), "", *fixes, KEPT]


def _wei(amount: int | None) -> str | None:
    return None if amount is None else str(amount)
