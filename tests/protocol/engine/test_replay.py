from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from protocol.claim import Asked, Claim, ClaimFault, FaultCode
from protocol.engine.generate import NumbersBroken, generate
from protocol.engine.model import ServedModel, build_model
from protocol.engine.replay import audit_claim, replay
from protocol.engine.requantise import requantise, share_of_changed_weights
from protocol.errors import Refused
from protocol.types import AuditStatistics

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
