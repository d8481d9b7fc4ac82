"""Replay of a claimed output in one prefill pass, and its comparison with the claim."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from protocol.claim import Claim, ClaimFault, ClaimRules, Replay, compute_statistics, find_fault
from protocol.engine.generate import chosen_logprobs
from protocol.engine.llama import Cache, compute_logits, forward
from protocol.engine.model import ServedModel
from protocol.manifest import ModelManifest, check_request
from protocol.types import AuditStatistics

# Rows of logits held at once: 64 rows of 49,152 in float64 are 25 MB.
ROWS = 64


def rules_for(manifest: ModelManifest, max_output_tokens: int) -> ClaimRules:
    """What an answer of this model to a job with that limit may be."""
    return ClaimRules(max_output_tokens, manifest.shape.vocabulary, manifest.stop_token_ids)


def audit_claim(
    model: ServedModel, prompt_token_ids: Sequence[int], claim: Claim, max_output_tokens: int
) -> AuditStatistics | ClaimFault:
    """Check a claim's form, then replay it. A `ClaimFault` is the provider's, any exception the verifier's.

    Errors: those of `manifest.check_request` for a prompt that cannot be asked; `NumbersBroken`.
    """
    check_request(model.manifest, prompt_token_ids, max_output_tokens)
    fault = find_fault(claim, rules_for(model.manifest, max_output_tokens))
    if fault is not None:
        return fault
    return compute_statistics(claim, replay(model, prompt_token_ids, claim.output_token_ids))


@torch.inference_mode()
def replay(model: ServedModel, prompt_token_ids: Sequence[int], output_token_ids: Sequence[int]) -> Replay:
    """Margin and logprob of each claimed token, from one forward pass over prompt and output.

    Errors: those of `manifest.check_request`; `NumbersBroken`.
    """
    check_request(model.manifest, [*prompt_token_ids, *output_token_ids[:-1]], 1)
    network = model.network
    # The last output token is judged, never fed.
    tokens = torch.tensor([[*prompt_token_ids, *output_token_ids[:-1]]])
    hidden = forward(network, tokens, Cache(network, 1, tokens.shape[1]))[0, len(prompt_token_ids) - 1 :]
    claimed = torch.tensor(list(output_token_ids))
    margins: list[float] = []
    logprobs: list[float] = []
    for start in range(0, len(claimed), ROWS):
        part = claimed[start : start + ROWS]
        logits = compute_logits(network, hidden[start : start + ROWS])
        logprobs.extend(chosen_logprobs(logits, part).tolist())
        margins.extend((logits.amax(dim=-1) - logits.gather(-1, part.unsqueeze(-1)).squeeze(-1)).tolist())
    return Replay(tuple(margins), tuple(logprobs))
