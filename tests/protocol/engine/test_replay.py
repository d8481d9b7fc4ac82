from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from protocol.claim import Asked, Claim, OpenedRows
from protocol.claim_faults import ClaimFault, FaultCode
from protocol.engine.generate import NumbersBroken, generate
from protocol.engine.model import ServedModel, build_model, in_dtype
from protocol.engine.replay import audit_claim, measure_self_noise, replay
from protocol.engine.requantise import requantise, share_of_changed_weights
from protocol.errors import Refused
from protocol.proofs.fingerprint import fingerprint_root, open_group, positions, read_opening
from protocol.types import AuditStatistics, Sampler

PROMPT = [1, 50, 60, 70]
NEVER = 9  # a token that this model does not choose after this prompt


def stopping_at(model: ServedModel, token: int) -> ServedModel:
    return replace(model, manifest=replace(model.manifest, stop_token_ids=(token,)))


def audit(model: ServedModel, claim: Claim, limit: int = 20) -> AuditStatistics:
    found = audit_claim(model, Asked(PROMPT, limit), claim)
    assert isinstance(found, AuditStatistics), found
    return found


def test_replay__prompt_and_output_over_the_context__is_refused(tiny: ServedModel) -> None:
    with pytest.raises(Refused):
        replay(tiny, Asked([5] * 90, 8), Claim((6,) * 8, None, "length"))


def test_audit__claim_with_a_fault__is_the_provider_s_and_not_replayed(tiny: ServedModel) -> None:
    broken = build_model(
        tiny.manifest, {**tiny.tensors, "model.norm.weight": torch.full((64,), float("nan"))}
    )
    found = audit_claim(broken, Asked(PROMPT, 1), Claim((5,), (float("nan"),), "length"))
    assert isinstance(found, ClaimFault) and found.code is FaultCode.LOGPROB_NOT_FINITE


def test_audit__verifier_s_own_numbers_broken__raises(tiny: ServedModel) -> None:
    broken = build_model(
        tiny.manifest, {**tiny.tensors, "model.norm.weight": torch.full((64,), float("nan"))}
    )
    with pytest.raises(NumbersBroken):
        audit_claim(broken, Asked(PROMPT, 1), Claim((5,), (-1.0,), "length"))


def test_audit__honest_claim__lies_within_rounding(tiny: ServedModel) -> None:
    model = stopping_at(tiny, NEVER)
    found = audit(model, generate(model, PROMPT, 20).as_claim())
    assert found.tokens == 20
    assert found.max_margin < 1e-4 and found.end_margin == 0 and found.mean_logprob_distance < 1e-5


def test_replay__more_tokens_than_one_block_of_rows__gives_all(tiny: ServedModel) -> None:
    model = stopping_at(tiny, NEVER)
    execution = generate(model, PROMPT, 80)
    found = replay(model, Asked(PROMPT, 20), execution.as_claim())
    assert len(found.margins) == len(found.chosen_logprobs) == 80
    torch.testing.assert_close(
        torch.tensor(found.chosen_logprobs), torch.tensor(execution.chosen_logprobs), rtol=0, atol=1e-4
    )


def test_audit__one_token_edited__shows_its_margin(tiny: ServedModel) -> None:
    model = stopping_at(tiny, NEVER)
    claim = generate(model, PROMPT, 20).as_claim()
    tokens = list(claim.output_token_ids)
    assert tokens[7] != 200
    tokens[7] = 200
    assert audit(model, replace(claim, output_token_ids=tuple(tokens))).max_margin > 0.05


def test_audit__stop_token_appended_early__shows_the_end_margin(tiny: ServedModel) -> None:
    model = stopping_at(tiny, NEVER)
    claim = generate(model, PROMPT, 20).as_claim()
    early = Claim((*claim.output_token_ids[:8], NEVER), (*claim.chosen_logprobs[:8], -1.0), "stop")
    found = audit(model, early)
    assert found.end_margin > 0.05 and found.max_margin < 1e-4


def test_audit__only_a_stop_token__is_judged_by_its_margin(tiny: ServedModel) -> None:
    found = audit(stopping_at(tiny, NEVER), Claim((NEVER,), (-1.0,), "stop"))
    assert found.max_margin == 0 and found.end_margin > 0.05


def test_audit__logprobs_of_another_model__shows_the_distance(tiny: ServedModel) -> None:
    model = stopping_at(tiny, NEVER)
    claim = generate(model, PROMPT, 20).as_claim()
    shifted = tuple(value - 0.25 for value in claim.chosen_logprobs)
    assert audit(model, replace(claim, chosen_logprobs=shifted)).mean_logprob_distance == pytest.approx(
        0.25, abs=1e-4
    )


def test_requantise__four_bits__changes_most_weights_and_the_answer(tiny: ServedModel) -> None:
    model = stopping_at(tiny, NEVER)
    cheap = requantise(model)
    assert share_of_changed_weights(model, cheap) > 0.5
    assert cheap.tensors["model.embed_tokens.weight"] is model.tensors["model.embed_tokens.weight"]
    assert audit(model, generate(cheap, PROMPT, 20).as_claim()).mean_logprob_distance > 0.01


def test_requantise__four_bits__keeps_fifteen_levels_a_group(tiny: ServedModel) -> None:
    name = "model.layers.0.mlp.down_proj.weight"
    group, original = requantise(tiny).tensors[name][0, :64], tiny.tensors[name][0, :64]
    assert len(group.unique()) <= 15
    assert float(group.abs().max()) == pytest.approx(float(original.abs().max()), rel=1e-6)


@pytest.mark.parametrize(("bits", "group"), [(1, 64), (4, 48)])
def test_requantise__impossible_grid__is_refused(tiny: ServedModel, bits: int, group: int) -> None:
    with pytest.raises(ValueError, match="levels" if bits == 1 else "do not divide"):
        requantise(tiny, bits, group)


def opened_claim(model: ServedModel, tokens: int, seed: bytes) -> Claim:
    """An honest claim of which the draw has opened the first group."""
    execution = generate(model, PROMPT, tokens, fingerprint_seed=seed)
    rows, count = execution.fingerprints, len(execution.output_token_ids)
    opening, root = open_group(rows, 0), fingerprint_root(rows)
    return replace(execution.as_claim(), opened=OpenedRows(*read_opening(opening, root, count, 0),
                                                           tuple(positions(count, 0))))


def test_audit__fingerprints_opened__lie_within_rounding(tiny: ServedModel) -> None:
    model, seed = stopping_at(tiny, NEVER), b"\x07" * 32
    found = audit_claim(model, Asked(PROMPT, 40, fingerprint_seed=seed), opened_claim(model, 40, seed))
    assert isinstance(found, AuditStatistics) and found.fingerprint_distance is not None
    assert found.fingerprint_distance < 0.003  # a number at the edge of two units now and then
    assert found.mean_top_logprob_distance is not None and found.mean_top_logprob_distance < 1e-4


def test_audit__fingerprints_of_another_call__have_nothing_to_do_with_ours(tiny: ServedModel) -> None:
    model = stopping_at(tiny, NEVER)
    found = audit_claim(model, Asked(PROMPT, 40, fingerprint_seed=b"\x08" * 32),
                        opened_claim(model, 40, b"\x07" * 32))
    assert isinstance(found, AuditStatistics) and (found.fingerprint_distance or 0) > 0.04


def test_audit__requantised_model__leaves_its_fingerprint(tiny: ServedModel) -> None:
    model, seed = stopping_at(tiny, NEVER), b"\x07" * 32
    found = audit_claim(model, Asked(PROMPT, 40, fingerprint_seed=seed),
                        opened_claim(requantise(model, 4, 16), 40, seed))
    assert isinstance(found, AuditStatistics) and (found.fingerprint_distance or 0) > 0.01


@pytest.mark.parametrize("chunk", [None, 3])
def test_measure_self_noise__same_numbers__is_rounding(tiny: ServedModel, chunk: int | None) -> None:
    model, seed = stopping_at(tiny, NEVER), b"\x07" * 32
    noise = measure_self_noise(model, model, Asked(PROMPT, 40, fingerprint_seed=seed), opened_claim(model, 40, seed),
                               chunk)
    assert noise.max_margin < 1e-4 and (noise.fingerprint_distance or 0) < 1e-4


def test_measure_self_noise__in_bfloat16__is_that_of_bfloat16(tiny: ServedModel) -> None:
    model, seed = stopping_at(tiny, NEVER), b"\x07" * 32
    noise = measure_self_noise(model, in_dtype(model, torch.bfloat16), Asked(PROMPT, 40, fingerprint_seed=seed),
                               opened_claim(model, 40, seed))
    assert 0.002 < (noise.fingerprint_distance or 0) < 0.05


def test_audit__sampled_answer__has_no_margin_and_under_another_seed_it_has(tiny: ServedModel) -> None:
    model, sampler = stopping_at(tiny, NEVER), Sampler("gumbel", 3, 1_000)
    claim = generate(model, PROMPT, 20, sampler=sampler).as_claim()
    honest = audit_claim(model, Asked(PROMPT, 20, sampler), claim)
    other = audit_claim(model, Asked(PROMPT, 20, replace(sampler, seed=4)), claim)
    greedy = audit_claim(model, Asked(PROMPT, 20), claim)
    assert isinstance(honest, AuditStatistics) and honest.max_margin < 1e-4
    for found in (other, greedy):
        assert isinstance(found, AuditStatistics) and found.max_margin > 0.5


def test_audit__bare_transcript__is_judged_by_its_tokens(tiny: ServedModel) -> None:
    model = stopping_at(tiny, NEVER)
    tokens = generate(model, PROMPT, 20).output_token_ids
    found = audit_claim(model, Asked(PROMPT, 20), Claim(tokens, None, "length"))
    assert isinstance(found, AuditStatistics)
    assert found.max_margin < 1e-4 and found.mean_logprob_distance is None
