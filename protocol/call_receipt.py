"""The receipt of a session's call: what its requester can verify offline, as `protocol.receipt` is of a job.

The settled entry names the head of the session's transcripts; the report's lines lead to it from the head before, and
one of them is the leaf that the requester recomputes from what it asked and what it got. A call beyond its session's
last voucher is committed as a link of spec and leaf, and the voucher names the spec.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from protocol.calls import CallLine
from protocol.errors import Malformed, MallaError
from protocol.messages import Domain, offer_digest, session_id
from protocol.session_reports import SessionReport, reported_head, session_report_digest, worth
from protocol.settlement_proof import Check, check_deployment, check_settlement, make_checks
from protocol.signing import recover
from protocol.transcript import leaf, spec_digest
from protocol.types import Answer, Decision, Entry, JobSpec, Session
from protocol.units import Address, Digest


@dataclass(frozen=True)
class CallReceipt:
    """`number` counts the session's calls from 1, `before` is the head before the report's first call. `report` is
    signed by `node_key`; one that its provider posted on-chain has no signature of its own, and `signature` is empty.
    An oracle gives all but `spec` and `answer`, which its requester alone has."""

    chain_id: int
    escrow: Address
    session: Session
    number: int
    spec: JobSpec
    answer: Answer
    report: SessionReport
    signature: bytes
    node_key: Address
    before: Digest
    batch_id: int
    index: int
    entries: tuple[Entry, ...]
    set_version: int
    members: tuple[Address, ...]
    decisions: tuple[Decision, ...]
    signatures: tuple[bytes, ...]
    settlement_tx: Digest


def verify_call_receipt(receipt: CallReceipt, chain_id: int, escrow: Address, seats: frozenset[str]) -> list[Check]:
    """Every check, in order, also after a failed one. `seats` are the oracles of the deployment that the reader trusts.
    A number that no contract could hold ends the list with a failed check "form".

    What it cannot show offline is that the settlement transaction was included: look it up by `settlement_tx`.
    """
    return make_checks(_checks(receipt, chain_id, escrow, seats))


def _checks(r: CallReceipt, chain_id: int, escrow: Address, seats: frozenset[str]) -> Iterator[Check]:
    yield check_deployment(r, chain_id, escrow)
    own_id = session_id(r.chain_id, r.escrow, r.session)
    entry = r.entries[r.index] if r.index < len(r.entries) else None
    named = entry is not None and entry.is_voucher and entry.job_id == own_id == r.spec.prompt_blob
    yield Check("session", named, "0x" + own_id.hex())
    line = _line(r)
    got = line is not None and leaf(r.answer, r.spec) == line.leaf
    yield Check("answer", got, f"the answer has the leaf of call {r.number}")
    sizes = (r.answer.input_tokens, len(r.answer.output_token_ids))
    counted = line is not None and (line.input_tokens, line.output_tokens) == sizes
    yield Check("units", counted, f"{sizes[0]} tokens in, {sizes[1]} out")
    asked = r.report.spec_of(r.number - r.report.first) if line is not None else None
    yield Check("link", asked in (None, spec_digest(r.spec)), "the committed spec is the one that was asked" if asked
                else "the call is under a voucher's own head")
    leads = entry is not None and _head(r) == entry.leaf
    yield Check("head", leads, f"{len(r.report.calls)} calls lead to the head that was committed")
    offer = r.report.offer
    priced = offer_digest(Domain(r.chain_id, r.escrow), offer) == r.session.offer_digest
    exact = entry is not None and worth(r.report.calls, offer) == entry.amount
    yield Check("amount", priced and exact, "the calls cost what was committed, at the session's prices")
    yield Check("report", _report_holds(r, own_id), f"signed by the node key {r.node_key}" if r.signature
                else "posted on-chain by its provider")
    yield from check_settlement(r, seats)


def _head(r: CallReceipt) -> Digest | None:
    try:
        return reported_head(r.before, r.report)
    except Malformed:
        return None  # links that no voucher allows lead nowhere


def _line(r: CallReceipt) -> CallLine | None:
    place = r.number - r.report.first
    return r.report.calls[place] if 0 <= place < len(r.report.calls) else None


def _report_holds(r: CallReceipt, own_id: Digest) -> bool:
    said = r.report
    if (said.batch_id, said.index, said.session_id) != (r.batch_id, r.index, own_id):
        return False
    if not r.signature:
        return True  # the head holds the leaves whoever lists them
    try:
        signer = recover(session_report_digest(Domain(r.chain_id, r.escrow), said), r.signature)
    except MallaError:
        return False
    return signer.lower() == r.node_key.lower()
