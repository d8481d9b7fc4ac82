"""What a provider does when no quorum decides: record that its answers are stored, then mature by default (R22)."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.committee import faults
from protocol.types import BatchState
from provider.ports.work import Chain, Journal, Log, Sender
from provider.records.work import JournalBatch


@dataclass(frozen=True)
class Chores:
    journal: Journal
    chain: Chain
    sender: Sender
    log: Log


def do_chores(chores: Chores) -> None:
    """Look at each batch that is pending for too long. Every transaction has a key and is sent once a state."""
    batches = chores.journal.batches(BatchState.PENDING)
    if not batches:
        return
    head = chores.chain.head()
    for batch in batches:
        terms = chores.chain.terms(batch.terms_version)
        # Openings posted on-chain start the window again.
        t_max = (batch.opened_at or batch.committed_at) + terms.maturity_window
        if head.timestamp < t_max or chores.chain.batch_state(batch.batch_id) is not BatchState.PENDING:
            continue
        if head.timestamp < t_max + terms.evidence_window:
            _record_stored(chores, batch)
        else:
            _mature(chores, batch)


def _record_stored(chores: Chores, batch: JournalBatch) -> None:
    members = {oracle.address.lower() for oracle in chores.chain.oracles(batch.set_version)}
    needed = faults(len(members)) + 1
    bitmap = chores.chain.stored_bitmap(batch.batch_id)
    indexes, signatures = [], []
    for index, entry in enumerate(batch.entries):
        held = [r for r in chores.journal.receipts(entry.answer_digest) if r.oracle.lower() in members]
        if bitmap >> index & 1 or len(held) < needed:
            continue
        # The contract wants the signers in ascending order, which makes a repeat impossible.
        held.sort(key=lambda receipt: int(receipt.oracle, 16))
        indexes.append(index)
        signatures.append([receipt.signature for receipt in held[:needed]])
    if not indexes:
        return
    key = f"stored/{batch.batch_id}/" + "-".join(map(str, indexes))
    if chores.sender.outcome(key) is None:
        chores.sender.record_stored(key, batch, indexes, signatures)
        chores.log("stored_answers_recorded", batch_id=batch.batch_id, entries=len(indexes))


def _mature(chores: Chores, batch: JournalBatch) -> None:
    key = f"default/{batch.batch_id}"
    if chores.sender.outcome(key) is None:
        chores.sender.mature_by_default(key, batch)
        chores.log("matured_by_default", batch_id=batch.batch_id)
