"""Taking GPU challenges: the node sees the window, the worker computes, the node commits and opens (R89 to R94).

The worker holds the device; the node holds the key and the way to the oracles. They meet in the journal's row: each
moves it on only from a stage of its own, so that neither overtakes the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from protocol.challenge import (
    ChallengeTerms,
    Commitment,
    SignedCommitment,
    challenge_seed,
    commitment_digest,
    last_block,
    late_block,
    opening_block,
    opening_digest,
    opening_draw,
    window_of,
)
from protocol.challenge_opening import opened_by
from protocol.errors import MallaError, Reason, Refused, Unavailable
from protocol.units import Address, Digest
from provider.ports.challenges import ChallengeBroker, ChallengeClient, Challenges
from provider.ports.work import Chain, Clock, Keys, Log
from provider.records.challenges import ChallengeRow, ChallengeStage
from provider.records.work import Oracle

AGAIN_SECONDS = 120.0
"""After this long the worker is told again."""
SILENCE_SECONDS = 30.0
"""How long a silent oracle is left alone: the node has other work."""
DEVICE = 0
"""A worker has one device, and a node one worker."""


@dataclass(frozen=True)
class Challenging:
    """What the node takes challenges with."""

    owner: Address
    rows: Challenges
    chain: Chain
    client: ChallengeClient
    keys: Keys
    broker: ChallengeBroker
    clock: Clock
    log: Log
    terms: ChallengeTerms
    confirmations: int


def take_challenges(its: Challenging, oracles: Sequence[Oracle]) -> None:
    """One turn: begin the present window's challenge, or do what is the node's next step in it."""
    number = its.chain.head().number
    window = window_of(number - its.confirmations, its.chain.epoch_blocks(), its.terms)
    if window is None:
        return
    row = its.rows.challenge(window)
    if row is None:
        block = its.chain.block(window)
        if number < late_block(window, its.terms) and block is not None:
            seed = challenge_seed(its.chain.domain.chain_id, block.hash, its.owner, DEVICE)
            row = ChallengeRow(window, Digest(block.hash), seed, ChallengeStage.WANTED)
            its.rows.begin_challenge(row)
            _tell_worker(its, row)
    elif row.stage is ChallengeStage.WANTED and number < late_block(window, its.terms):
        _tell_worker(its, row)
    elif row.stage is ChallengeStage.COMPUTED:
        _commit(its, row)
    elif row.stage is ChallengeStage.COMMITTED:
        _send(its, row, oracles, lambda oracle: its.client.put_commitment(oracle, _signed(row)))
        _draw(its, row, number)
    elif row.stage is ChallengeStage.DRAWN and number <= last_block(window, its.terms):
        _tell_worker(its, row)
    elif row.stage is ChallengeStage.OPENED:
        digest = commitment_digest(its.chain.domain, _signed(row).commitment)
        signature = its.keys.sign(opening_digest(its.chain.domain, digest, row.opening))
        sent = _send(its, row, oracles, lambda o: its.client.put_challenge_opening(o, digest, signature + row.opening))
        if number > last_block(window, its.terms) or set(sent.taken) >= {oracle.address for oracle in oracles}:
            its.rows.move_challenge(replace(sent, stage=ChallengeStage.DONE, opening=b""), ChallengeStage.OPENED)


def _tell_worker(its: Challenging, row: ChallengeRow) -> None:
    if its.clock() - row.touched_at >= AGAIN_SECONDS:
        its.broker.enqueue_challenge(row.window)
        its.rows.move_challenge(replace(row, touched_at=its.clock()), row.stage)


def _commit(its: Challenging, row: ChallengeRow) -> None:
    assert row.claim is not None  # what is computed has its claim
    roots = row.product_roots
    said = Commitment(its.owner, DEVICE, row.window, row.window_hash, its.terms.digest, opened_by(roots), len(roots),
                      row.claim)
    signed = SignedCommitment(said, its.keys.sign(commitment_digest(its.chain.domain, said)))
    done = replace(row, stage=ChallengeStage.COMMITTED, signed=signed, touched_at=0.0)
    its.rows.move_challenge(done, ChallengeStage.COMPUTED)


def _draw(its: Challenging, row: ChallengeRow, number: int) -> None:
    at = opening_block(row.window, its.terms)
    block = its.chain.block(at) if number >= at + its.confirmations else None
    if block is not None:
        draw = opening_draw(block.hash, commitment_digest(its.chain.domain, _signed(row).commitment))
        drawn = replace(row, stage=ChallengeStage.DRAWN, draw=draw, touched_at=0.0, taken=())
        its.rows.move_challenge(drawn, ChallengeStage.COMMITTED)


def _send(its: Challenging, row: ChallengeRow, oracles: Sequence[Oracle],
          put: Callable[[Oracle], None]) -> ChallengeRow:
    """Send to every oracle that has not got it; one that says no for good is not asked again."""
    if its.clock() - row.touched_at < SILENCE_SECONDS:
        return row
    taken, touched_at = list(row.taken), row.touched_at
    for oracle in (one for one in oracles if one.address not in row.taken):
        try:
            put(oracle)
        except Unavailable:
            touched_at = its.clock()
            continue
        except MallaError as error:
            if isinstance(error, Refused) and error.reason in (Reason.NOT_READY, Reason.BUSY):
                continue
            its.log("challenge_refused", window=row.window, oracle=oracle.address, error=error.message)
        taken.append(oracle.address)
    sent = replace(row, taken=tuple(taken), touched_at=touched_at)
    if sent != row:
        its.rows.move_challenge(sent, row.stage)
    return sent


def _signed(row: ChallengeRow) -> SignedCommitment:
    assert row.signed is not None  # what is committed is signed
    return row.signed
