"""A calibration profile of the bfloat16 class out of the benchmark's honest answers:
`python -m benchmarks.verification.profile --output FILE`.

The same as `malla oracle calibrate --dtype bf16` measures, over ten times as many sequences and without running any: what
`benchmarks.verification.collect` left on its shelves is all that it needs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from benchmarks.verification import prompts
from benchmarks.verification.collect import LIMIT, MODEL
from benchmarks.verification.measure import measure
from benchmarks.verification.noise import SCREENS, read_noise
from benchmarks.verification.records import Shelf
from benchmarks.verification.ways import ways
from protocol.documents import document_to_json
from protocol.engine.benign import BF16, CHUNKED, PREFIX, WHOLE
from protocol.engine.calibrate import edit_margin, summarise
from protocol.engine.catalogue import find_model, find_profile
from protocol.profile import PROFILE_FORMAT, PROOFS, SAFETY_FACTOR, CalibrationProfile, HonestRange, Variation
from protocol.types import AuditStatistics

PASSES = {"chunked prefill": CHUNKED, "prefix reuse": PREFIX}


def build_profile() -> CalibrationProfile:
    """Of every honest bfloat16 answer that was collected. Raises ValueError when there are none."""
    found: list[AuditStatistics] = []
    ratios: list[float] = []
    variations: list[Variation] = []
    for way in ways():
        if not way.honest or not way.name.startswith(BF16):
            continue
        noise, records = read_noise(way.name), list(Shelf(way.name).read())
        for number, record in enumerate(records):
            one = measure(record, LIMIT).statistics
            found.append(one)
            distance, own = one.fingerprint_distance or 0.0, noise.get(number, {}).get(LIMIT)
            if distance > SCREENS[LIMIT] and own:
                ratios.append(distance / own)
        if records:
            variations.append(Variation(way.name, "generate", way.batch, way.threads, dict(way.environment or {}),
                                        len(records), BF16, PASSES.get(way.name.removeprefix(f"{BF16} "), WHOLE),
                                        "gumbel" if way.only == "sampled" else "greedy, gumbel"))
    if not found or not ratios:
        raise ValueError("No honest bfloat16 answers were collected yet; run benchmarks.verification.collect and noise.")
    manifest = find_model(MODEL)
    floor = float(find_profile(manifest).statistics["max_margin"].numeric_floor)
    ranges = summarise(found, floor)
    ranges["fingerprint_distance"] = _screened(ranges["fingerprint_distance"], max(ratios))
    return CalibrationProfile(
        format=PROFILE_FORMAT, model=manifest.name, tensors_sha256=manifest.tensors.sha256, backend="torch", dtype=BF16,
        device="cpu", samplers=("greedy", "gumbel"), required=PROOFS, safety_factor=str(SAFETY_FACTOR),
        edit_margin=edit_margin(found, floor), sequences=len(found), comparisons=len(found),
        tokens=sum(one.tokens for one in found),
        corpus_sha256=hashlib.sha256(Path(prompts.__file__).read_bytes()).hexdigest(), statistics=ranges,
        variations=tuple(variations),
        versions={"malla_engine": "2", "torch": version("torch"), "python": platform.python_version(),
                  "machine": platform.machine()},
    )


def _screened(honest: HonestRange, ratio: float) -> HonestRange:
    return replace(honest, screen=str(SCREENS[LIMIT]), ratio=f"{ratio:.4f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    profile = build_profile()
    text = json.dumps(document_to_json(profile), indent=2, sort_keys=True) + "\n"
    parser.parse_args().output.write_text(text, encoding="utf-8")
    print(f"{profile.sequences} sequences, {profile.tokens} tokens")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
