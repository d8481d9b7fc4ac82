"""Each provider's standing offers, made and signed by its own flow, kept where its command line keeps them."""

from __future__ import annotations

import json
import time
import urllib.request
from dataclasses import replace

from protocol.chain.chain import Chain
from protocol.units import TOKEN, Seconds, Wei
from provider.edges.keys import open_node_keys
from provider.edges.models import find_vector_manifest, served_model
from provider.edges.offer_files import OfferFiles
from provider.flow.offers import Terms, make_offer, sign_offer
from scripts.testnet.arrangement import Arrangement, Node
from scripts.testnet.parties import owner_of

VALID_FOR = 30 * 86_400
TERMS = Terms(
    input_price=Wei(TOKEN // 1000),
    output_price=Wei(4 * TOKEN // 1000),
    max_input_tokens=1024,
    max_output_tokens=256,
    min_duration=Seconds(60),
    max_outstanding=Wei(200 * TOKEN),
    valid_for=Seconds(VALID_FOR),
)


VECTOR_PRICE = Wei(TOKEN // 100_000)
"""For a number of a row, or a token of a text: these networks are a hundredth of a language model."""


def sign_offers(what: Arrangement, chain: Chain) -> None:
    """One standing offer for each model of each provider; one that is valid for another day is kept."""
    for node in what.providers:
        _sign_missing(node, chain)


def terms_of(name: str) -> Terms:
    """All text models have the same; a vector model takes calls as large as it can."""
    vector = find_vector_manifest(name)
    if vector is None:
        return TERMS
    widest = vector.max_rows * (vector.context_tokens if vector.reads_texts else vector.input_width)
    return replace(TERMS, input_price=VECTOR_PRICE, output_price=VECTOR_PRICE, max_input_tokens=widest,
                   max_output_tokens=1)


def _sign_missing(node: Node, chain: Chain) -> None:
    now, files = time.time(), OfferFiles(node.folder)
    kept = {signed.offer.model for signed in files.standing() if signed.offer.expiry > now + 86_400}
    missing = [served for name in node.models if (served := served_model(name)).model not in kept]
    if not missing:
        return
    keys, longest = open_node_keys(node.keystore, node.password_file), chain.parameters().max_duration
    for place, served in enumerate(missing):
        # Two milliseconds apart: the time is the nonce, and the name of the file.
        offer = make_offer(owner_of(node), served, terms_of(served.name), now + place / 500, longest)
        files.write(sign_offer(offer, chain.domain, keys))


def count_offers(oracle_url: str) -> int:
    """How many models are on offer at this oracle, each counted once a provider, of those that say where they take
    calls; 0 when it does not answer."""
    try:
        at_home = {row["provider"] for row in _read(oracle_url, "listing")}
        on_offer = {(row["provider"], row["model"]) for row in _read(oracle_url, "offer")}
        return sum(provider in at_home for provider, _ in on_offer)
    except (OSError, ValueError, LookupError, TypeError):
        return 0


def _read(oracle_url: str, what: str) -> list[dict[str, str]]:
    with urllib.request.urlopen(f"{oracle_url}/v1/{what}s", timeout=5) as answer:
        return [row[what] for row in json.load(answer)[f"{what}s"]]
