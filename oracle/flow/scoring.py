"""Scores of providers: what each audited leaf adds, and whether a leaf beyond its profile convicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from oracle.flow.batch_view import BatchView
from oracle.flow.evidence import checks_of, is_of_canary
from oracle.flow.node import Node
from oracle.flow.verification import Finding
from oracle.ports import Store
from oracle.records.canaries import PAYER
from oracle.records.scores import LeafScore
from oracle.records.work import BatchRow, EntryRow
from protocol.encoding import digest_from
from protocol.score import CLEAN, Leaf, Score, is_suspended, score_of
from protocol.types import VerdictKind
from protocol.units import Address, Digest
from protocol.verdict import EntryEvidence, is_beyond


def keep_score(node: Node, store: Store, batch: BatchRow, entry: EntryRow, finding: Finding) -> None:
    """Note what an own audit found: the leaf's part of the score, and the numbers behind it."""
    now = node.clock()
    if finding.kept is not None:
        store.keep_numbers(entry.batch_id, entry.index, finding.kept, now)
    profile = profile_of(finding.evidence)
    if profile is None or finding.log_e is None:
        store.drop_leaf_score(entry.batch_id, entry.index)
    else:
        store.put_leaf_score(_row(batch, entry, profile, node.address, finding.log_e, now), own=True)


def keep_canary_score(store: Store, batch: BatchRow, entry: EntryRow, profile: Digest, oracle: Address, log_e: float,
                      now: float) -> None:
    """What the answer to an own canary adds to the own score. An audit of the opened leaf takes its place."""
    row = _row(batch, entry, profile, oracle, log_e, now)
    store.put_leaf_score(replace(row, payer=Address(PAYER)), own=True)


def keep_peer_pass(store: Store, batch: BatchRow, entry: EntryRow, verdict: VerdictKind, peer: Address,
                   now: float) -> None:
    """A leaf that a peer passed counts as the least that a leaf can say. Without those, a score would see every leaf
    beyond the profile, because these go to all, and only its own share of the clean ones."""
    paid_by = store.job(entry.entry.job_id) if entry.call is None else store.session(entry.entry.job_id)
    profile = paid_by.profile if paid_by is not None else None
    if verdict is VerdictKind.PASS and profile is not None and any(profile):
        store.put_leaf_score(_row(batch, entry, profile, peer, CLEAN, now), own=False)


def read_scores(node: Node, profile: Digest) -> dict[str, Score]:
    """The present scores of all providers under a profile."""
    rows = read_window(node, profile)
    return {provider: score_rows(node, provider, rows) for provider in {row.provider for row in rows}}


def read_window(node: Node, profile: Digest) -> list[LeafScore]:
    """The leaves that count at present: not yet matured, or younger than the unstake delay."""
    return node.store.leaf_scores(profile, node.clock() - node.chain.unstake_delay())


def profile_of(evidence: dict[str, Any]) -> Digest | None:
    """The profile by which a finding of our own judged."""
    named = evidence.get("profile")
    return None if named is None else digest_from(named, "profile")


def score_rows(node: Node, provider: Address, rows: Sequence[LeafScore]) -> Score:
    """The score of one provider out of the rows of a profile. The oracle's own canaries count as one payer."""
    own = {wallet.address for wallet in node.store.own_wallets()}
    leaves = [Leaf(PAYER if row.payer in own else row.payer, row.log_e) for row in rows if row.provider == provider]
    return score_of(leaves, related_payers(node, provider))


def related_payers(node: Node, provider: Address) -> tuple[str, ...]:
    """Addresses that count in no score of this provider: its owner's, and its present node key's."""
    return (provider, node.chain.provider(provider).node_key)


def weigh_scores(node: Node, view: BatchView, entries: Sequence[EntryEvidence]) -> list[EntryEvidence]:
    """The evidence of a batch with what scores add to it."""
    return [_weigh(node, view, row, evidence) for row, evidence in zip(view.entries, entries, strict=True)]


def _weigh(node: Node, view: BatchView, entry: EntryRow, evidence: EntryEvidence) -> EntryEvidence:
    found = replace(evidence, escalated=entry.escalated_at is not None)
    own = view.own_record(entry.index, node.address)
    if own is None or is_of_canary(own.evidence) or not is_beyond(own.record.verdict, checks_of(own.evidence)):
        return found  # what the own canary showed convicts nobody before the leaf is opened
    profile = profile_of(own.evidence)
    scores = read_scores(node, profile) if profile is not None else {}
    score = scores.get(view.batch.provider)
    return replace(found, convicted=score is not None and score.convicts and not is_suspended(scores))


def _row(batch: BatchRow, entry: EntryRow, profile: Digest, oracle: Address, log_e: float, now: float) -> LeafScore:
    payer = entry.entry.requester
    return LeafScore(entry.batch_id, entry.index, batch.provider, profile, payer, log_e, oracle, now)
