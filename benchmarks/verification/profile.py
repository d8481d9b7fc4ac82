"""A bfloat16 profile out of the benchmark's honest answers: `python -m benchmarks.verification.profile --output FILE`.

What `malla oracle calibrate --dtype bf16` measures, over more sequences and without running any: all that it needs is
what the collection and the second look left on their shelves. It is not shipped: no node serves that class yet.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from benchmarks.verification import prompts
from benchmarks.verification.collect import LIMIT, MODEL
from benchmarks.verification.measure import measure
from benchmarks.verification.noise import read_noise
from benchmarks.verification.records import Shelf
from benchmarks.verification.thresholds import PLAIN, SCREEN, Answer, ratio_of
from benchmarks.verification.ways import ways
from protocol.documents import document_to_json
from protocol.engine.benign import BF16, CHUNKED, PREFIX, WHOLE
from protocol.engine.calibrate import edit_margin, summarise
from protocol.engine.catalogue import find_model, find_profile
from protocol.profile import PROFILE_FORMAT, PROOFS, SAFETY_FACTOR, CalibrationProfile, HonestRange, Variation

SECOND_LOOKS = {
    "max_margin": "max_margin", "mean_margin": "mean_margin", "logprob": "mean_logprob_distance",
    "top-5 logprob": "mean_top_logprob_distance", "fingerprint": "fingerprint_distance",
}
"""Statistics of the profile by the names that the benchmark's second look has for them."""
PASSES = {"chunked prefill": CHUNKED, "prefix reuse": PREFIX}


def build_profile() -> CalibrationProfile:
    """Of every honest answer in bfloat16 that was collected. Raises ValueError when there are none."""
    answers: list[Answer] = []
    variations: list[Variation] = []
    for way in ways():
        if not way.honest or not way.name.startswith(BF16):
            continue
        noise, records = read_noise(way.name), list(Shelf(way.name).read())
        answers += [Answer(record.line.place, measure(record, LIMIT), noise.get(number, {}).get(LIMIT, {}))
                    for number, record in enumerate(records)]
        if records:
            variations.append(Variation(way.name, "generate", way.batch, way.threads, dict(way.environment),
                                        len(records), BF16, PASSES.get(way.name.removeprefix(f"{BF16} "), WHOLE),
                                        "gumbel" if way.only == "sampled" else "greedy, gumbel"))
    if not any(one.noise for one in answers):
        raise ValueError("No honest answers in bfloat16 were looked at twice yet: run the collection and the noise.")
    manifest, found = find_model(MODEL), [one.measured.statistics for one in answers]
    floor = float(find_profile(manifest).statistics["max_margin"].numeric_floor)
    ranges = summarise(found, floor)
    for check, name in SECOND_LOOKS.items():
        ranges[name] = _screened(ranges[name], check, answers)
    return CalibrationProfile(
        format=PROFILE_FORMAT, model=manifest.name, tensors_sha256=manifest.tensors.sha256, backend="torch",
        dtype=BF16, device="cpu", samplers=("greedy", "gumbel"), required=PROOFS, safety_factor=str(SAFETY_FACTOR),
        edit_margin=edit_margin(found, floor), sequences=len(found), comparisons=len(found),
        tokens=sum(one.tokens for one in found), corpus_sha256=_corpus(),
        statistics=ranges, variations=tuple(variations),
        versions={"malla_engine": "2", "torch": version("torch"), "python": platform.python_version(),
                  "machine": platform.machine()},
    )


def _corpus() -> str:
    return hashlib.sha256(Path(prompts.__file__).read_bytes()).hexdigest()


def _screened(honest: HonestRange, check: str, answers: Sequence[Answer]) -> HonestRange:
    """With the screen of 0.95 and the largest honest ratio beyond it. One that was not looked at twice is left out."""
    values = sorted(PLAIN[check](one.measured) for one in answers)
    screen = values[int(SCREEN * len(values))]
    ratios = [ratio_of(check, one) for one in answers if PLAIN[check](one.measured) > screen]
    return replace(honest, screen=f"{screen:.8f}", ratio=f"{max(ratios):.6f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    output, profile = parser.parse_args().output, build_profile()
    output.write_text(json.dumps(document_to_json(profile), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{profile.sequences} sequences, {profile.tokens} tokens")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
