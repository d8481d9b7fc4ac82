"""Replay of a claimed output in one prefill pass, and its comparison with the claim."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from protocol.claim import Asked, Claim, unpack_top
from protocol.claim_faults import ClaimFault, ClaimRules, find_fault
from protocol.comparison import Replay, compute_statistics
from protocol.engine.fingerprint import projections
from protocol.engine.generate import logprobs_at
from protocol.engine.llama import Cache, compute_logits, forward
from protocol.engine.model import ServedModel
from protocol.engine.sampler import ban, margins
from protocol.manifest import ModelManifest, check_request
from protocol.proofs.fingerprint import spread
from protocol.sampling import GREEDY, PLAIN
from protocol.types import AuditStatistics, Sampler

# Rows of logits held at once: 64 rows of 49,152 in float64 are 25 MB.
ROWS = 64
CHUNK = 24
"""Tokens a pass of a chunked prefill, one of the benign ways to run the same pass."""


def rules_for(manifest: ModelManifest, max_output_tokens: int, sampler: Sampler = PLAIN,
              may_end_early: bool = False) -> ClaimRules:
    """What an answer of this model to a job with that limit and sampler may be; a call `may_end_early`."""
    return ClaimRules(max_output_tokens, manifest.shape.vocabulary, manifest.stop_token_ids, sampler.min_tokens,
                      sampler.kind == GREEDY, may_end_early)


def audit_claim(model: ServedModel, asked: Asked, claim: Claim) -> AuditStatistics | ClaimFault:
    """Check a claim's form, then replay it. A `ClaimFault` is the provider's, any exception the verifier's.

    Errors: those of `manifest.check_request` for a prompt that cannot be asked; `NumbersBroken`.
    """
    check_request(model.manifest, asked.prompt_token_ids, asked.max_output_tokens)
    rules = rules_for(model.manifest, asked.max_output_tokens, asked.sampler, asked.may_end_early)
    fault = find_fault(claim, rules)
    if fault is not None:
        return fault
    return compute_statistics(claim, replay(model, asked, claim))


def measure_self_noise(model: ServedModel, varied: ServedModel, asked: Asked, claim: Claim,
                       chunk: int | None = None) -> AuditStatistics:
    """What an audit would find if an honest run of `varied` (the same weights, perhaps in another dtype), in passes of
    `chunk` tokens, had computed this transcript: the spread of the model's own numbers on these very tokens. A prompt
    that makes it large frames nobody.

    `claim` must be without faults. Errors: `NumbersBroken`.
    """
    plain = replay(model, asked, claim)
    other = replay(varied, asked, claim, chunk)
    margins_apart = tuple(abs(one - two) for one, two in zip(other.margins, plain.margins, strict=True))
    honest = replace(claim, chosen_logprobs=None, top_logprobs=b"", opened=None)
    found = compute_statistics(honest, Replay(margins_apart, plain.chosen_logprobs))
    distances = [abs(a - b) for a, b in zip(other.chosen_logprobs, plain.chosen_logprobs, strict=True)]
    top = [abs(a - b) for one, two in zip(other.claimed_top, plain.claimed_top, strict=True)
           for a, b in zip(one, two, strict=True)]
    rows = None
    if other.rows is not None and plain.rows is not None:
        rows = spread(other.rows, plain.rows)
    return replace(found, mean_logprob_distance=sum(distances) / len(distances),
                   mean_top_logprob_distance=sum(top) / len(top) if top else None, fingerprint_distance=rows)


@torch.inference_mode()
def replay(model: ServedModel, asked: Asked, claim: Claim, chunk: int | None = None) -> Replay:
    """Margin and logprobs of each claimed token, from one forward pass over prompt and output (or one for each `chunk`
    tokens), and the projections at the opened positions.

    Errors: those of `manifest.check_request`; `NumbersBroken`.
    """
    output = claim.output_token_ids
    check_request(model.manifest, [*asked.prompt_token_ids, *output[:-1]], 1)
    # The last output token is judged, never fed.
    states = _states(model, [*asked.prompt_token_ids, *output[:-1]], chunk)[len(asked.prompt_token_ids) - 1 :]
    top = unpack_top(claim.top_logprobs)
    claimed = torch.tensor([[token, *(one for one, _ in row)] for token, row in
                            zip(output, top or [()] * len(output), strict=True)])
    found = [_judge(model, asked.sampler, states[i : i + ROWS], claimed[i : i + ROWS], i)
             for i in range(0, len(output), ROWS)]
    rows = None
    if claim.opened is not None and asked.fingerprint_seed is not None:
        rows = projections(states[list(claim.opened.positions)], asked.fingerprint_seed)
    values = torch.cat([part[1] for part in found])
    return Replay(
        margins=tuple(torch.cat([part[0] for part in found]).tolist()),
        chosen_logprobs=tuple(values[:, 0].tolist()),
        claimed_top=_rows_of(values[:, 1:]) if top else (),
        own_top=_rows_of(torch.cat([part[2] for part in found])) if top else (),
        rows=rows,
    )


def _states(model: ServedModel, tokens: list[int], chunk: int | None) -> Tensor:
    cache, width = Cache(model.network, 1, len(tokens)), chunk or len(tokens)
    parts = [forward(model.network, torch.tensor([tokens[i : i + width]]), cache)[0]
             for i in range(0, len(tokens), width)]
    return torch.cat(parts)


def _judge(model: ServedModel, sampler: Sampler, states: Tensor, claimed: Tensor,
           first: int) -> tuple[Tensor, Tensor, Tensor]:
    """Margins (rows,), logprobs of the claimed tokens (rows, 1 or 6), logprobs of our own best five (rows, 5)."""
    logits = compute_logits(model.network, states).float()
    positions = torch.arange(first, first + len(logits))
    allowed = ban(logits, model.manifest.stop_token_ids, positions < sampler.min_tokens)
    best = logits.topk(claimed.shape[1] - 1, dim=-1).indices
    values = logprobs_at(logits, torch.cat((claimed, best), dim=-1))
    count = claimed.shape[1]
    return margins(allowed, claimed[:, 0], sampler, positions), values[:, :count], values[:, count:]


def _rows_of(values: Tensor) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in values.tolist())
