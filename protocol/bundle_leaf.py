"""The leaf that a bundle is about: who found what of it, and that the draw, its session and its token ids are its own.

Whatever does not hold raises `BundleInvalid`.
"""

from __future__ import annotations

from typing import Any

from protocol.bundle import MAX_TOKENS, Numbers
from protocol.calls import split_unit
from protocol.draw import draw, is_drawn
from protocol.encoding import (
    abi_encode,
    digest_from,
    from_hex,
    json_digest,
    keccak,
    pack_float32,
    pack_token_ids,
)
from protocol.errors import Malformed
from protocol.messages import Domain, audit_record_digest
from protocol.session_reports import SessionReport, reported_head, session_report_digest
from protocol.signing import recover
from protocol.types import AuditRecord, Sampler
from protocol.units import Address
from protocol.wire import from_json

SESSION = "session"


class BundleInvalid(Malformed):
    """The bundle contradicts itself or cannot be read: it proves nothing."""

    code = "bundle_invalid"


def require(holds: bool, message: str) -> None:
    """Raises BundleInvalid with the message unless it holds."""
    if not holds:
        raise BundleInvalid(message)


def check_records(bundle: Any) -> tuple[dict[str, Any], AuditRecord]:
    """The signer's own evidence comes first; what other oracles found of the same leaf follows."""
    records, entry = bundle["records"], bundle["entry"]
    require(isinstance(records, list) and 1 <= len(records) <= 256, "A bundle has 1 to 256 records.")
    domain, signers, found = Domain(bundle["chain_id"], from_json(Address, bundle["escrow"])), [], []
    for row in records:
        record = from_json(AuditRecord, row["record"])
        signer = recover(audit_record_digest(domain, record), from_hex(row["signature"], 65))
        require(signer == row["oracle"] and signer not in signers, f"A record is not signed by {row['oracle']}.")
        require(json_digest(row["evidence"]) == record.evidence, "An evidence is not the one that was signed.")
        same = (record.batch_id, record.index, record.leaf) == (
            entry["batch_id"], entry["index"], digest_from(entry["leaf"], "entry.leaf"))
        require(same, "A record is of another leaf.")
        signers.append(signer)
        found.append(record)
    evidence = records[0]["evidence"]
    require(evidence["verdict"] == found[0].verdict.name and evidence["job_id"] == entry["job_id"],
            "The evidence and its record are of different findings.")
    return evidence, found[0]


def check_draw(bundle: Any) -> str:
    facts, entry = bundle["draw"], bundle["entry"]
    place, batch = entry["index"], entry["batch_id"]
    block = None if facts["block_hash"] is None else digest_from(facts["block_hash"], "draw.block_hash")
    reveals = [None if one is None else digest_from(one, "draw.reveals") for one in facts["reveals"]]
    made = draw(batch, (), block, reveals, facts["audit_bps"])
    require(made.group_seed == digest_from(facts["group_seed"], "draw.group_seed"),
            "Block hash and reveals do not give the draw's seed.")
    require(made.seed is None or is_drawn(made.seed, place, facts["audit_bps"]), "The draw does not name this leaf.")
    return "the draw"


def check_session(bundle: Any) -> str:
    """The report's calls lead from the head committed before to the committed one; the audited leaf is one of them."""
    shown, entry = bundle[SESSION], bundle["entry"]
    report, (index, call) = from_json(SessionReport, shown["report"]), split_unit(entry["index"])
    same = (report.batch_id, report.index, report.session_id) == (
        entry["batch_id"], index, digest_from(entry["job_id"], "entry.job_id"))
    require(same and call is not None and call < len(report.calls), "The session's report is of another voucher.")
    require(report.calls[call or 0].leaf == digest_from(entry["leaf"], "entry.leaf"),
            "The session's report has another leaf for this call.")
    head = reported_head(digest_from(shown["before"], "session.before"), report)
    require(head == digest_from(shown["head"], "session.head"), "The report's calls do not lead to the head.")
    if not shown["signature"]:
        return "the session's report, posted on-chain"
    domain = Domain(bundle["chain_id"], from_json(Address, bundle["escrow"]))
    signer = recover(session_report_digest(domain, report), from_hex(shown["signature"], 65))
    return f"the session's report, signed by {signer}"


def check_ids(bundle: Any, numbers: Numbers, sampler: Sampler) -> None:
    """The ids, with the claimed logprobs, have to give the leaf that was committed."""
    ids, count = bundle["ids"], len(numbers.replay.margins)
    require(len(ids["output"]) == count <= MAX_TOKENS and len(ids["top"]) == len(numbers.claimed_top),
            "The token ids are not those of the numbers.")
    top = b"".join(token.to_bytes(4, "little") + pack_float32([value])
                   for row, values in zip(ids["top"], numbers.claimed_top, strict=True)
                   for token, value in zip(row, values, strict=True))
    logprobs = pack_float32(list(numbers.claimed_logprobs or ()))
    found = keccak(abi_encode(["bytes32"] * 3 + ["uint32"] * 2 + ["uint64"] + ["bytes32"] * 2, [
        from_hex(ids["salt"], 32), from_hex(ids["spec_digest"], 32), keccak(pack_token_ids(ids["output"])),
        len(ids["prompt"]), count, sampler.seed, keccak(logprobs + top), from_hex(ids["fingerprint_root"], 32),
    ]))
    require(found == digest_from(bundle["entry"]["leaf"], "entry.leaf"),
            "The token ids are not the ones that were committed.")
