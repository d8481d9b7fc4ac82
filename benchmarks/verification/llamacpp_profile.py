"""The profile of the class llamacpp-q4_1-cpu out of the collected calibration answers:
`python -m benchmarks.verification.llamacpp_profile --output protocol/engine/profiles/NAME.json`.

The prompts are the shipped corpus, which shares none with those that are scored. Every answer is judged at several
lengths, because means over few tokens lie farther apart. Only the top-five distance is calibrated from 8 tokens on: one
threshold for all lengths would miss cheats at 8, and how often honest answers of 1, 2 and 4 tokens leave the profile by
it stands in the results.
"""

from __future__ import annotations

import argparse
import json
import platform
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from benchmarks.verification.llamacpp import LlamaWay, llama_ways, read_lines
from benchmarks.verification.records import Line
from protocol.claim import TOP as ALTERNATIVES
from protocol.claim import TOP_BYTES, Claim
from protocol.comparison import Replay, compute_statistics
from protocol.documents import document_to_json
from protocol.engine.benign import CHUNKED, F32, GREEDY, NATIVE, PREFIX, WHOLE
from protocol.engine.calibrate import edit_margin, summarise
from protocol.engine.catalogue import find_model, find_profile
from protocol.engine.corpus import load_corpus
from protocol.profile import PROFILE_FORMAT, PROOFS, SAFETY_FACTOR, CalibrationProfile, Variation
from protocol.types import AuditStatistics

MODEL = "SmolLM2-135M-Instruct"
BACKEND, DTYPE, DEVICE = "llamacpp", "q4_1", "cpu"
CUTS = (1, 2, 4, 8, 16, 32, 64, 192)
TOP, LEAST_TOP = "mean_top_logprob_distance", 8
"""The statistic that sees the cheats, and the fewest tokens over which its mean is calibrated."""
FINGERPRINT = "fingerprint_distance"


def measure(line: Line, tokens: int) -> AuditStatistics:
    """What an audit finds in the first `tokens` tokens; shorter answers are taken whole."""
    count = min(tokens, len(line.tokens))
    finish = line.finish if count == len(line.tokens) else "length"
    claim = Claim(line.tokens[:count], line.logprobs[:count], finish,
                  bytes.fromhex(line.top)[: count * ALTERNATIVES * TOP_BYTES])
    return compute_statistics(claim, Replay(line.margins[:count], line.own_logprobs[:count],
                                            line.claimed_top[:count], line.own_top[:count]))


def build_profile() -> CalibrationProfile:
    """Raises ValueError when nothing was collected for it."""
    manifest, collected = find_model(MODEL), [(way, read_lines(way.name, True)) for way in llama_ways()]
    lines = [line for _, found in collected for line in found]
    statistics = [measure(line, cut) for line in lines for cut in _cuts_of(line)]
    if not statistics:
        raise ValueError("Nothing was collected for the profile: run benchmarks.verification.llamacpp.")
    floor = float(find_profile(manifest).statistics["max_margin"].numeric_floor)
    ranges = summarise(statistics, floor)
    ranges[TOP] = summarise([one for one in statistics if one.tokens >= LEAST_TOP], floor)[TOP]
    # An end token is chosen like any other, and few answers end within these lengths: what any token may lie apart by
    # holds for it.
    ranges["end_margin"] = max(ranges["end_margin"], ranges["max_margin"], key=lambda one: float(one.maximum))
    replayed = Variation("native", "replay", 1, 1, NATIVE, len(lines), F32, WHOLE, "")
    return CalibrationProfile(
        format=PROFILE_FORMAT, model=manifest.name, tensors_sha256=manifest.tensors.sha256, backend=BACKEND,
        dtype=DTYPE, device=DEVICE, samplers=(GREEDY,), required=tuple(name for name in PROOFS if name != FINGERPRINT),
        safety_factor=str(SAFETY_FACTOR), edit_margin=edit_margin(statistics, floor), sequences=len(lines),
        comparisons=len(statistics), tokens=sum(len(line.tokens) for line in lines),
        corpus_sha256=load_corpus().sha256, statistics=ranges,
        variations=(*(_variation(way, len(found)) for way, found in collected if found), replayed),
        versions={"malla_engine": "2", "torch": version("torch"), "xllamacpp": version("xllamacpp"),
                  "python": platform.python_version(), "machine": platform.machine()},
    )


def _cuts_of(line: Line) -> list[int]:
    """The cuts that an answer reaches, and its whole length."""
    return sorted({len(line.tokens), *(cut for cut in CUTS if cut < len(line.tokens))})


def _variation(way: LlamaWay, sequences: int) -> Variation:
    server = way.server
    passes = CHUNKED if server.ubatch < 512 else PREFIX if server.prefix_cache else WHOLE
    plain = Variation(way.name.removeprefix("llamacpp-honest "), "generate", server.slots, server.threads, NATIVE,
                      sequences, DTYPE, passes, GREEDY)
    return replace(plain, environment=dict(way.environment))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    output, profile = parser.parse_args().output, build_profile()
    output.write_text(json.dumps(document_to_json(profile), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{profile.sequences} answers, {profile.comparisons} comparisons, {profile.tokens} tokens")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
