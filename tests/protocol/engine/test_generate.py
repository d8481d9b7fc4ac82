from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from protocol.claim import FinishReason
from protocol.engine.generate import GenerationCancelled, NumbersBroken, generate, logprobs_at
from protocol.engine.model import ServedModel, build_model
from protocol.errors import BadInput, Malformed, Refused

PROMPT = [1, 50, 60, 70]
NEVER = 9  # a token that this model does not choose after this prompt


def stopping_at(model: ServedModel, token: int) -> ServedModel:
    return replace(model, manifest=replace(model.manifest, stop_token_ids=(token,)))


def test_generate__empty_prompt__is_refused(tiny: ServedModel) -> None:
    with pytest.raises(BadInput, match="no tokens"):
        generate(tiny, [], 4)


@pytest.mark.parametrize("token", [-1, 261, 1.0, True, "5"])
def test_generate__token_outside_the_vocabulary__is_refused(tiny: ServedModel, token: object) -> None:
    with pytest.raises(Malformed, match="outside the vocabulary 0 to 260"):
        generate(tiny, [1, token], 4)  # type: ignore[list-item]


@pytest.mark.parametrize("limit", [0, -3, 2.0, True])
def test_generate__limit_below_one__is_refused(tiny: ServedModel, limit: object) -> None:
    with pytest.raises(BadInput, match="output limit"):
        generate(tiny, PROMPT, limit)  # type: ignore[arg-type]


def test_generate__prompt_and_output_over_the_context__is_refused(tiny: ServedModel) -> None:
    with pytest.raises(Refused, match="A prompt of 90 tokens and 7 output tokens do not fit into the 96"):
        generate(tiny, [5] * 90, 7)
    assert len(generate(stopping_at(tiny, NEVER), [5] * 90, 6).output_token_ids) <= 6


def test_generate__cancelled__raises_with_how_far_it_came(tiny: ServedModel) -> None:
    answers = iter([False, False, True])
    with pytest.raises(GenerationCancelled, match="after 2 of 9 tokens"):
        generate(tiny, PROMPT, 9, cancelled=lambda: next(answers))


def test_generate__broken_weights__is_an_error_and_no_answer(tiny: ServedModel) -> None:
    tensors = {**tiny.tensors, "model.norm.weight": torch.full((64,), float("nan"))}
    with pytest.raises(NumbersBroken):
        generate(build_model(tiny.manifest, tensors), PROMPT, 4)


def test_generate__no_stop_token__ends_at_the_limit(tiny: ServedModel) -> None:
    seen: list[tuple[int, int]] = []
    execution = generate(
        stopping_at(tiny, NEVER), PROMPT, 10, on_token=lambda count, token: seen.append((count, token))
    )
    assert execution.finish_reason is FinishReason.LENGTH
    assert seen == list(enumerate(execution.output_token_ids, start=1))
    assert len(execution.output_token_ids) == len(execution.chosen_logprobs) == 10
    assert all(-20 < value <= 0 for value in execution.chosen_logprobs)


def test_generate__stop_token__is_the_last_output_token(tiny: ServedModel) -> None:
    free = generate(stopping_at(tiny, NEVER), PROMPT, 10).output_token_ids
    stop = free[4]
    execution = generate(stopping_at(tiny, stop), PROMPT, 10)
    assert execution.output_token_ids == free[: free.index(stop) + 1]
    assert execution.finish_reason is FinishReason.STOP


def test_generate__stop_token_at_the_limit__counts_as_stop(tiny: ServedModel) -> None:
    free = generate(stopping_at(tiny, NEVER), PROMPT, 1).output_token_ids
    assert generate(stopping_at(tiny, free[0]), PROMPT, 1).finish_reason is FinishReason.STOP


def test_generate__twice__gives_the_same_bits(tiny: ServedModel) -> None:
    assert generate(tiny, PROMPT, 20) == generate(tiny, PROMPT, 20)


def test_logprobs_at__certain_token__is_zero_and_never_above() -> None:
    logits = torch.tensor([[100.0, -100.0, -100.0], [1e-7, 0.0, -1e4]])
    found = logprobs_at(logits, torch.tensor([[0], [0]])).squeeze(-1)
    assert found[0] == 0 and found[1] <= 0
    assert found.dtype == torch.float32
