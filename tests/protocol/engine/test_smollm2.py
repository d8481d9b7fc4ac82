"""The real model against the committed manifest and profile: what passes and what is caught."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from protocol.claim import Asked, Claim
from protocol.engine.catalogue import MODELS, find_model
from protocol.engine.corpus import load_corpus
from protocol.engine.describe import describe_model
from protocol.engine.generate import Execution, generate, generate_batch
from protocol.engine.model import ServedModel, build_model
from protocol.engine.prompt import PromptEncoder
from protocol.engine.replay import audit_claim, replay
from protocol.engine.requantise import requantise, share_of_changed_weights
from protocol.engine.weights import locate_weights_file
from protocol.profile import CalibrationProfile
from protocol.thresholds import exceeds
from protocol.types import AuditStatistics
from protocol.verdict import largest_margin

pytestmark = pytest.mark.model

LIMIT = 24
SUBJECTS = (
    "a lost umbrella", "the number seven", "winter tyres", "lemon cake", "the moon", "old letters", "a broken chair",
    "garden snails", "the colour green", "ferry boats", "a school play", "thunder", "wool socks", "city pigeons",
    "a good neighbour", "paint", "honest work", "early trains", "black pepper", "a long bridge",
)  # fmt: skip


@pytest.fixture(scope="module")
def prompts(smollm2_encoder: PromptEncoder) -> list[tuple[int, ...]]:
    return [smollm2_encoder.encode([("user", f"Tell me something about {subject}.")]) for subject in SUBJECTS]


@pytest.fixture(scope="module")
def honest(smollm2: ServedModel, prompts: list[tuple[int, ...]]) -> list[Execution]:
    return [generate(smollm2, prompts[0], LIMIT), *generate_batch(smollm2, prompts[1:8], LIMIT)]


def find_excess(
    model: ServedModel, profile: CalibrationProfile, prompt: tuple[int, ...], claim: Claim
) -> tuple[str, ...]:
    found = audit_claim(model, Asked(prompt, LIMIT), claim)
    assert isinstance(found, AuditStatistics), found
    return exceeds(profile, found)


def without_layers(model: ServedModel, first: int, count: int) -> ServedModel:
    """The network without some layers: what a provider that skips them would run."""
    kept = model.network.layers[:first] + model.network.layers[first + count :]
    network = replace(model.network, layers=kept, shape=replace(model.network.shape, layers=len(kept)))
    return replace(model, network=network)


def test_manifest__made_again_from_the_installed_file__is_the_committed_one() -> None:
    committed = find_model("SmolLM2-135M-Instruct")
    made = describe_model(committed.name, committed.source, locate_weights_file(committed))
    assert made == committed
    assert (MODELS / "smollm2-135m-instruct.json").is_file()


def test_corpus__of_the_profile__is_the_committed_one_and_not_this_test_s(
    smollm2_profile: CalibrationProfile,
) -> None:
    corpus = load_corpus()
    assert smollm2_profile.corpus_sha256 == corpus.sha256
    assert smollm2_profile.sequences >= 200
    texts = {content for prompt in corpus.prompts for _, content in prompt.messages}
    assert len(corpus.prompts) == len(set(corpus.prompts)) >= 200
    assert not [subject for subject in SUBJECTS if any(f"about {subject}" in text for text in texts)]


def test_audit__honest_answers__stay_within_the_profile(
    smollm2: ServedModel,
    smollm2_profile: CalibrationProfile,
    prompts: list[tuple[int, ...]],
    honest: list[Execution],
) -> None:
    assert len(honest) == 8
    for prompt, execution in zip(prompts[:8], honest, strict=True):
        assert find_excess(smollm2, smollm2_profile, prompt, execution.as_claim()) == ()


def test_audit__int4_in_groups_of_64__is_exact_evidence_in_every_answer(
    smollm2: ServedModel, smollm2_profile: CalibrationProfile, prompts: list[tuple[int, ...]]
) -> None:
    cheap = requantise(smollm2)
    assert share_of_changed_weights(smollm2, cheap) > 0.5
    caught = 0
    for start in range(0, len(prompts), 10):
        part = prompts[start : start + 10]
        for prompt, execution in zip(part, generate_batch(cheap, part, LIMIT), strict=True):
            found = audit_claim(smollm2, Asked(prompt, LIMIT), execution.as_claim())
            assert isinstance(found, AuditStatistics)
            # One such leaf convicts: no rounding makes a margin of that size, whoever its one requester is.
            caught += largest_margin(found) > float(smollm2_profile.edit_margin)
    assert caught == len(prompts) == 20


def test_audit__text_by_int4_and_logprobs_by_the_full_model__is_caught_by_the_tokens(
    smollm2: ServedModel, smollm2_profile: CalibrationProfile, prompts: list[tuple[int, ...]]
) -> None:
    # The prefill spoof: cheap tokens, and logprobs that the full model really gives them.
    cheap, caught = requantise(smollm2), 0
    for prompt, execution in zip(prompts[:5], generate_batch(cheap, prompts[:5], LIMIT), strict=True):
        found = replay(smollm2, Asked(prompt, LIMIT), execution.as_claim())
        spoof = replace(execution.as_claim(), chosen_logprobs=found.chosen_logprobs)
        reasons = find_excess(smollm2, smollm2_profile, prompt, spoof)
        caught += any("margin" in reason for reason in reasons)
    assert caught == 5


def test_audit__two_layers_skipped__exceeds_the_profile(
    smollm2: ServedModel, smollm2_profile: CalibrationProfile, prompts: list[tuple[int, ...]]
) -> None:
    execution = generate(without_layers(smollm2, 14, 2), prompts[0], LIMIT)
    assert find_excess(smollm2, smollm2_profile, prompts[0], execution.as_claim())


def test_audit__bfloat16_instead_of_float32__exceeds_the_profile(
    smollm2: ServedModel, smollm2_profile: CalibrationProfile, prompts: list[tuple[int, ...]]
) -> None:
    rounded = {name: tensor.bfloat16().float() for name, tensor in smollm2.tensors.items()}
    execution = generate(build_model(smollm2.manifest, rounded), prompts[0], LIMIT)
    assert find_excess(smollm2, smollm2_profile, prompts[0], execution.as_claim())


def test_audit__truncated_with_the_stop_token_appended__exceeds_the_end_margin(
    smollm2: ServedModel,
    smollm2_profile: CalibrationProfile,
    prompts: list[tuple[int, ...]],
    honest: list[Execution],
) -> None:
    stop = smollm2.manifest.stop_token_ids[0]
    short = Claim((*honest[0].output_token_ids[:10], stop), (*honest[0].chosen_logprobs[:10], -0.5), "stop")
    assert any(
        reason.startswith("end_margin") for reason in find_excess(smollm2, smollm2_profile, prompts[0], short)
    )


def test_audit__one_token_edited__exceeds_the_margin(
    smollm2: ServedModel,
    smollm2_profile: CalibrationProfile,
    smollm2_encoder: PromptEncoder,
    prompts: list[tuple[int, ...]],
    honest: list[Execution],
) -> None:
    tokens = list(honest[2].output_token_ids)
    (replacement,) = smollm2_encoder.encode_text(" never")
    assert tokens[5] != replacement
    tokens[5] = replacement
    edited = replace(honest[2].as_claim(), output_token_ids=tuple(tokens))
    reasons = find_excess(smollm2, smollm2_profile, prompts[2], edited)
    assert any(reason.startswith("max_margin") for reason in reasons)


def test_audit__answer_of_another_prompt__exceeds_the_profile(
    smollm2: ServedModel,
    smollm2_profile: CalibrationProfile,
    prompts: list[tuple[int, ...]],
    honest: list[Execution],
) -> None:
    reasons = find_excess(smollm2, smollm2_profile, prompts[3], honest[4].as_claim())
    assert any(reason.startswith("max_margin") for reason in reasons)


def test_weights__installed_file__has_the_manifest_s_size() -> None:
    manifest = find_model("SmolLM2-135M-Instruct")
    assert Path(locate_weights_file(manifest)).stat().st_size == manifest.weights.bytes
