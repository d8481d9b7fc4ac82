"""What checking an answer costs beside making it: `python -m benchmarks.verify_cost`.

One thread, one run of the same process: the model generates, then the same answers are replayed and
scored. Seconds are CPU seconds, so that neighbours on the machine count little. The share against a
provider that batches is stated beside the share against one that does not. Beside it: a second look (the same replay in
bfloat16), what sampling costs beside greedy choice, and what the fingerprints of an answer cost beside the answer.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from protocol.claim import Asked
from protocol.claim_faults import ClaimFault
from protocol.engine.catalogue import find_model, find_profile
from protocol.engine.fingerprint import fingerprint_rows
from protocol.engine.generate import Execution, generate, generate_batch
from protocol.engine.model import ServedModel, in_dtype, load_model, use_threads
from protocol.engine.prompt import load_prompt_encoder
from protocol.engine.replay import audit_claim, replay
from protocol.engine.sampler import choose
from protocol.engine.weights import default_cache_folder
from protocol.profile import CalibrationProfile
from protocol.proofs.fingerprint import fingerprint_root
from protocol.sampling import PLAIN
from protocol.thresholds import exceeds
from protocol.types import Sampler

MODEL = "SmolLM2-135M-Instruct"
RESULT = Path(__file__).parent / "results" / "verify_cost.json"
OUTPUT_TOKENS = (64, 128, 256)
REPEATS = 3
BATCH = 8
DETAIL_REPEATS = 3
CHOICES = 200
QUESTION = "Describe a walk through a small harbour town in {season}, from the station to the last boat."
SEASONS = ("spring", "summer", "autumn", "winter", "heavy rain", "thick fog", "deep snow", "a heat wave")
# A marker that no answer contains: every run has its full length, so runs can be compared.
NEVER_CHOSEN = 16


def measure(model: ServedModel, prompts: list[tuple[int, ...]], count: int) -> dict[str, Any]:
    """CPU seconds (medians) to generate alone, in a batch of eight, and to verify; and whether all passed."""
    profile, passed = find_profile(model.manifest), True
    alone, checks, executions = [], [], []
    for prompt in prompts[:REPEATS]:
        seconds, execution = _time(generate, model, prompt, count)
        alone.append(seconds)
        executions.append(execution)
    together, batch = _time(generate_batch, model, prompts, count)
    for prompt, execution in [*zip(prompts, executions, strict=False), *zip(prompts, batch, strict=True)]:
        seconds, excess = _time(_verify, model, prompt, execution, count, profile)
        checks.append(seconds)
        passed = passed and not excess
    generating, verifying, share_of_batch = (
        statistics.median(alone),
        statistics.median(checks),
        together / BATCH,
    )
    return {
        "output_tokens": count,
        "prompt_tokens": len(prompts[0]),
        "generate_alone_s": round(generating, 4),
        "generate_alone_tokens_per_s": round(count / generating, 2),
        "generate_in_batch_of_8_s_each": round(share_of_batch, 4),
        "verify_s": round(verifying, 4),
        "verify_share_of_alone": round(verifying / generating, 4),
        "verify_share_of_batch_of_8": round(verifying / share_of_batch, 4),
        "answers_verified": len(checks),
        "all_passed": passed,
    }


def measure_details(model: ServedModel, prompts: list[tuple[int, ...]], count: int) -> dict[str, Any]:
    """Shares of the time of generating `count` tokens greedily, alone: medians of interleaved runs."""
    brief, sampler, seed = in_dtype(model, torch.bfloat16), Sampler("gumbel", 1, 1_000, 9_500), bytes(32)
    greedy, sampled, second, proofs = [], [], [], []
    for prompt in prompts[:DETAIL_REPEATS]:
        seconds, execution = _time(generate, model, prompt, count)
        greedy.append(seconds / len(execution.output_token_ids))
        sampled.append(_per_token(model, prompt, count, sampler))
        seconds, _ = _time(replay, brief, Asked(prompt, count), execution.as_claim())
        second.append(seconds / len(execution.output_token_ids))
        states = torch.randn(count, model.manifest.shape.hidden)
        seconds, rows = _time(fingerprint_rows, states, seed)
        proofs.append((seconds + _time(fingerprint_root, rows)[0]) / count)
    token = statistics.median(greedy)
    choosing = [_time_choices(model, sampler) - _time_choices(model, PLAIN) for _ in range(3)]
    return {
        "output_tokens": count,
        "greedy_ms_a_token": round(token * 1e3, 2),
        "sampled_ms_a_token": round(statistics.median(sampled) * 1e3, 2),
        "choosing_share_of_a_token": round(statistics.median(choosing) / token, 4),
        "proof_share_of_a_token": round(statistics.median(proofs) / token, 6),
        "second_look_share_of_alone": round(statistics.median(second) / token, 4),
    }


def _per_token(model: ServedModel, prompt: tuple[int, ...], count: int, sampler: Sampler) -> float:
    seconds, execution = _time(generate, model, prompt, count, None, None, sampler)
    return seconds / len(execution.output_token_ids)


def _time_choices(model: ServedModel, sampler: Sampler) -> float:
    """CPU seconds to choose one token of a row of logits, nothing else."""
    logits, place = torch.randn(1, model.manifest.shape.vocabulary), torch.tensor([7])
    choose(logits, sampler, place)
    return _time(lambda: [choose(logits, sampler, place) for _ in range(CHOICES)])[0] / CHOICES


def main() -> int:
    """Measure, print a table, write the result file; non-zero when an honest answer did not pass."""
    use_threads(1)
    manifest, cache = find_model(MODEL), default_cache_folder(os.environ)
    load_seconds, model = _time(load_model, manifest, cache)
    model = replace(model, manifest=replace(model.manifest, stop_token_ids=(NEVER_CHOSEN,)))
    encoder = load_prompt_encoder(manifest, cache)
    prompts = [encoder.encode([("user", QUESTION.format(season=season))]) for season in SEASONS]
    generate(model, prompts[0], 8)
    rows = [measure(model, prompts, count) for count in OUTPUT_TOKENS]
    details = measure_details(model, prompts, 128)
    result = {
        "details": details,
        "model": MODEL,
        "threads": 1,
        "seconds": "cpu",
        "load_s": round(load_seconds, 3),
        "rows": rows,
        "versions": {
            "torch": version("torch"),
            "python": platform.python_version(),
            "machine": platform.machine(),
        },
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print(
        f"{'tokens':>6} {'alone':>9} {'tok/s':>6} {'batch 8':>9} {'verify':>8} {'of alone':>9} {'of batch':>9}"
    )
    for row in rows:
        print(
            f"{row['output_tokens']:>6} {row['generate_alone_s']:>7.2f} s {row['generate_alone_tokens_per_s']:>6.1f} "
            f"{row['generate_in_batch_of_8_s_each']:>7.2f} s {row['verify_s']:>6.3f} s "
            f"{row['verify_share_of_alone']:>9.1%} {row['verify_share_of_batch_of_8']:>9.1%}"
        )
    print("\n".join(f"{name.replace('_', ' ')}: {value}" for name, value in details.items()))
    return 0 if all(row["all_passed"] for row in rows) else 1


def _verify(
    model: ServedModel, prompt: tuple[int, ...], execution: Execution, count: int, profile: CalibrationProfile
) -> tuple[str, ...]:
    found = audit_claim(model, Asked(prompt, count), execution.as_claim())
    return (found.reason,) if isinstance(found, ClaimFault) else exceeds(profile, found)


def _time(work: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    start = time.process_time()
    result = work(*arguments)
    return time.process_time() - start, result


if __name__ == "__main__":
    raise SystemExit(main())
