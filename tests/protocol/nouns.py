"""One strategy a noun, and one job whose documents fit together."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from hypothesis import strategies as st

from protocol.encoding import keccak, pack_float32
from protocol.messages import Domain, job_id, offer_digest
from protocol.sealing import public_key
from protocol.signing import Signer
from protocol.transcript import answer_of, leaf, prompt_bytes, sealed_answer, spec_digest
from protocol.types import (
    Answer,
    AuditRecord,
    AuditStatistics,
    BatchHead,
    Commitment,
    Decision,
    Entry,
    Job,
    JobSpec,
    Offer,
    Outcome,
    Prompt,
    Report,
    Sampler,
    Session,
    SignedOffer,
    SignedReport,
    Transcript,
    Verdict,
    VerdictKind,
    Voucher,
)
from protocol.units import UINT96_MAX, Wei

CHAIN_ID = 31337
ESCROW = Signer(keccak(b"escrow")).address
DOMAIN = Domain(CHAIN_ID, ESCROW)


def whole(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, 2**bits - 1)


digests = st.binary(min_size=32, max_size=32)
addresses = st.sampled_from([Signer(keccak(bytes([n]))).address for n in range(6)])
wei = st.integers(0, UINT96_MAX).map(Wei)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
numbers = st.floats(allow_nan=False, allow_infinity=False)

offers = st.builds(
    Offer, addresses, digests, digests, wei, wei, whole(32), whole(32), whole(32), wei, whole(64), whole(40)
)
specs = st.builds(
    JobSpec, whole(64), addresses, addresses, addresses, digests, digests, st.builds(Sampler, texts, whole(64)),
    whole(32), whole(32), digests, digests, st.just(public_key(b"\3" * 32)), whole(64),
)
jobs = st.builds(Job, addresses, addresses, digests, digests, whole(32), whole(32), wei, whole(64))
entries = st.builds(Entry, digests, addresses, wei, wei, digests, digests)
reports = st.builds(
    Report, digests, digests, digests, digests, whole(32), whole(32), wei, digests, whole(40)
)
records = st.builds(AuditRecord, whole(64), whole(16), digests, st.sampled_from(list(VerdictKind)), digests)
decisions = st.builds(Decision, whole(64), digests, st.sampled_from(list(Outcome)), wei, whole(32))
heads = st.builds(BatchHead, addresses, whole(40), whole(40), whole(16), whole(16), digests)
sessions = st.builds(Session, addresses, addresses, digests, addresses, wei, whole(40), whole(64))
vouchers = st.builds(Voucher, sessions, wei, whole(64), whole(32), digests, digests, st.binary(max_size=65))
statistics = st.builds(AuditStatistics, numbers, numbers, numbers, whole(32))
token_ids = st.lists(whole(32), max_size=4).map(tuple)
transcripts = st.builds(
    Transcript, specs, st.binary(max_size=20), token_ids, st.binary(max_size=16), digests,
)
NOUNS = {
    Offer: offers,
    SignedOffer: st.builds(SignedOffer, offers, st.binary(max_size=65)),
    JobSpec: specs,
    Job: jobs,
    Entry: entries,
    Commitment: st.builds(Commitment, jobs, wei, digests, digests),
    Prompt: st.builds(Prompt, st.lists(st.tuples(texts, texts), max_size=3).map(tuple), digests),
    Transcript: transcripts,
    Answer: st.builds(Answer, digests, texts, token_ids, whole(32), texts, digests, st.binary(max_size=16),
                      st.binary(max_size=16), digests, st.binary(max_size=16)),
    Report: reports,
    SignedReport: st.builds(
        SignedReport, reports, st.binary(max_size=65), st.dictionaries(texts, texts | whole(32) | st.none(), max_size=3)
    ),
    AuditRecord: records,
    Decision: decisions,
    BatchHead: heads,
    Session: sessions,
    Voucher: vouchers,
    AuditStatistics: statistics,
    Verdict: st.builds(
        Verdict, st.sampled_from(list(VerdictKind)), texts, st.lists(texts, max_size=2).map(tuple),
        st.none() | statistics,
    ),
}
"""Every noun that crosses a boundary."""


@dataclass(frozen=True)
class OneJob:
    """A job's documents, all of which fit together."""

    offer: Offer
    job: Job
    transcript: Transcript
    answer: Answer
    entry: Entry


def one_job() -> OneJob:
    """Three output tokens that ended by a stop token, of at most eight; seven input tokens of at most nine."""
    requester, provider = Signer(keccak(b"requester")).address, Signer(keccak(b"provider")).address
    offer = Offer(
        provider, keccak(b"model"), keccak(b"profile"), Wei(3), Wei(5), 100, 100, 60, Wei(10**20), 1, 2**39
    )
    prompt = prompt_bytes(Prompt((("user", "hello"),), keccak(b"salt of the prompt")))
    spec = JobSpec(
        CHAIN_ID, ESCROW, requester, provider, offer.model, offer.profile, Sampler("greedy", 0), 9, 8,
        keccak(prompt), keccak(b"blob"), public_key(b"\2" * 32), 1,
    )
    job = Job(requester, provider, offer_digest(DOMAIN, offer), spec_digest(spec), 9, 8, Wei(9 * 3 + 8 * 5), 1)
    transcript = Transcript(spec, prompt, (11, 12, 2), pack_float32([-0.5, -0.25, 0.0]), keccak(b"salt"))
    answer = answer_of(transcript, job_id(CHAIN_ID, ESCROW, job), 7, "hi", "stop")
    return OneJob(offer, job, transcript, answer, entry_of(answer, spec, job, 7 * 3 + 3 * 5))


def entry_of(answer: Answer, spec: JobSpec, job: Job, amount: int) -> Entry:
    """What a provider commits that believes in its answer."""
    delivered = keccak(sealed_answer(answer, spec))
    return Entry(answer.job_id, job.requester, job.price, Wei(amount), leaf(answer, spec), delivered)


def changed(noun: object, field: str) -> object:
    """The noun with one field, or one field of a noun inside it, that differs a little."""
    value = getattr(noun, field)
    if dataclasses.is_dataclass(value):
        inner = dataclasses.fields(value)[0].name
        return dataclasses.replace(noun, **{field: changed(value, inner)})  # type: ignore[type-var]
    return dataclasses.replace(noun, **{field: _other(value)})  # type: ignore[type-var]


def _other(value: object) -> object:
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1]) if value else b"\x01"
    if isinstance(value, str):
        is_address = value.startswith("0x") and len(value) == 42
        return Signer(keccak(value.encode())).address if is_address else value + "x"
    if isinstance(value, tuple):
        return (*value, 5)
    if isinstance(value, Outcome):
        return Outcome((value + 1) % len(Outcome))
    if isinstance(value, VerdictKind):
        return VerdictKind(value % len(VerdictKind) + 1)
    assert isinstance(value, int)
    return value + 1
