"""The evidence bundle of an audit that this oracle made: files from which anybody recomputes its verdict."""

from __future__ import annotations

from typing import Any

from oracle.flow.node import Node, find_batch, not_ready
from oracle.flow.scoring import profile_of, read_window, related_payers, score_rows
from oracle.flow.turns import BatchView, view_batch
from oracle.records.canaries import PAYER
from oracle.records.scores import LeafScore
from oracle.records.work import BatchRow, EntryRow, RecordRow
from protocol.bundle import BUNDLE, consent_digest
from protocol.calls import split_unit
from protocol.draw import draw, epoch_of
from protocol.encoding import to_hex
from protocol.errors import Reason, Refused
from protocol.signing import require_signer
from protocol.wire import to_json


def build_bundle(node: Node, batch_id: int, index: int, consent: bytes | None = None) -> dict[str, Any]:
    """All that `protocol.bundle_check` asks for, as of now. Token ids only with `consent`: the requester's signature
    over `consent_digest` of its job.

    Raises Refused(not_found), also when this oracle did not audit the entry or let its numbers go; SignatureInvalid or
    Refused(wrong_signer) for a consent that is none.
    """
    batch = find_batch(node, batch_id)
    view = view_batch(node, batch, index)
    entry = next((e for e in view.entries if e.index == index), None)
    own = view.own_record(index, node.address)
    if entry is None or own is None:
        raise Refused(Reason.NOT_FOUND, f"This oracle made no audit of entry {index} of batch {batch_id}.",
                      "Ask one whose record it has.")
    if not own.revealed:  # nor may anybody read here what a lazy auditor could copy
        raise not_ready(f"The finding of entry {index} of batch {batch_id} waits for the commitments of others.")
    kept = node.store.numbers(batch_id, index)
    if kept is None and own.evidence.get("numbers") is not None:
        raise Refused(Reason.NOT_FOUND, f"The numbers of entry {index} of batch {batch_id} went with its opening.")
    if consent is not None:
        digest = consent_digest(node.domain.chain_id, node.domain.contract, entry.entry.job_id)
        require_signer(digest, consent, entry.entry.requester, "The consent")
    line = entry.entry
    return _session(node, entry) | {
        "format": BUNDLE,
        "chain_id": node.domain.chain_id,
        "escrow": node.domain.contract,
        "entry": {"batch_id": batch_id, "index": index, "provider": batch.provider, "requester": line.requester,
                  "job_id": to_hex(line.job_id), "leaf": to_hex(line.leaf)},
        "records": [_record(row) for row in _own_first(view, own)],
        "numbers": kept.numbers if kept else None,
        "profile": kept.profile if kept else None,
        "draw": _draw(node, batch, entry),
        "score": _score(node, batch, own) if kept else None,
        "ids": kept.ids if kept and consent is not None else None,
    }


def _session(node: Node, entry: EntryRow) -> dict[str, Any]:
    """Of a call what ties its leaf to the committed head; nothing of a job, whose leaf is committed itself."""
    voucher = node.store.voucher(entry.batch_id, split_unit(entry.index)[0]) if entry.call is not None else None
    if voucher is None or voucher.report is None:
        return {}
    return {"session": {"report": to_json(voucher.report), "signature": to_hex(voucher.signature)
                        if voucher.signature else "", "before": to_hex(voucher.before_head),
                        "head": to_hex(voucher.entry.leaf)}}


def _own_first(view: BatchView, own: RecordRow) -> list[RecordRow]:
    return [own, *(row for row in view.records_at(own.record.index) if row.oracle != own.oracle)]


def _record(row: RecordRow) -> dict[str, Any]:
    return {"oracle": row.oracle, "record": to_json(row.record), "signature": to_hex(row.signature),
            "evidence": row.evidence}


def _draw(node: Node, batch: BatchRow, entry: EntryRow) -> dict[str, Any] | None:
    """None where the chain's node has lost the block, or this oracle the rate: `malla oracle draw` asks for them."""
    if batch.group_seed is None or batch.audit_bps is None:
        return None
    number = batch.committed_block + int(node.chain.parameters_at(batch.terms_version).draw_delay)
    block, epoch = node.chain.block(number), epoch_of(batch.committed_block, node.chain.epoch_blocks())
    reveals = [node.store.reveal(member, epoch) for member in node.chain.members(batch.set_version)]
    made = draw(batch.batch_id, (), block.hash if block else None, reveals, batch.audit_bps)
    if made.group_seed != batch.group_seed:
        return None
    return {
        "block": number, "block_hash": to_hex(block.hash) if block else None,
        "reveals": [to_hex(reveal) if reveal else None for reveal in reveals], "audit_bps": batch.audit_bps,
        "group_seed": to_hex(batch.group_seed), "auditor": entry.auditor,
    }


def _score(node: Node, batch: BatchRow, own: RecordRow) -> dict[str, Any] | None:
    profile = profile_of(own.evidence)
    if profile is None:
        return None
    rows = read_window(node, profile)
    others = {row.provider for row in rows} - {batch.provider}
    without = [row for row in rows if row.payer != PAYER]
    # Which leaves were canaries is told where they decided something, and nowhere else.
    rows = rows if not score_rows(node, batch.provider, without).convicts else without
    rows = rows if score_rows(node, batch.provider, rows).convicts else without
    return {
        "leaves": [_leaf(row) for row in rows if row.provider == batch.provider],
        "related": list(related_payers(node, batch.provider)),
        "others": [repr(score_rows(node, provider, rows).value) for provider in sorted(others)],
    }


def _leaf(row: LeafScore) -> dict[str, Any]:
    return {"batch_id": row.batch_id, "index": row.index, "payer": row.payer, "log_e": repr(row.log_e)}
