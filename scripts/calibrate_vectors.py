"""Make the calibration profile of a vector model from real inputs, run in six benign ways (a minute or two a model).

    python scripts/calibrate_vectors.py all-MiniLM-L6-v2 Demand-M3-Monthly Churn-Telco

The profile is named by its digest; a call names it, and auditors judge by it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

if __package__ in (None, ""):  # run by its path: the clone is not on the path yet
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from protocol.documents import document_digest, document_to_json
from protocol.engine.calibrate_vectors import calibrate_vectors
from protocol.engine.vector_catalogue import VECTOR_PROFILES, find_vector_model
from protocol.vector_manifest import VectorManifest
from protocol.vector_profile import tolerance
from protocol.vectors import VectorInputs
from scripts.recipes.data import customers, demand_series, papers

INPUTS = 400
MOST_WORDS = 120
"""Of a sentence of the calibration: with its marks it stays below the model's 256 tokens."""


def main(*words: str) -> int:
    parser = argparse.ArgumentParser(prog="calibrate_vectors", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--folder", type=Path, default=VECTOR_PROFILES)
    options = parser.parse_args(words)
    for name in options.models:
        manifest = find_vector_model(name)
        profile = calibrate_vectors(manifest, honest_inputs(manifest, INPUTS),
                                    lambda sentence, part: print(f"{part:4.0%} {sentence}", flush=True))
        options.folder.mkdir(parents=True, exist_ok=True)
        path = options.folder / f"{manifest.name.lower()}.torch-f32-cpu.json"
        path.write_text(json.dumps(document_to_json(profile), indent=2, sort_keys=True) + "\n", encoding="utf-8")
        limits = ", ".join(f"{name} {float(tolerance(profile, name)):.3g}" for name in profile.statistics)
        print(f"{manifest.name}: {profile.comparisons} comparisons, tolerated: {limits}, "
              f"digest 0x{document_digest(profile).hex()}", flush=True)
    return 0


def honest_inputs(manifest: VectorManifest, count: int, skip: int = 0) -> VectorInputs:
    """`count` real inputs of the model's kind after the first `skip`: sentences, pasts of series, customers."""
    if manifest.reads_texts:
        sentences = [sentence for paper in papers("train") for sentence in paper.sentences
                     if 4 <= len(sentence.split()) <= MOST_WORDS]
        return VectorInputs(texts=tuple(sentences[skip : skip + count]))
    rows = ([series.past[-manifest.input_width :] for series in demand_series()]
            if manifest.architecture == "forecaster" else [customer.row for customer in customers()])
    return VectorInputs(rows=tuple(rows[skip : skip + count]))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
