"""A calibration profile out of the benchmark's honest answers:
`python -m benchmarks.verification.profile --dtype bf16 --output FILE`.

What `malla oracle calibrate` measures, over more sequences and without running any: what the collection and the second
look left on their shelves is all that it needs. In float32 it widens the shipped profile: a maximum is that of both,
and what the shipped one had not measured is added.
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
from protocol.engine.benign import BF16, CHUNKED, DTYPES, F32, PREFIX, WHOLE
from protocol.engine.calibrate import edit_margin, summarise
from protocol.engine.catalogue import find_model, find_profile
from protocol.engine.corpus import load_corpus
from protocol.profile import PROFILE_FORMAT, PROOFS, SAFETY_FACTOR, CalibrationProfile, HonestRange, Variation

SECOND_LOOKS = {
    "max_margin": "max_margin", "mean_margin": "mean_margin", "logprob": "mean_logprob_distance",
    "top-5 logprob": "mean_top_logprob_distance", "fingerprint": "fingerprint_distance",
}
"""Statistics of the profile by the names that the benchmark's second look has for them."""
PASSES = {"chunked prefill": CHUNKED, "prefix reuse": PREFIX}


def build_profile(dtype: str = BF16) -> CalibrationProfile:
    """Of every honest answer of a dtype that was collected. Raises ValueError when there are none."""
    answers: list[Answer] = []
    variations: list[Variation] = []
    for way in ways():
        if not way.honest or not way.name.startswith(dtype):
            continue
        noise, records = read_noise(way.name), list(Shelf(way.name).read())
        answers += [Answer(record.line.place, measure(record, LIMIT), noise.get(number, {}).get(LIMIT, {}))
                    for number, record in enumerate(records)]
        if records:
            variations.append(Variation(way.name, "generate", way.batch, way.threads, dict(way.environment),
                                        len(records), dtype, PASSES.get(way.name.removeprefix(f"{dtype} "), WHOLE),
                                        "gumbel" if way.only == "sampled" else "greedy, gumbel"))
    if not answers or (dtype == BF16 and not any(one.noise for one in answers)):
        raise ValueError(f"No honest {dtype} answers were looked at twice yet: run the collection and the noise.")
    manifest, found = find_model(MODEL), [one.measured.statistics for one in answers]
    shipped = find_profile(manifest)
    floor = float(shipped.statistics["max_margin"].numeric_floor)
    ranges = summarise(found, floor)
    if dtype == F32:
        ranges = {name: _wider(one, shipped.statistics.get(name)) for name, one in ranges.items()}
        variations += [one for one in shipped.variations if one not in variations]
    else:
        for check, name in SECOND_LOOKS.items():
            ranges[name] = _screened(ranges[name], check, answers)
    return CalibrationProfile(
        format=PROFILE_FORMAT, model=manifest.name, tensors_sha256=manifest.tensors.sha256, backend="torch",
        dtype=dtype, device="cpu", samplers=("greedy", "gumbel"), required=PROOFS, safety_factor=str(SAFETY_FACTOR),
        edit_margin=edit_margin(found, floor), sequences=len(found), comparisons=len(found),
        tokens=sum(one.tokens for one in found), corpus_sha256=load_corpus().sha256 if dtype == F32 else _corpus(),
        statistics=ranges, variations=tuple(variations),
        versions={"malla_engine": "2", "torch": version("torch"), "python": platform.python_version(),
                  "machine": platform.machine()},
    )


def _corpus() -> str:
    return hashlib.sha256(Path(prompts.__file__).read_bytes()).hexdigest()


def _wider(one: HonestRange, other: HonestRange | None) -> HonestRange:
    """The larger of both, number by number."""
    if other is None:
        return one
    quantiles = {q: max(value, other.quantiles.get(q, "0"), key=float) for q, value in one.quantiles.items()}
    return replace(one, maximum=max(one.maximum, other.maximum, key=float), quantiles=quantiles)


def _screened(honest: HonestRange, check: str, answers: Sequence[Answer]) -> HonestRange:
    """With the screen of 0.95 and the largest honest ratio beyond it. One that was not looked at twice is left out."""
    values = sorted(PLAIN[check](one.measured) for one in answers)
    screen = values[int(SCREEN * len(values))]
    ratios = [ratio_of(check, one) for one in answers if PLAIN[check](one.measured) > screen]
    return replace(honest, screen=f"{screen:.8f}", ratio=f"{max(ratios):.6f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--dtype", choices=DTYPES, default=BF16)
    profile = build_profile(parser.parse_args().dtype)
    text = json.dumps(document_to_json(profile), indent=2, sort_keys=True) + "\n"
    parser.parse_args().output.write_text(text, encoding="utf-8")
    print(f"{profile.sequences} sequences, {profile.tokens} tokens")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
