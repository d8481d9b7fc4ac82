"""The numbers of one record: those of the protocol, by the protocol's own code, and those of other people's checks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy

from benchmarks.verification.records import Line, Record
from protocol.claim import TOP, TOP_BYTES, Claim, OpenedRows
from protocol.comparison import Replay, compute_statistics
from protocol.encoding import keccak
from protocol.proofs import fingerprint
from protocol.proofs.fingerprint import Rows
from protocol.types import AuditStatistics

DIFR_CLIP = 0.5
"""The clip that Token-DiFR's published plots use."""


@dataclass(frozen=True)
class Measured:
    """One sequence, cut at some number of tokens; `proof_bytes` is the size of the fingerprint's opening."""

    statistics: AuditStatistics
    proof_bytes: int
    token_difr: float
    activation_difr: float


def measure(record: Record, tokens: int) -> Measured:
    """What an audit finds in the first `tokens` tokens of an answer; shorter answers are taken whole."""
    line, count = record.line, min(tokens, len(record.line.tokens))
    finish = line.finish if count == len(line.tokens) else "length"
    opened, own, size = _opened(record, count)
    claim = Claim(line.tokens[:count], line.logprobs[:count], finish,
                  bytes.fromhex(line.top)[: count * TOP * TOP_BYTES], opened)
    replay = Replay(line.margins[:count], line.own_logprobs[:count], line.claimed_top[:count], line.own_top[:count],
                    own)
    difference = numpy.linalg.norm(record.claimed[:count] - record.own[:count], axis=1)
    return Measured(
        statistics=compute_statistics(claim, replay),
        proof_bytes=size,
        token_difr=sum(min(margin, DIFR_CLIP) for margin in line.margins[:count]) / count,
        activation_difr=float((difference / numpy.linalg.norm(record.own[:count], axis=1)).mean()),
    )


def _opened(record: Record, count: int) -> tuple[OpenedRows, Rows, int]:
    """The group that a draw opens, with everything that lies between: packing, root, path, reading."""
    seed = seed_for(record.line)
    rows = fingerprint.pack_rows(fingerprint.project(numpy.asarray(record.claimed[:count]), seed))
    group = fingerprint.drawn_group(keccak(seed), 0, count)
    opening, places = fingerprint.open_group(rows, group), drawn_positions(record, count)
    found, units = fingerprint.read_opening(opening, fingerprint.fingerprint_root(rows), count, group)
    own = fingerprint.project(numpy.asarray(record.own[list(places)]), seed)
    return OpenedRows(found, units, places), own, len(opening)


def drawn_positions(record: Record, count: int) -> tuple[int, ...]:
    """The tokens that a draw opens of the first `count`."""
    return tuple(fingerprint.positions(count, fingerprint.drawn_group(keccak(seed_for(record.line)), 0, count)))


def seed_for(line: Line) -> bytes:
    """What a job's id and nonce would be."""
    job = keccak(str((line.place, line.seed, line.temperature_milli)).encode())
    return fingerprint.seed_of(job, 0, line.place)
