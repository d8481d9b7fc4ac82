"""`malla verify --replay` on the real model: the numbers of a bundle computed again by whoever doubts them."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from protocol.bundle import BUNDLE, ids_of, numbers_digest, numbers_of, numbers_to_json, statistics_to_json
from protocol.claim import Asked, OpenedRows
from protocol.comparison import Replay, compute_statistics
from protocol.documents import document_digest, document_to_json
from protocol.encoding import canonical_json, json_digest, keccak, pack_float32, to_hex
from protocol.engine.catalogue import find_model, find_profile
from protocol.engine.generate import generate
from protocol.engine.model import load_model, use_threads
from protocol.engine.prompt import load_prompt_encoder
from protocol.engine.replay import replay
from protocol.engine.weights import default_cache_folder
from protocol.messages import Domain, audit_record_digest
from protocol.proofs.fingerprint import fingerprint_root, open_group, positions, read_opening, seed_of
from protocol.signing import Signer
from protocol.transcript import answer_of, leaf
from protocol.types import AuditRecord, JobSpec, Sampler, Transcript, VerdictKind
from protocol.units import Address, Digest
from protocol.verdict import judge
from protocol.wire import to_json
from scripts import malla

pytestmark = pytest.mark.model

LIMIT, NONCE, JOB = 12, 5, keccak(b"job")
ZERO = Digest(bytes(32))


def make_bundle(lie: float) -> dict[str, object]:
    """An honest answer, audited by an oracle that moves its own margins by so much before it signs."""
    use_threads(1)
    manifest, cache = find_model("SmolLM2-135M-Instruct"), default_cache_folder(os.environ)
    profile, model, oracle = find_profile(manifest), load_model(manifest, cache), Signer(keccak(b"oracle"))
    sampler, seed = Sampler("gumbel", 3, 700, 9_500), seed_of(JOB, 0, NONCE)
    prompt = load_prompt_encoder(manifest, cache).encode([("user", "Name three colours.")])
    asked = Asked(prompt, LIMIT, sampler, seed)
    run = generate(model, prompt, LIMIT, sampler=sampler, fingerprint_seed=seed)
    root, tokens = fingerprint_root(run.fingerprints), len(run.output_token_ids)
    opened = OpenedRows(*read_opening(open_group(run.fingerprints, 0), root, tokens, 0), tuple(positions(tokens, 0)))
    claim = replace(run.as_claim(), opened=opened)
    found = replay(model, asked, claim)
    found = replace(found, margins=tuple(margin + lie for margin in found.margins))
    statistics = compute_statistics(claim, found)
    quiet = compute_statistics(claim, Replay((0.0,) * tokens, *list(vars(found).values())[1:]))
    noise = (quiet, quiet) if lie else ()
    kind = judge(profile, sampler, statistics, noise).verdict.kind
    numbers = numbers_to_json(numbers_of(claim, found, noise))
    nobody = Address("0x" + "00" * 20)
    spec = JobSpec(1, nobody, nobody, nobody, document_digest(manifest), document_digest(profile), sampler, len(prompt),
                   LIMIT, ZERO, ZERO, bytes(32), NONCE)
    transcript = Transcript(spec, b"", run.output_token_ids, pack_float32(run.chosen_logprobs), bytes(32),
                            run.top_logprobs, root)
    committed = to_hex(leaf(answer_of(transcript, JOB, len(prompt), "", "length"), spec))
    evidence = {"verdict": kind.name, "reason": "As found.", "checks": [], "job_id": to_hex(JOB),
                "model": to_hex(document_digest(manifest)), "profile": to_hex(document_digest(profile)),
                "sampler": to_json(sampler), "statistics": statistics_to_json(statistics),
                "numbers": to_hex(numbers_digest(numbers))}
    record = AuditRecord(1, 0, Digest(bytes.fromhex(committed[2:])), kind, json_digest(evidence))
    signature = oracle.sign(audit_record_digest(Domain(1, nobody), record))
    judged = judge(profile, sampler, statistics, noise)
    leaves = [] if judged.log_e is None else [
        {"batch_id": 1, "index": 0, "payer": nobody, "log_e": repr(judged.log_e)}]
    return {
        "format": BUNDLE, "chain_id": 1, "escrow": nobody, "numbers": numbers, "profile": document_to_json(profile),
        "entry": {"batch_id": 1, "index": 0, "provider": "0x" + "11" * 20, "requester": nobody, "job_id": to_hex(JOB),
                  "leaf": committed},
        "records": [{"oracle": oracle.address, "record": to_json(record), "signature": to_hex(signature),
                     "evidence": evidence}],
        "draw": None, "score": {"leaves": leaves, "related": [], "others": []},
        "ids": ids_of(asked, claim, transcript),
    }


@pytest.mark.parametrize(("lie", "kind", "status", "differs"), [
    (0.0, VerdictKind.PASS, 0, 1e-4), (5.0, VerdictKind.UNKNOWN, 2, 5.1),
])
def test_verify__replayed__believes_the_model_and_not_the_oracle(lie: float, kind: VerdictKind, status: int,
                                                                differs: float, tmp_path: Path) -> None:
    """R82: an oracle that signs numbers of its own is found by anybody who has the model."""
    path, bundle = tmp_path / "bundle.json", make_bundle(lie)
    path.write_bytes(canonical_json(bundle))
    found = CliRunner().invoke(malla.app, ["verify", str(path), "--replay", "--json"])
    assert found.exit_code == status, found.output
    shown = json.loads(found.output)
    assert shown["verdict"] == kind.name and shown["replay"]["verdict"] == "PASS"
    assert shown["replay"]["largest_margin_difference"] <= differs
    assert CliRunner().invoke(malla.app, ["verify", str(path)]).exit_code == (1 if lie else 0)


def test_verify__replay_without_token_ids__says_that_consent_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    path.write_bytes(canonical_json({**make_bundle(0.0), "ids": None}))
    found = CliRunner().invoke(malla.app, ["verify", str(path), "--replay", "--json"])
    assert found.exit_code == 3 and "consent" in found.output
