from __future__ import annotations

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from protocol.engine.generate import generate, generate_batch
from protocol.engine.llama import Cache, compute_logits, forward
from protocol.engine.model import ServedModel

PROMPT = [1, 50, 60, 70, 80, 90, 100, 2, 110, 5]


def run_once(model: ServedModel, tokens: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        hidden = forward(model.network, torch.tensor([tokens]), Cache(model.network, 1, len(tokens)))
        return compute_logits(model.network, hidden)[0]


def test_forward__against_transformers__gives_the_same_logits(tiny: ServedModel) -> None:
    shape = tiny.manifest.shape
    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        rms_norm_eps=float(shape.rms_norm_eps),
        rope_parameters={"rope_type": "default", "rope_theta": float(shape.rope_theta)},
        tie_word_embeddings=shape.tied_embeddings,
    )
    reference = LlamaForCausalLM(config).eval()
    missing, unexpected = reference.load_state_dict(dict(tiny.tensors), strict=False)
    assert (missing, unexpected) == ([], [])
    with torch.inference_mode():
        expected = reference(torch.tensor([PROMPT])).logits[0]
    torch.testing.assert_close(run_once(tiny, PROMPT), expected, rtol=0, atol=1e-4)


def test_forward__token_by_token__gives_what_one_pass_gives(tiny: ServedModel) -> None:
    cache = Cache(tiny.network, 1, len(PROMPT))
    with torch.inference_mode():
        steps = [
            forward(tiny.network, torch.tensor([part]), cache)
            for part in ([1, 50, 60], [70, 80], *[[t] for t in PROMPT[5:]])
        ]
        logits = compute_logits(tiny.network, torch.cat(steps, dim=1))[0]
    torch.testing.assert_close(logits, run_once(tiny, PROMPT), rtol=0, atol=1e-4)


def test_forward__later_token_changed__leaves_earlier_logits(tiny: ServedModel) -> None:
    changed = run_once(tiny, [*PROMPT[:-1], 200])
    torch.testing.assert_close(changed[:-1], run_once(tiny, PROMPT)[:-1], rtol=0, atol=1e-4)
    assert not torch.allclose(changed[-1], run_once(tiny, PROMPT)[-1], atol=1e-2)


def test_generate_batch__prompts_of_different_length__gives_what_each_alone_gives(tiny: ServedModel) -> None:
    prompts = [PROMPT, PROMPT[:3], [9], PROMPT[2:]]
    batch = generate_batch(tiny, prompts, 12)
    for prompt, found in zip(prompts, batch, strict=True):
        alone = generate(tiny, prompt, 12)
        assert found.output_token_ids == alone.output_token_ids
        assert found.finish_reason == alone.finish_reason
        torch.testing.assert_close(
            torch.tensor(found.chosen_logprobs), torch.tensor(alone.chosen_logprobs), rtol=0, atol=1e-4
        )
