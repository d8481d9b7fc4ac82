"""The testnet's standing offers: one for each model of each provider, and when all of them are listed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from protocol.errors import ConfigInvalid
from provider.config import DEFAULT_MODEL
from provider.edges.fakes import DOMAIN, FakeKeys
from provider.edges.models import model_name, require_servable
from provider.edges.offer_files import OfferFiles
from scripts.testnet import arrangement, offers
from scripts.testnet.arrangement import EMBEDDER, EMBEDDING_MODEL, VECTOR_MODELS, Arrangement, arrange

MODELS = {EMBEDDER: VECTOR_MODELS}


@pytest.fixture
def what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Arrangement:
    monkeypatch.setattr(arrangement, "choose_ports", lambda names, kept: {name: 1 for name in names})
    return arrange(tmp_path, oracles=1, providers=4, models=MODELS)


def test_arrange__other_models_than_before__refused(what: Arrangement) -> None:
    """A provider's offers and sessions lie in the folder."""
    assert arrange(what.folder, oracles=1, providers=4, models=MODELS).node(EMBEDDER).models == VECTOR_MODELS
    with pytest.raises(ConfigInvalid, match="holds a network of"):
        arrange(what.folder, oracles=1, providers=4, models={EMBEDDER: (EMBEDDING_MODEL,)})


def test_environment__provider_of_vectors__names_them_all_and_a_node_serves_them_together(what: Arrangement) -> None:
    named = [what.environment(node, "", "0x0")["MALLA_MODEL"] for node in what.providers]
    assert named == [*[DEFAULT_MODEL] * 3, "all-MiniLM-L6-v2,Demand-M3-Monthly,Churn-Telco"]
    require_servable(VECTOR_MODELS)


def test_sign__again__an_offer_a_model_and_none_anew(what: Arrangement, monkeypatch: pytest.MonkeyPatch) -> None:
    chain: Any = SimpleNamespace(domain=DOMAIN, parameters=lambda: SimpleNamespace(max_duration=900))
    monkeypatch.setattr(offers, "open_node_keys", lambda *_: FakeKeys())
    monkeypatch.setattr(offers, "owner_of", lambda node: "0x000000000000000000000000000000000000dEaD")
    offers.sign_offers(what, chain)
    made = {node.name: OfferFiles(node.folder).standing() for node in what.providers}
    assert [[model_name(one.offer.model) for one in its] for its in made.values()] == [
        *[[DEFAULT_MODEL]] * 3, list(VECTOR_MODELS)]
    # The largest call that each model takes at all: 24 texts of 256 tokens, 64 rows of 36 numbers, 128 rows of 24.
    assert [one.offer.max_input_tokens for one in made[EMBEDDER]] == [24 * 256, 64 * 36, 128 * 24]
    offers.sign_offers(what, chain)
    assert {node.name: OfferFiles(node.folder).standing() for node in what.providers} == made


def test_count__offers_of_a_provider_without_address_or_of_one_model_twice__not_counted(
        monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {"listing": [{"provider": "A"}, {"provider": "B"}],
            "offer": [{"provider": who, "model": model} for who, model in ("A1", "A2", "A2", "B1", "C1")]}
    monkeypatch.setattr(offers, "_read", lambda url, what: rows[what])
    assert offers.count_offers("http://oracle") == 3
    rows["offer"].append({})
    assert offers.count_offers("http://oracle") == 0
