"""Vector models as the requester knows them: their names, what a call counts, and what they are not for."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from protocol.documents import document_digest
from protocol.engine.vector_catalogue import find_vector_model, find_vector_profile
from protocol.errors import BadInput, Malformed, Reason, Refused
from protocol.vectors import VectorInputs, prompt_of_inputs
from requester.edges.models import LocalModels
from requester.flow.prepare import Request, prepare_job
from tests.requester.world import World

CHURN = find_vector_model("Churn-Telco")


@pytest.fixture
def models(tmp_path: Path) -> LocalModels:
    return LocalModels(tmp_path)


def test_find__by_name_or_digest__the_model_with_its_profile(models: LocalModels) -> None:
    digest = document_digest(CHURN)
    choice = models.find("churn-telco")
    assert choice == models.find("0x" + digest.hex()) == models.find_digest(digest)
    assert choice.profiles.keys() == {document_digest(find_vector_profile(CHURN))}
    assert choice.max_inputs == CHURN.max_rows
    assert models.name_of(digest) == "Churn-Telco" and models.decode(choice, ()) == ""
    # Whoever names no model means the one of tokens.
    assert models.find(None).max_inputs == 0


def test_count_tokens__rows_and_texts__as_the_provider_counts(models: LocalModels) -> None:
    """R120: numbers of rows, tokens of texts."""
    row = (1.0,) * CHURN.input_width
    choice = models.find("Churn-Telco")
    assert models.count_tokens(choice, prompt_of_inputs(VectorInputs(rows=(row, row)), bytes(32)).messages) == 48
    assert choice.context_tokens > CHURN.max_rows * CHURN.input_width
    assert models.count_tokens(models.find("all-minilm-l6-v2"), (("text", "a ship"),)) == 4
    with pytest.raises(Malformed):
        models.count_tokens(choice, (("system", "hello"),))


def test_count_tokens__text_beyond_the_context__is_refused(models: LocalModels) -> None:
    """R122: before anything is paid."""
    with pytest.raises(Refused) as refusal:
        models.count_tokens(models.find("all-MiniLM-L6-v2"), (("text", "ship " * 300),))
    assert refusal.value.reason is Reason.TOO_MANY_TOKENS


def test_prepare_job__of_a_vector_model__is_refused(models: LocalModels) -> None:
    world = World()
    market = dataclasses.replace(world.market, models=models)
    with pytest.raises(BadInput, match="not jobs"):
        prepare_job(Request((("user", "hello"),), "Churn-Telco", 8), market)
