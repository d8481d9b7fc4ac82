"""Each provider's standing offer, made and signed by the provider's own flow, kept where its command line keeps it."""

from __future__ import annotations

import json
import time
import urllib.request

from protocol.chain.chain import Chain
from protocol.units import TOKEN, Seconds, Wei
from provider.edges.keys import open_node_keys
from provider.edges.offer_files import OfferFiles
from provider.edges.tokenizer import served_model
from provider.flow.offers import Terms, make_offer, sign_offer
from provider.records import Served
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


def sign_offers(what: Arrangement, chain: Chain) -> None:
    """One standing offer a provider, all at the same prices; one that is valid for another day is kept."""
    for node in what.providers:
        _sign_offer(node, chain, served_model(node.model))


def _sign_offer(node: Node, chain: Chain, served: Served) -> None:
    now, files = int(time.time()), OfferFiles(node.folder)
    if any(signed.offer.expiry > now + 86_400 for signed in files.standing()):
        return
    offer = make_offer(owner_of(node), served, TERMS, now, chain.parameters().max_duration)
    files.write(sign_offer(offer, chain.domain, open_node_keys(node.keystore, node.password_file)))


def count_sellers(oracle_url: str) -> int:
    """How many providers have an offer at this oracle and say where they take calls; 0 when it does not answer."""
    try:
        return len(_providers(oracle_url, "offer") & _providers(oracle_url, "listing"))
    except (OSError, ValueError, LookupError, TypeError):
        return 0


def _providers(oracle_url: str, what: str) -> set[str]:
    with urllib.request.urlopen(f"{oracle_url}/v1/{what}s", timeout=5) as answer:
        return {row[what]["provider"] for row in json.load(answer)[f"{what}s"]}
