"""What the api shows of batches and of the whole network."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from oracle.flow.decisions import decide_batch
from oracle.flow.node import Node, find_batch
from oracle.flow.views import hex_or_none, show_batch_record
from oracle.records.work import EntryRow, RecordRow
from protocol.committee import faults, quorum
from protocol.encoding import to_hex
from protocol.wire import to_json

IN_WEI = ("open_fee", "audit_fee", "submit_fee", "slash_ceiling")
"""Parameters that are amounts: decimal strings, as every amount."""


def show_batch(node: Node, batch_id: int) -> dict[str, Any]:
    """Record, entries, draw, records, and what this oracle would sign now."""
    batch = find_batch(node, batch_id)
    entries, records = node.store.entries(batch_id), node.store.records(batch_id)
    calls = node.store.calls(batch_id)
    decision, why = decide_batch(node, batch)
    members = node.chain.members(batch.set_version)
    drawn = batch.drawn_at is not None
    return {
        **show_batch_record(batch),
        "entries": [{"index": e.index, **to_json(e.entry), "audit": e.audit, "escalated": e.escalated_at is not None}
                    for e in entries],
        "draw": {
            "seed": hex_or_none(batch.seed),
            "group_seed": hex_or_none(batch.group_seed),
            "audit_bps": batch.audit_bps,
            "drawn": [e.index for e in entries if e.drawn],
            "auditors": [members[e.auditor] for e in entries if e.auditor is not None],
            "calls": [_call(row, members) for row in calls],
        } if drawn else None,
        "calls": _count_calls(entries, {row.index for row in calls}, records),
        "records": [_record(row) for row in records if row.revealed],
        "decision": to_json(decision) if decision else None,
        "why": why,
    }


def show_network(node: Node, contracts: dict[str, str]) -> dict[str, Any]:
    """Contracts, parameters, oracle set and figures."""
    set_version = node.chain.set_version()
    members = node.chain.members(set_version) if set_version else ()
    terms = asdict(node.chain.parameters())
    return {
        "chain_id": node.domain.chain_id,
        "contracts": contracts,
        "parameters": {name: str(value) if name in IN_WEI else value for name, value in terms.items()},
        "epoch_blocks": node.chain.epoch_blocks(),
        "set_version": set_version,
        "oracles": [
            {"address": m.address, "url": m.url, "encryption_key": to_hex(m.encryption_key)}
            for m in (node.chain.member(address) for address in members)
        ],
        "faults": faults(len(members)),
        "quorum": quorum(len(members)),
        "figures": node.store.figures(),
        "convictions": [
            {"provider": c.provider, "batch_id": c.batch_id, "slashed": str(c.slashed), "at": c.at,
             "tx": to_hex(c.tx_hash)}
            for c in node.store.convictions()
        ],
    }


def _call(row: EntryRow, members: Sequence[str]) -> dict[str, Any]:
    return {"unit": row.index, "session_id": to_hex(row.entry.job_id), "leaf": to_hex(row.entry.leaf),
            "number": row.call.number if row.call else None, "escalated": row.escalated_at is not None,
            "auditor": None if row.auditor is None else members[row.auditor]}


def _count_calls(entries: Sequence[EntryRow], units: Collection[int], records: Sequence[RecordRow]) -> dict[str, int]:
    """Of the batch's vouchers: calls committed, those reported here, drawn, and drawn with a finding."""
    vouchers = [row.voucher for row in entries if row.voucher is not None]
    return {
        "committed": sum(v.added_calls for v in vouchers),
        "reported": sum(v.added_calls for v in vouchers if v.is_reported),
        "drawn": sum(v.drawn_calls for v in vouchers),
        "audited": len({row.record.index for row in records if row.revealed} & set(units)),
    }


def _record(row: RecordRow) -> dict[str, Any]:
    return {"oracle": row.oracle, "record": to_json(row.record), "evidence": row.evidence,
            "signature": to_hex(row.signature), "received_at": int(row.received_at), "timely": row.timely}
