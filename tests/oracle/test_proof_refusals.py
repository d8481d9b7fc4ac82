"""Proofs that are null, no numbers, too long, out of order, or of another job, provider or epoch: each is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy
import pytest

from oracle.edges.fake_model import FakeReplayer, fake_profile
from oracle.flow.measuring import Case, Judged, Unreadable, measure
from oracle.records.scores import Measured
from oracle.records.work import OpeningRow
from protocol.claim import Asked, Claim, pack_top
from protocol.claim_faults import ClaimFault, ClaimRules, find_fault
from protocol.comparison import Replay, compute_statistics
from protocol.encoding import keccak, pack_float32
from protocol.errors import ProviderFault
from protocol.profile import CalibrationProfile, HonestRange
from protocol.proofs.fingerprint import (
    ROW_BYTES,
    drawn_group,
    fingerprint_root,
    groups,
    open_group,
    pack_rows,
    project,
    seed_of,
)
from protocol.transcript import check_logprobs
from protocol.types import NO_FINGERPRINT, Sampler, Transcript, VerdictKind
from protocol.units import Digest
from tests.oracle.world import MODEL, PROFILE, World

TOKENS = 40
SEED = keccak(b"this epoch's draw")
STATES = numpy.random.default_rng(5).standard_normal((TOKENS, 96)).astype(numpy.float32)
TOP = pack_top([tuple((10 * rank + place, -0.5 - rank) for rank in range(5)) for place in range(TOKENS)])
Change = Callable[[Transcript], Transcript]


class HiddenStates(FakeReplayer):
    """A model whose hidden states are `STATES`: its fingerprints are real, its margins are zero."""

    def profile(self, profile: bytes, model: bytes) -> CalibrationProfile:
        ranges = {**fake_profile().statistics, "fingerprint_distance": HonestRange("0.004", "0.001", {})}
        return replace(fake_profile(), statistics=ranges, required=("fingerprint_distance",))

    def measure(self, model: bytes, asked: Asked, claim: Claim) -> Measured | ClaimFault:
        fault = find_fault(claim, ClaimRules(TOKENS, 1000, (7,)))
        if fault is not None:
            return fault
        rows, top = None, tuple((-0.5, -1.5, -2.5, -3.5, -4.5) for _ in range(TOKENS))
        if claim.opened is not None and asked.fingerprint_seed is not None:
            rows = project(STATES[list(claim.opened.positions)], asked.fingerprint_seed)
        found = Replay((0.0,) * TOKENS, claim.chosen_logprobs or (), top, top, rows)
        return Measured(compute_statistics(claim, found), found)


def rows_of(job_id: bytes, call: int = 0, nonce: int = 1) -> bytes:
    return pack_rows(project(STATES, seed_of(job_id, call, nonce)))


def examined(world: World, change: Change = lambda transcript: transcript, fingerprints: bytes | None = None) -> Judged:
    """What an audit says of an answer of forty tokens with honest proofs, once `change` was made to it."""
    work = world.ready()
    rows = fingerprints or rows_of(work.job_id)
    group = drawn_group(SEED, 0, TOKENS)
    honest = replace(
        work.transcript, output_token_ids=tuple(range(100, 100 + TOKENS)), logprobs=pack_float32([-0.25] * TOKENS),
        top_logprobs=TOP, fingerprint_root=fingerprint_root(rows), fingerprint_opening=open_group(rows, group))
    job = world.node.store.job(work.job_id)
    assert job is not None
    job = replace(job, job=replace(job.job, max_output_tokens=TOKENS))
    opening = OpeningRow(1, 0, world.node.address, b"", "provider", 0.0)
    case = Case(world.node.store.entries(1)[0], job, world.offer.offer, opening, SEED)
    return measure(case, change(honest), "length", (0, 1, 2), HiddenStates(MODEL, PROFILE))


def test_proofs__honest__pass_with_a_distance_of_rounding(world: World) -> None:
    found = examined(world)
    assert found.verdict.kind is VerdictKind.PASS and found.verdict.statistics is not None
    assert found.verdict.statistics.fingerprint_distance == 0.0


def test_fingerprint__null_although_its_class_has_them__is_fraud(world: World) -> None:
    found = examined(world, lambda t: replace(t, fingerprint_root=NO_FINGERPRINT, fingerprint_opening=b""))
    assert found.verdict.kind is VerdictKind.FRAUD
    assert found.verdict.checks == ("missing_proof", "fingerprint_distance")


def part(transcript: Transcript, change: Callable[[bytearray], object]) -> Transcript:
    opening = bytearray(transcript.fingerprint_opening)
    change(opening)
    return replace(transcript, fingerprint_opening=bytes(opening))


def swap_rows(opening: bytearray) -> None:
    one, two = opening[1 : 1 + ROW_BYTES], opening[1 + ROW_BYTES : 1 + 2 * ROW_BYTES]
    opening[1 : 1 + 2 * ROW_BYTES] = two + one


OPENINGS: dict[str, tuple[Change, str]] = {
    "null": (lambda t: replace(t, fingerprint_opening=b""), "has 0 bytes instead of"),
    "one byte short": (lambda t: part(t, lambda o: o.pop()), "bytes instead of"),
    "oversized": (lambda t: part(t, lambda o: o.extend(bytes(100_000))), "bytes instead of"),
    "of another version": (lambda t: part(t, lambda o: o.__setitem__(0, 2)), "version is 2"),
    "rows out of order": (lambda t: part(t, swap_rows), "not the ones that were committed"),
    "a number altered": (lambda t: part(t, lambda o: o.__setitem__(5, o[5] ^ 1)), "not the ones that were committed"),
    "a path altered": (lambda t: part(t, lambda o: o.__setitem__(-1, o[-1] ^ 1)), "not the ones that were committed"),
}


@pytest.mark.parametrize("name", OPENINGS)
def test_fingerprint_opening__not_of_the_committed_root__is_unreadable_and_asked_for_again(name: str,
                                                                                         world: World) -> None:
    """R81: whoever sealed it, the root does not know it; in the end it was not opened."""
    change, reason = OPENINGS[name]
    with pytest.raises(Unreadable, match=reason):
        examined(world, change)


def test_fingerprint_opening__of_another_job__is_not_the_committed_one(world: World) -> None:
    other = open_group(rows_of(keccak(b"another job")), drawn_group(SEED, 0, TOKENS))
    with pytest.raises(Unreadable, match="not the ones that were committed"):
        examined(world, lambda t: replace(t, fingerprint_opening=other))


def test_fingerprint_opening__of_another_epochs_draw__is_not_the_group_that_was_drawn(world: World) -> None:
    drawn = drawn_group(SEED, 0, TOKENS)
    rows = rows_of(world.open_job(9).job_id)
    others = [open_group(rows, group) for group in range(groups(TOKENS)) if group != drawn]
    assert len(others) == 2
    for opening in others:
        with pytest.raises(Unreadable, match=r"bytes instead of|not the ones that were committed"):
            examined(World(), lambda t, opening=opening: replace(t, fingerprint_opening=opening), rows)


@pytest.mark.parametrize(("job_id", "call", "nonce"), [
    (b"another job, of this or another provider", 0, 1), (None, 1, 1), (None, 0, 2),
])  # fmt: skip
def test_fingerprint__committed_under_another_jobs_directions__leaves_the_profile(
    job_id: bytes | None, call: int, nonce: int, world: World) -> None:
    """R81: copied rows open well, and are those of other directions: some 4.6 units away a token."""
    own = World().ready().job_id
    found = examined(world, fingerprints=rows_of(keccak(job_id) if job_id else own, call, nonce))
    assert found.verdict.kind is VerdictKind.UNKNOWN and found.log_e is not None and found.log_e > 0
    assert found.verdict.checks == ("beyond_profile", "fingerprint_distance")
    assert found.verdict.statistics is not None and found.verdict.statistics.fingerprint_distance > 0.04  # type: ignore[operator]


def test_fingerprint__of_a_draw_that_this_oracle_has_not__is_its_own_failure(world: World) -> None:
    """R34."""
    work = world.ready()
    job = world.node.store.job(work.job_id)
    assert job is not None
    transcript = replace(work.transcript, fingerprint_root=Digest(keccak(b"root")))
    opening = OpeningRow(1, 0, world.node.address, b"", "provider", 0.0)
    case = Case(world.node.store.entries(1)[0], job, world.offer.offer, opening, None)
    with pytest.raises(ValueError, match="names no groups"):
        measure(case, transcript, "stop", (0, 1, 2), HiddenStates(MODEL, PROFILE))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_fingerprint_states__that_are_no_numbers__cannot_even_be_committed(value: float) -> None:
    """Every 17 bytes are a row: there is neither NaN nor infinity to send. The provider's own run fails."""
    states = STATES.copy()
    states[3, 4] = value
    with pytest.raises(ValueError, match="not finite"):
        project(states, keccak(b"seed"))


LOGPROBS: dict[str, tuple[bytes, str]] = {
    "null": (b"", "0 bytes of logprobs for 40 tokens"),
    "too few": (pack_float32([-0.5] * 39), "156 bytes of logprobs for 40 tokens"),
    "oversized": (pack_float32([-0.5] * 4000), "16000 bytes of logprobs for 40 tokens"),
    "NaN": (pack_float32([-0.5] * 39 + [math.nan]), "not finite or above 0"),
    "infinite": (pack_float32([-math.inf] + [-0.5] * 39), "not finite or above 0"),
    "positive": (pack_float32([0.5] * 40), "not finite or above 0"),
}


@pytest.mark.parametrize("name", LOGPROBS)
def test_logprobs__that_are_none__are_the_providers_fault(name: str) -> None:
    data, reason = LOGPROBS[name]
    with pytest.raises(ProviderFault, match=reason):
        check_logprobs(data, TOKENS)


def top(change: Callable[[list[tuple[int, float]]], object]) -> bytes:
    """Top logprobs with a change to those of token 3."""
    rows = [[(10 * rank + place, -0.5 - rank) for rank in range(5)] for place in range(TOKENS)]
    change(rows[3])
    return pack_top([tuple(row) for row in rows])


TOPS: dict[str, tuple[bytes, str]] = {
    "one byte short": (TOP[:-1], "1599 bytes of top logprobs instead of 1600"),
    "oversized": (TOP * 50, "80000 bytes of top logprobs instead of 1600"),
    "of other tokens": (TOP[:-40], "1560 bytes of top logprobs instead of 1600"),
    "NaN": (top(lambda row: row.__setitem__(0, (3, math.nan))), "output token 3 are not five known tokens"),
    "infinite": (top(lambda row: row.__setitem__(4, (43, -math.inf))), "output token 3 are not five known tokens"),
    "positive": (top(lambda row: row.__setitem__(0, (3, 0.5))), "output token 3 are not five known tokens"),
    "out of order": (top(lambda row: row.reverse()), "output token 3 are not five known tokens"),
    "a token twice": (top(lambda row: row.__setitem__(1, (3, -1.5))), "output token 3 are not five known tokens"),
    "of no token": (top(lambda row: row.__setitem__(1, (1000, -1.5))), "output token 3 are not five known tokens"),
}


@pytest.mark.parametrize("name", TOPS)
def test_top_logprobs__that_are_none__are_fraud_with_the_reason(name: str, world: World) -> None:
    data, reason = TOPS[name]
    found = examined(world, lambda t: replace(t, top_logprobs=data))
    assert found.verdict.kind is VerdictKind.FRAUD and found.verdict.checks == ("TOP_LOGPROBS_INVALID",)
    assert reason in found.verdict.reason


def test_sampler__of_a_kind_without_calibration__says_that_no_profile_covers_it(world: World) -> None:
    """R76: an audit outside any profile says so."""
    found = examined(world, lambda t: replace(t, spec=replace(t.spec, sampler=Sampler("beam", 0))))
    assert found.verdict.kind is VerdictKind.UNKNOWN and found.verdict.checks == ("outside_profile",)
