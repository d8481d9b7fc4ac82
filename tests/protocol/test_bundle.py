"""The numbers of an audit as a document: exact there and back, and read alike by the script that shares no code."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy
import pytest

from protocol.bundle import (
    claim_from,
    consent_digest,
    ids_of,
    numbers_digest,
    numbers_from_json,
    numbers_of,
    numbers_to_json,
    statistics_from_json,
    statistics_of,
    statistics_to_json,
)
from protocol.claim import Asked, Claim, OpenedRows, pack_top
from protocol.comparison import Replay, compute_statistics
from protocol.encoding import canonical_json, pack_float32, unpack_float32
from protocol.errors import Malformed
from protocol.proofs.fingerprint import (
    drawn_group,
    fingerprint_root,
    open_group,
    pack_rows,
    positions,
    project,
    read_opening,
    seed_of,
)
from protocol.types import AuditStatistics, JobSpec, Sampler, Transcript
from protocol.units import Address, Digest
from tests import verify_bundle

TOKENS, SEED = 37, seed_of(b"j" * 32, 0, 5)
DRAW = numpy.random.default_rng(11)
STATES = DRAW.standard_normal((TOKENS, 64)).astype(numpy.float32)


def rounded(values: list[float]) -> tuple[float, ...]:
    return tuple(unpack_float32(pack_float32(values)))


def case() -> tuple[Claim, Replay]:
    rows = pack_rows(project(STATES, SEED))
    group = drawn_group(SEED, 3, TOKENS)
    places = tuple(positions(TOKENS, group))
    opened = OpenedRows(*read_opening(open_group(rows, group), fingerprint_root(rows), TOKENS, group), places)
    top = [tuple((5 * place + rank, float(-rank - abs(DRAW.standard_normal()))) for rank in range(5))
           for place in range(TOKENS)]
    claim = Claim(tuple(range(TOKENS)), rounded((-abs(DRAW.standard_normal(TOKENS))).tolist()), "stop",
                  pack_top([tuple(sorted(row, key=lambda one: -one[1])) for row in top]), opened)
    own = tuple(tuple((-numpy.arange(5.0) - abs(DRAW.standard_normal(5))).tolist()) for _ in range(TOKENS))
    noisy = project(STATES + 0.01 * DRAW.standard_normal(STATES.shape).astype(numpy.float32), SEED)
    margins = abs(DRAW.standard_normal(TOKENS)) * (DRAW.random(TOKENS) < 0.2)
    replay = Replay(tuple(margins.tolist()), rounded((-abs(DRAW.standard_normal(TOKENS))).tolist()), own, own[::-1],
                    noisy[list(places)])
    return claim, replay


NOISE = (AuditStatistics(0.1, 0.0, 0.02, 37, 0.001, 0.03, 0.01), AuditStatistics(0.2, 0.1, None, 37))


def document() -> dict[str, Any]:
    return json.loads(canonical_json(numbers_to_json(numbers_of(*case(), NOISE))))


def test_numbers__there_and_back__are_exact_and_have_one_digest() -> None:
    claim, replay = case()
    written = numbers_to_json(numbers_of(claim, replay, NOISE))
    read = numbers_from_json(json.loads(canonical_json(written)))
    assert numbers_to_json(read) == written and numbers_digest(written) == numbers_digest(numbers_to_json(read))
    assert statistics_of(read) == compute_statistics(claim, replay)
    assert read.self_noise == NOISE


def test_numbers__read_by_the_independent_script__have_the_same_distances() -> None:
    """R82."""
    for _ in range(5):
        claim, replay = case()
        ours = compute_statistics(claim, replay)
        theirs = verify_bundle.statistics(numbers_to_json(numbers_of(claim, replay)))
        assert set(theirs) == set(vars(ours)) - {"tokens"}
        for name, value in theirs.items():
            assert getattr(ours, name) == pytest.approx(value, abs=1e-12), name
    assert ours.fingerprint_distance is not None and ours.fingerprint_distance > 0


def test_numbers__of_a_bare_transcript__have_no_proofs() -> None:
    """Works from token ids alone: a backend without logprobs or hidden states."""
    bare = Claim((1, 2), None, "length")
    read = numbers_from_json(numbers_to_json(numbers_of(bare, Replay((0.0, 0.5), (-1.0, -2.0)))))
    found = statistics_of(read)
    assert (found.mean_logprob_distance, found.mean_top_logprob_distance, found.fingerprint_distance) == (None,) * 3
    assert (found.max_margin, found.mean_margin) == (0.5, 0.25)


WRONG: dict[str, Callable[[dict[str, Any]], object]] = {
    "another format": lambda d: d.update(format="malla-numbers/9"),
    "an unknown finish": lambda d: d.update(finish="tired"),
    "a field more": lambda d: d.update(more=1),
    "a field less": lambda d: d["own"].pop("rows"),
    "no margins": lambda d: d["own"].update(margins=[]),
    "a negative margin": lambda d: d["own"]["margins"].__setitem__(0, "-0.5"),
    "a margin that is a float": lambda d: d["own"]["margins"].__setitem__(0, 0.5),
    "NaN": lambda d: d["own"]["margins"].__setitem__(0, "nan"),
    "infinity": lambda d: d["claimed"]["logprobs"].__setitem__(0, "inf"),
    "a number in another form": lambda d: d["own"]["margins"].__setitem__(0, "0.50"),
    "a logprob less": lambda d: d["own"]["logprobs"].pop(),
    "null among logprobs": lambda d: d["claimed"]["logprobs"].__setitem__(0, None),
    "top logprobs of one side": lambda d: d["own"].update(top=[]),
    "four top logprobs": lambda d: d["claimed"]["top"][3].pop(),
    "a top logprob that no float32 holds": lambda d: d["claimed"]["top"][0].__setitem__(0, "-1e+300"),
    "rows of one side": lambda d: d["own"].update(rows=None),
    "a row less": lambda d: d["own"]["rows"].pop(),
    "rows of two lengths": lambda d: d["claimed"]["rows"][0].pop(),
    "no row": lambda d: d["own"].update(rows=[]),
    "self-noise that is none": lambda d: d["self_noise"].append({}),
    "too much self-noise": lambda d: d.update(self_noise=d["self_noise"] * 5),
    "self-noise of no tokens": lambda d: d["self_noise"][0].update(tokens=0),
}


@pytest.mark.parametrize("name", WRONG)
def test_numbers__that_no_audit_writes__are_refused(name: str) -> None:
    found = document()
    WRONG[name](found)
    with pytest.raises(Malformed):
        statistics_of(numbers_from_json(found))


@pytest.mark.parametrize("value", [None, [], "text", 5])
def test_numbers__that_are_no_object__are_refused(value: object) -> None:
    with pytest.raises(Malformed):
        numbers_from_json(value)


def test_statistics__with_and_without_proofs__are_written_exactly() -> None:
    for one in NOISE:
        assert statistics_from_json(statistics_to_json(one), "statistics") == one
    assert statistics_to_json(NOISE[1])["mean_logprob_distance"] is None
    assert statistics_to_json(AuditStatistics(math.pi, 0, 0.1, 3))["max_margin"] == repr(math.pi)


def transcript(claim: Claim) -> Transcript:
    address = Address("0x" + "00" * 20)
    spec = JobSpec(1, address, address, address, Digest(bytes(32)), Digest(bytes(32)), Sampler("greedy", 0), 3, 64,
                   Digest(bytes(32)), Digest(bytes(32)), bytes(32), 5)
    return Transcript(spec, b"", claim.output_token_ids, pack_float32(list(claim.chosen_logprobs or ())), bytes(32))


def test_ids__with_the_numbers__are_the_claim_again() -> None:
    claim, replay = case()
    ids = ids_of(Asked((9, 8, 7), 64, fingerprint_seed=SEED), claim, transcript(claim))
    asked, again = claim_from(numbers_of(claim, replay), json.loads(canonical_json(ids)))
    assert (asked.prompt_token_ids, asked.max_output_tokens, asked.fingerprint_seed) == ((9, 8, 7), 64, SEED)
    assert (again.output_token_ids, again.top_logprobs) == (claim.output_token_ids, claim.top_logprobs)
    assert compute_statistics(again, replay) == compute_statistics(claim, replay)


@pytest.mark.parametrize("change", [{"top": []}, {"output": None}, {"fingerprint_seed": "0x00"}, {"positions": 3}])
def test_ids__that_do_not_fit_the_numbers__are_refused(change: dict[str, Any]) -> None:
    claim, replay = case()
    ids = {**ids_of(Asked((9,), 64, fingerprint_seed=SEED), claim, transcript(claim)), **change}
    with pytest.raises(Malformed):
        claim_from(numbers_of(claim, replay), ids)


def test_consent__of_one_job__is_no_other_s() -> None:
    escrow = "0xCf7Ed3AccA5a467e9e704C703E8D87F634fB0Fc9"
    digests = {consent_digest(chain, address, job) for chain in (1, 2) for address in (escrow, "0x" + "11" * 20)
               for job in (b"a" * 32, b"b" * 32)}
    assert len(digests) == 8
