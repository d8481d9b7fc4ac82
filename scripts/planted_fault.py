"""A planted fault with the real model: `python -m scripts.planted_fault [--spoil]`.

A provider of the canary's owner answers the canary with weights rounded to four bits (`--spoil`), or as it should. Two
honest oracles and a lazy one (`scripts.lazy_oracle`) say what they measured of the answer. Whoever is farther from an
honest oracle's numbers than one threshold of the profile is counted as off-spread, as in `oracle/flow/auditors.py`.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from oracle.edges.replay import TorchReplayer
from oracle.flow.auditors import is_off_spread
from protocol.bundle import statistics_to_json
from protocol.claim import Asked, Claim
from protocol.claim_faults import ClaimFault
from protocol.documents import document_digest
from protocol.encoding import unpack_float32
from protocol.engine.catalogue import find_model, list_profiles
from protocol.engine.corpus import load_corpus
from protocol.engine.model import load_model, use_threads
from protocol.engine.prompt import load_prompt_encoder
from protocol.engine.requantise import requantise
from protocol.engine.weights import default_cache_folder
from protocol.thresholds import beyond, thresholds
from protocol.types import Sampler
from provider.edges.backends import TorchBackend
from scripts.cheating_worker import BITS, GROUP
from scripts.lazy_oracle import LazyReplayer

MODEL = "SmolLM2-135M-Instruct"


def answer(spoil: bool, number: int, tokens: int) -> tuple[Asked, Claim]:
    """What the canary's provider delivers, as its owner gets it: tokens and logprobs, no opened fingerprint."""
    manifest, cache = find_model(MODEL), default_cache_folder({})
    model = load_model(manifest, cache)
    backend = TorchBackend(requantise(model, BITS, GROUP) if spoil else model, load_prompt_encoder(manifest, cache))
    messages, sampler = load_corpus().prompts[number].messages, Sampler("greedy", 0)
    try:
        done = backend.run(messages, tokens, lambda count: None, lambda: False, sampler, bytes(32))
    finally:
        backend.close()
    prompt = load_prompt_encoder(manifest, cache).encode(messages)
    claim = Claim(done.output_token_ids, tuple(unpack_float32(done.logprobs)), done.finish, done.top_logprobs)
    return Asked(prompt, tokens, sampler), claim


def run(spoil: bool, number: int = 3, tokens: int = 24) -> dict[str, Any]:
    """What each oracle says, and whom the first honest one counts."""
    use_threads(1)
    manifest = find_model(MODEL)
    profile = next(one for one in list_profiles() if one.model == MODEL and one.dtype == "f32")
    asked, claim = answer(spoil, number, tokens)
    model, said = document_digest(manifest), {}
    for name, replayer in {"owner": TorchReplayer(), "honest": TorchReplayer(), "lazy": LazyReplayer()}.items():
        found = replayer.measure(model, asked, claim)
        if isinstance(found, ClaimFault):
            raise SystemExit(f"The answer has no form: {found.reason}")
        said[name] = {"statistics": statistics_to_json(found.statistics), "thresholds": thresholds(profile),
                      "beyond": list(beyond(profile, found.statistics))}
    off = {name: is_off_spread(said["owner"], other) for name, other in said.items() if name != "owner"}
    return {"spoiled": spoil, "tokens": len(claim.output_token_ids), "oracles": said, "off_spread": off}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spoil", action="store_true", help="Answer with weights of four bits.")
    found = run(parser.parse_args().spoil)
    print(json.dumps(found, indent=1))
    caught = found["off_spread"]
    return 0 if caught == {"honest": False, "lazy": found["spoiled"]} else 1


if __name__ == "__main__":
    raise SystemExit(main())
